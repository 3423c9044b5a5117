"""The factory of the byte tokenizer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["Utf8BytesConfig", "utf8_bytes"]


@dataclass(frozen=True)
class Utf8BytesConfig:
    """The options of the tokenizer `utf8_bytes`."""

    folder: str | None = field(default=None, metadata={"help": "What save_pretrained wrote; its settings win."})
    padding_side: Literal["left", "right"] = field(default="right", metadata={"help": "Where short texts are padded."})
    model_max_length: int | None = field(default=None, metadata={"help": "The longest text in bytes; null: no limit."})


def utf8_bytes(config: dict[str, Any]) -> Any:
    """Builds a tokenizer that takes the bytes of UTF-8 for tokens.

    Args:
        config: The options of `Utf8BytesConfig`.

    Raises:
        ValueError: An option is wrong, or the folder holds no such tokenizer.
    """
    from utf8_bytes.tokenizer import Utf8Bytes

    try:
        options = Utf8BytesConfig(**config)
    except TypeError as error:
        raise ValueError(f"tokenizer utf8_bytes: {error}") from None
    if options.folder is not None:
        return Utf8Bytes.from_pretrained(options.folder)
    return Utf8Bytes(padding_side=options.padding_side, model_max_length=options.model_max_length)


utf8_bytes.__codex_api__ = "v1"
utf8_bytes.__codex_config__ = Utf8BytesConfig
