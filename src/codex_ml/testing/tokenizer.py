"""Checks of a tokenizer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from codex_ml.testing.component import ComponentTests
from codex_ml.testing.expectation import check

__all__ = ["TokenizerTests"]


class TokenizerTests(ComponentTests):
    """Checks that a tokenizer factory is one: `factory(config)` gives a tokenizer with transformers' call interface.

    Attributes:
        texts: What it is called with; of different lengths, and one of them of more than four tokens.
        round_trips: Texts that `decode` must give back as they are.
    """

    kind: ClassVar[str] = "tokenizer"
    texts: Sequence[str] = ("the cat sat on the mat", "a dog and a bone", "cats and dogs and birds and fish")
    round_trips: Sequence[str] = ()

    def use(self, folder: Path, arguments: Mapping[str, Any]) -> Any:
        """Builds the tokenizer."""
        from codex_ml.launch.building import build_tokenizer
        from codex_ml.launch.seeding import seed_everything

        chosen = self.chosen(arguments)
        seed_everything(0, "tokenizer")
        return build_tokenizer(chosen)

    def test_a_batch_gives_token_ids(self) -> None:
        """A list of texts gives a list of ids for each, an attention mask as long, and the same when asked again."""
        tokenizer = self._built()
        encoded = self._encoded(tokenizer)
        rows = encoded["input_ids"]
        for row, mask in zip(rows, encoded.get("attention_mask", [[1] * len(row) for row in rows]), strict=True):
            check(len(row) == len(mask), f"{self} gives an attention mask of {len(mask)} for {len(row)} tokens")
        check(rows == self._encoded(tokenizer)["input_ids"], f"{self} gives other ids for the same texts")
        check(rows == self._encoded(self._built())["input_ids"], f"{self} gives other ids when it is built again")
        single = list(tokenizer(self.texts[0], truncation=True, max_length=512)["input_ids"])
        check(single == rows[0], f"{self} gives {single!r} for a text alone and {rows[0]!r} for it in a list")

    def test_ids_are_below_its_length(self) -> None:
        """A model's embedding is as large as `len(tokenizer)` says."""
        tokenizer = self._built()
        check(hasattr(tokenizer, "__len__"), f"{self} has no length: give it __len__, the number of its token ids")
        greatest = max(max(row) for row in self._encoded(tokenizer)["input_ids"])
        check(greatest < len(tokenizer), f"{self} gives the id {greatest}, and its length is {len(tokenizer)}")

    def test_truncation_keeps_to_the_length(self) -> None:
        """`truncation=True, max_length=...` gives that many tokens at most."""
        tokenizer = self._built()
        for limit in (3, 4):
            lengths = [len(row) for row in self._encoded(tokenizer, max_length=limit)["input_ids"]]
            check(max(lengths) <= limit, f"{self} gives {max(lengths)} tokens where max_length={limit}")
            check(max(lengths) == limit, f"{self} gives at most {max(lengths)} tokens of a longer text, not {limit}")

    def test_padding_fills_with_its_padding_token(self) -> None:
        """`padding=True` makes all as long as the longest, and masks what it adds."""
        tokenizer = self._built()
        plain = self._encoded(tokenizer)["input_ids"]
        check(len({len(row) for row in plain}) > 1, f"{type(self).__name__}: choose `texts` of different lengths")
        padding = _padding_id(tokenizer)
        check(padding is not None, f"{self} has neither a pad_token_id nor an eos_token_id, a whole number")
        padded = self._encoded(tokenizer, padding=True)
        width = max(map(len, plain))
        for before, row, mask in zip(plain, padded["input_ids"], padded["attention_mask"], strict=True):
            added = width - len(before)
            check(len(row) == width == len(mask), f"{self} pads to {len(row)} tokens (mask: {len(mask)}), not {width}")
            left = getattr(tokenizer, "padding_side", "right") == "left"
            wanted = [padding] * added + before if left else before + [padding] * added
            masked = [0] * added + [1] * len(before) if left else [1] * len(before) + [0] * added
            check(row == wanted, f"{self} pads {before!r} to {row!r}, not {wanted!r}")
            check(list(mask) == masked, f"{self} gives the attention mask {list(mask)!r} for {row!r}, not {masked!r}")

    def test_decoding_gives_the_text_back(self) -> None:
        """`decode(ids, skip_special_tokens=True)` undoes the call."""
        tokenizer = self._built()
        for text in self.round_trips:
            ids = tokenizer(text, truncation=True, max_length=512)["input_ids"]
            decoded = tokenizer.decode(ids, skip_special_tokens=True)
            check(decoded == text, f"{self} decodes the ids of {text!r} to {decoded!r}")

    def test_it_can_be_saved_and_loaded(self, tmp_path: Path) -> None:
        """A tokenizer with `save_pretrained` stands beside the exported model, and gives the same ids from there."""
        tokenizer = self._built()
        if hasattr(tokenizer, "save_pretrained"):
            tokenizer.save_pretrained(str(tmp_path))
            check(any(tmp_path.iterdir()), f"{self} writes nothing when it is asked to save")
            told = f"{self} has save_pretrained, and its class no from_pretrained to read it with"
            check(hasattr(tokenizer, "from_pretrained"), told)
            loaded = type(tokenizer).from_pretrained(str(tmp_path))
            same = self._encoded(loaded)["input_ids"] == self._encoded(tokenizer)["input_ids"]
            check(same, f"{self} gives other ids once it is saved and loaded")

    def _built(self) -> Any:
        return self.use(Path(), self.arguments())

    def _encoded(self, tokenizer: Any, *, max_length: int = 512, **keywords: Any) -> dict[str, Any]:
        encoded = tokenizer(list(self.texts), truncation=True, max_length=max_length, **keywords)
        given = set(encoded) if isinstance(encoded, Mapping) else set()
        told = f"{self} returns {type(encoded).__name__} for a list of texts; it must hold `input_ids`, as a dict does"
        check("input_ids" in given, told)
        rows = [list(row) for row in encoded["input_ids"]]
        check(len(rows) == len(self.texts), f"{self} gives {len(rows)} lists of ids for {len(self.texts)} texts")
        strays = [each for row in rows for each in row if type(each) is not int or each < 0]
        check(not strays, f"{self} gives the token id {strays[:1]!r}; ids are whole numbers from 0")
        check(all(rows), f"{self} gives no token for a text")
        return {**{key: encoded[key] for key in given}, "input_ids": rows}


def _padding_id(tokenizer: Any) -> int | None:
    ids = [getattr(tokenizer, name, None) for name in ("pad_token_id", "eos_token_id")]
    return next((each for each in ids if isinstance(each, int)), None)
