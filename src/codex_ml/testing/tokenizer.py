"""Checks of a tokenizer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from codex_ml.errors import CodexError
from codex_ml.testing.component import ComponentTests
from codex_ml.testing.expectation import check
from codex_ml.testing.fresh_interpreter import encoded_apart
from codex_ml.testing.option_changes import changes_of

__all__ = ["TokenizerTests"]

_EMPTY = ("", " ", "\n")
# What a vocabulary may not have, what a letter case or a special token's name changes, and what is long.
_ODD = ("The CAT", "ÄÖÜ", "naïve 猫 🎈", "\x00", "\u200b", "[PAD] </s> <unk> <|endoftext|>", "a" * 300, "-1 3.14 ...")
# So many words meet every id of a table of a few thousand hashes.
_MOST_WORDS = 20_000
_WORDS_A_TEXT = 50
_ATTRIBUTES = ("pad_token_id", "eos_token_id", "unk_token_id", "padding_side", "truncation_side", "model_max_length")


class TokenizerTests(ComponentTests):
    """Checks that a tokenizer factory is one: `factory(config)` gives a tokenizer with transformers' call interface.

    Attributes:
        texts: What it is called with; of different lengths, and one of them of more than four tokens.
        round_trips: Texts that `decode` must give back as they are.
        takes_empty_texts: Whether it gives a token for a text without words; False says that it does not, and that a
            task may then refuse such a record.
    """

    kind: ClassVar[str] = "tokenizer"
    texts: Sequence[str] = ("the cat sat on the mat", "a dog and a bone", "cats and dogs and birds and fish")
    round_trips: Sequence[str] = ()
    takes_empty_texts: bool = True

    def use(self, folder: Path, arguments: Mapping[str, Any]) -> Any:
        """Builds the tokenizer."""
        from codex_ml.launch.building import build_tokenizer
        from codex_ml.launch.seeding import seed_everything

        chosen = self.chosen(arguments)
        seed_everything(0, "tokenizer")
        return build_tokenizer(chosen)

    def built(self) -> Any:
        """The tokenizer with the author's options."""
        return self.use(Path(), self.arguments())

    def test_a_batch_gives_token_ids(self) -> None:
        """A list of texts gives a list of ids for each, an attention mask as long, and the same when asked again."""
        tokenizer = self.built()
        encoded = self._encoded(tokenizer)
        rows = encoded["input_ids"]
        for row, mask in zip(rows, encoded.get("attention_mask", [[1] * len(row) for row in rows]), strict=True):
            check(len(row) == len(mask), f"{self} gives an attention mask of {len(mask)} for {len(row)} tokens")
        check(rows == self._encoded(tokenizer)["input_ids"], f"{self} gives other ids for the same texts")
        check(rows == self._encoded(self.built())["input_ids"], f"{self} gives other ids when it is built again")
        single = list(tokenizer(self.texts[0], truncation=True, max_length=512)["input_ids"])
        check(single == rows[0], f"{self} gives {single!r} for a text alone and {rows[0]!r} for it in a list")

    def test_it_gives_the_same_ids_in_every_process(self) -> None:
        """A model is used in other processes than the one that it was trained in."""
        _ = self.built()
        texts = [*self.texts, *_ODD]
        first, second = (encoded_apart(self.name, self.options, texts, seed=seed) for seed in (1, 2))
        for text, one, other in zip(texts, first, second, strict=True):
            told = f"{self} gives the ids {one!r} for {text!r}, and in another process {other!r}"
            check(one == other, f"{told}: let nothing depend on `hash` or the order of a set, which differ by process")

    def test_ids_are_below_its_length(self) -> None:
        """A model's embedding is as large as `len(tokenizer)` says."""
        tokenizer = self.built()
        check(hasattr(tokenizer, "__len__"), f"{self} has no length: give it __len__, the number of its token ids")
        length = len(tokenizer)
        words = [f"w{number}" for number in range(min(8 * length, _MOST_WORDS))]
        many = [" ".join(words[start : start + _WORDS_A_TEXT]) for start in range(0, len(words), _WORDS_A_TEXT)]
        for text, row in _rows(tokenizer, [*self.texts, *_ODD, *many]).items():
            greatest = max(row, default=0)
            check(greatest < length, f"{self} gives the id {greatest} for {text[:40]!r}, and its length is {length}")
        for name in ("pad_token_id", "eos_token_id", "unk_token_id"):
            special = getattr(tokenizer, name, None)
            within = not isinstance(special, int) or special < length
            check(within, f"{self} has the {name} {special}, and its length is {length}")

    def test_a_text_without_words_has_a_token(self) -> None:
        """A task refuses a record without tokens, as there is nothing that a model could look at."""
        if not self.takes_empty_texts:
            return
        tokenizer = self.built()
        for text in _EMPTY:
            row = _rows(tokenizer, [text])[text]
            check(
                row,
                f"{self} gives no token for {text!r}: give it one, such as an end token (or set "
                "`takes_empty_texts = False`; a task then refuses such a record)",
            )

    def test_truncation_keeps_to_the_length(self) -> None:
        """`truncation=True, max_length=...` gives that many tokens at most."""
        tokenizer = self.built()
        for limit in (3, 4):
            lengths = [len(row) for row in self._encoded(tokenizer, max_length=limit)["input_ids"]]
            check(max(lengths) <= limit, f"{self} gives {max(lengths)} tokens where max_length={limit}")
            check(max(lengths) == limit, f"{self} gives at most {max(lengths)} tokens of a longer text, not {limit}")

    def test_padding_fills_with_its_padding_token(self) -> None:
        """`padding=True` makes all as long as the longest, and masks what it adds."""
        tokenizer = self.built()
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
        tokenizer = self.built()
        for text in self.round_trips:
            ids = tokenizer(text, truncation=True, max_length=512)["input_ids"]
            decoded = tokenizer.decode(ids, skip_special_tokens=True)
            check(decoded == text, f"{self} decodes the ids of {text!r} to {decoded!r}")

    def test_it_can_be_saved_and_loaded(self, tmp_path: Path) -> None:
        """A tokenizer with `save_pretrained` stands beside the exported model, and does the same from there.

        So it is with any options: each is changed in turn, where it has another value that the tokenizer takes.
        """
        tokenizer = self.built()
        if not hasattr(tokenizer, "save_pretrained"):
            return
        self._check_saved(tokenizer, tmp_path / "as_given", "")
        for number, change in enumerate(changes_of(self.schema, self.arguments())):
            try:
                changed = self.use(tmp_path, self.arguments(**change))
            except (AssertionError, CodexError):
                # Not every value is one that it takes.
                continue
            self._check_saved(changed, tmp_path / str(number), f" with {change}")

    def _check_saved(self, tokenizer: Any, folder: Path, built: str) -> None:
        folder.mkdir()
        tokenizer.save_pretrained(str(folder))
        check(any(folder.iterdir()), f"{self} writes nothing when it is asked to save")
        told = f"{self} has save_pretrained, and its class no from_pretrained to read it with"
        check(hasattr(tokenizer, "from_pretrained"), told)
        loaded = type(tokenizer).from_pretrained(str(folder))
        before, after = self._behaviour(tokenizer), self._behaviour(loaded)
        for what, value in before.items():
            same = after[what] == value
            check(same, f"{self}{built} gives other {what} once it is saved and loaded: {after[what]!r}, not {value!r}")

    def _behaviour(self, tokenizer: Any) -> dict[str, Any]:
        """What a user sees of it."""
        padded = self._encoded(tokenizer, padding=True)
        cut = self._encoded(tokenizer, max_length=3)["input_ids"]
        seen = {
            "ids": _rows(tokenizer, [*self.texts, *_ODD, *_EMPTY]),
            "ids of padded texts": padded["input_ids"],
            "attention masks": [list(mask) for mask in padded.get("attention_mask", ())],
            "ids of cut texts": cut,
            **{name: getattr(tokenizer, name, None) for name in _ATTRIBUTES},
        }
        return seen | ({"__len__": len(tokenizer)} if hasattr(tokenizer, "__len__") else {})

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


def _rows(tokenizer: Any, texts: Sequence[str]) -> dict[str, list[int]]:
    """The ids of each text."""
    encoded = tokenizer(list(texts), truncation=True, max_length=512)
    return {text: list(row) for text, row in zip(texts, encoded["input_ids"], strict=True)}


def _padding_id(tokenizer: Any) -> int | None:
    ids = [getattr(tokenizer, name, None) for name in ("pad_token_id", "eos_token_id")]
    return next((each for each in ids if isinstance(each, int)), None)
