"""Any tokenizer that transformers can load."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from codex_addons.component import component
from codex_ml.pretrained import VOCABULARY_FILES

__all__ = ["HfTokenizerConfig", "hf"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class HfTokenizerConfig:
    """The options of the tokenizer `hf`."""

    tokenizer_name: str = field(metadata={"help": "Hub id, or a folder that save_pretrained wrote."})
    revision: str | None = field(default=None, metadata={"help": "Branch, tag or commit on the hub; null: main."})
    padding_side: Literal["left", "right"] | None = field(
        default=None, metadata={"help": "Where shorter texts are padded; null: as the tokenizer's files say."}
    )

    def __post_init__(self) -> None:
        if not isinstance(self.tokenizer_name, str) or not self.tokenizer_name.strip():
            raise ValueError(f"tokenizer.tokenizer_name must be a hub id or a folder, not {self.tokenizer_name!r}")
        if self.padding_side not in ("left", "right", None):
            raise ValueError(f"tokenizer.padding_side must be left, right or null, not {self.padding_side!r}")


@component(config=HfTokenizerConfig, requires=("transformers",), extra="train")
def hf(config: dict[str, Any]) -> Any:
    """Loads a tokenizer by `AutoTokenizer.from_pretrained`; code from the hub is never run.

    Args:
        config: The options of `HfTokenizerConfig`.

    Raises:
        ValueError: An option is wrong, or there is no such tokenizer.
        ImportError: transformers is missing.
    """
    options = _options(config)
    try:
        from transformers import AutoTokenizer
    except ImportError as error:
        raise ImportError(f"the tokenizer hf needs transformers ({error}): pip install 'codex-ml[train]'") from error

    source = _source(options.tokenizer_name)
    chosen: dict[str, Any] = {} if options.padding_side is None else {"padding_side": options.padding_side}
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            str(source),
            revision=options.revision or "main",
            trust_remote_code=False,
            local_files_only=isinstance(source, Path),
            **chosen,
        )
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(_unloadable(source, error)) from error
    log.info("tokenizer from %s", source)
    return tokenizer


def _options(config: dict[str, Any]) -> HfTokenizerConfig:
    known = [each.name for each in fields(HfTokenizerConfig)]
    if unknown := sorted(set(config) - set(known)):
        raise ValueError(f"tokenizer hf has no option {', '.join(unknown)}; it has {', '.join(known)}")
    if "tokenizer_name" not in config:
        raise ValueError("tokenizer hf needs tokenizer.tokenizer_name: a hub id or a folder")
    return HfTokenizerConfig(**config)


def _source(name: str) -> Path | str:
    folder = Path(name).expanduser()
    if not folder.is_dir():
        if name.count("/") > 1 or name.startswith((".", "/", "~")):
            raise ValueError(f"tokenizer.tokenizer_name: there is no folder {name}")
        return name
    # Without this check transformers makes an empty vocabulary of five tokens from a config.json alone.
    if not any((folder / file).is_file() for file in VOCABULARY_FILES):
        raise ValueError(f"tokenizer.tokenizer_name: {name} holds no tokenizer ({', '.join(VOCABULARY_FILES)})")
    return folder


def _unloadable(source: Path | str, error: Exception) -> str:
    reason = str(error).partition("\n")[0]
    if isinstance(source, Path):
        return f"tokenizer.tokenizer_name: cannot load {source}: {reason}"
    return (
        f"tokenizer.tokenizer_name: cannot get {source!r} from the Hugging Face hub or its cache: {reason} Check the "
        "name and the network, or give a local folder"
    )
