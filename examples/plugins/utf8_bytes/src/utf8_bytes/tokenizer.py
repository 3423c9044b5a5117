"""A tokenizer with nothing to learn: the bytes of a text, with the ids that ByT5 gives them.

Xue et al., "ByT5: Towards a Token-Free Future with Pre-trained Byte-to-Byte Models", 2022.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["Utf8Bytes"]

FILE = "tokenizer_config.json"
SPECIAL = ("<pad>", "</s>", "<unk>")
OFFSET = len(SPECIAL)


class Utf8Bytes:
    """Turns texts into the bytes of their UTF-8 form and back, with the call interface of transformers.

    Attributes:
        padding_side: Where short texts are padded, `left` or `right`.
        model_max_length: The longest text in tokens; None where there is no limit.
    """

    pad_token, eos_token, unk_token = SPECIAL
    pad_token_id, eos_token_id, unk_token_id = range(OFFSET)

    def __init__(self, *, padding_side: str = "right", model_max_length: int | None = None) -> None:
        if padding_side not in ("left", "right"):
            raise ValueError(f"padding_side must be left or right, not {padding_side!r}")
        if model_max_length is not None and (not isinstance(model_max_length, int) or model_max_length < 1):
            raise ValueError(f"model_max_length must be a whole number, 1 or more, or null, not {model_max_length!r}")
        self.padding_side = padding_side
        self.model_max_length = model_max_length

    def __len__(self) -> int:
        return OFFSET + 256

    def get_vocab(self) -> dict[str, int]:
        """The id of each token; a byte's name is that of its number."""
        names = [*SPECIAL, *(f"<0x{byte:02x}>" for byte in range(256))]
        return {name: index for index, name in enumerate(names)}

    @property
    def special_tokens_map(self) -> dict[str, str]:
        """The special tokens by what they are for."""
        return {"pad_token": self.pad_token, "eos_token": self.eos_token, "unk_token": self.unk_token}

    def __call__(
        self,
        text: str | Sequence[str],
        text_pair: str | Sequence[str] | None = None,
        *,
        padding: bool | str = False,
        truncation: bool | str = False,
        max_length: int | None = None,
        add_special_tokens: bool = True,
        return_tensors: str | None = None,
    ) -> dict[str, Any]:
        """Gives `input_ids` and `attention_mask`: lists for one text, lists of lists for several.

        Args:
            text: A text or several.
            text_pair: The second text of each pair.
            padding: True or "longest": to the longest one; "max_length": to that.
            truncation: Whether what exceeds `max_length` is cut off, from the longer text of a pair first.
            max_length: The most tokens; `model_max_length` when left out.
            add_special_tokens: Whether `</s>` ends each text.
            return_tensors: "pt" for int64 tensors, [texts, length].

        Raises:
            TypeError: A text is no string.
            ValueError: There are not as many second texts as first.
        """
        one = isinstance(text, str)
        texts = [text] if one else list(text)
        pairs = [None] * len(texts) if text_pair is None else [text_pair] if one else list(text_pair)
        if len(pairs) != len(texts):
            raise ValueError(f"{len(texts)} texts but {len(pairs)} in text_pair")
        limit = (max_length or self.model_max_length) if truncation else None
        ids = [self._ids(*each, limit=limit, ended=add_special_tokens) for each in zip(texts, pairs, strict=True)]
        encoded: dict[str, Any] = {"input_ids": ids, "attention_mask": [[1] * len(each) for each in ids]}
        if padding or return_tensors:
            encoded = self.pad(encoded, padding=padding, max_length=max_length, return_tensors=return_tensors)
        return {key: values[0] for key, values in encoded.items()} if one and not return_tensors else encoded

    def _ids(self, text: str, pair: str | None, *, limit: int | None, ended: bool) -> list[int]:
        parts = [_bytes(text)] if pair is None else [_bytes(text), _bytes(pair)]
        ends = [self.eos_token_id] if ended else []
        if limit is not None:
            room = max(limit - len(ends) * len(parts), 0)
            first, second = len(parts[0]), len(parts[1]) if pair is not None else 0
            second = min(second, max(room - first, room // 2))
            lengths = (room - second, second)
            parts = [part[:length] for part, length in zip(parts, lengths, strict=False)]
        return [token for part in parts for token in (*(byte + OFFSET for byte in part), *ends)][:limit]

    def pad(
        self,
        encoded: Mapping[str, Sequence[Sequence[int]]],
        *,
        padding: bool | str = True,
        max_length: int | None = None,
        return_tensors: str | None = None,
    ) -> dict[str, Any]:
        """Pads what a call without padding gave for several texts; the arguments are those of a call."""
        rows = [list(ids) for ids in encoded["input_ids"]]
        width = max(map(len, rows), default=0)
        if padding == "max_length":
            width = max(width, max_length or self.model_max_length or 0)
        ids, mask = [], []
        for row in rows:
            missing = width - len(row) if padding else 0
            filled, real = [self.pad_token_id] * missing, [1] * len(row)
            left = self.padding_side == "left"
            ids.append(filled + row if left else row + filled)
            mask.append([0] * missing + real if left else real + [0] * missing)
        padded = {"input_ids": ids, "attention_mask": mask}
        if return_tensors is None:
            return padded
        if return_tensors != "pt":
            raise ValueError(f"return_tensors must be 'pt', not {return_tensors!r}")
        import torch

        return {key: torch.tensor(values, dtype=torch.int64) for key, values in padded.items()}

    def encode(self, text: str, **options: Any) -> list[int]:
        """The ids of one text; the options are those of a call."""
        return self(text, **options)["input_ids"]

    def decode(self, token_ids: Iterable[int], *, skip_special_tokens: bool = False) -> str:
        """The text of ids; a character cut in the middle is shown as U+FFFD."""
        content = bytearray()
        for token in map(int, token_ids):
            if token >= OFFSET:
                content.append(token - OFFSET)
            elif not skip_special_tokens:
                content += SPECIAL[token].encode()
        return content.decode("utf-8", "replace")

    def batch_decode(self, sequences: Iterable[Iterable[int]], *, skip_special_tokens: bool = False) -> list[str]:
        """The texts of several sequences of ids."""
        return [self.decode(each, skip_special_tokens=skip_special_tokens) for each in sequences]

    def save_pretrained(self, folder: str | Path) -> tuple[str]:
        """Writes the settings into a folder; returns the file's path."""
        path = Path(folder) / FILE
        path.parent.mkdir(parents=True, exist_ok=True)
        settings = {"padding_side": self.padding_side, "model_max_length": self.model_max_length}
        path.write_text(json.dumps({"tokenizer_class": type(self).__name__, **settings}) + "\n", encoding="utf-8")
        return (str(path),)

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> Utf8Bytes:
        """Reads what `save_pretrained` wrote.

        Raises:
            ValueError: The folder holds no such tokenizer.
        """
        path = Path(folder) / FILE
        try:
            settings = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ValueError(f"{folder} holds no tokenizer: {error}") from error
        if not isinstance(settings, dict) or settings.pop("tokenizer_class", None) != cls.__name__:
            raise ValueError(f"{path} is that of another tokenizer")
        return cls(**settings)


def _bytes(text: str) -> list[int]:
    if not isinstance(text, str):
        raise TypeError(f"a text is a string, not {text!r}")
    # A lone surrogate, which half of a broken emoji leaves behind, has no UTF-8 form.
    return list(text.encode("utf-8", "surrogatepass"))
