"""Any tokenizer that transformers can load, and byte-level BPE and WordPiece trained from a corpus."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from codex_addons.component import component
from codex_ml.tokenizers import hf_training
from codex_ml.tokenizers.corpus import ENDINGS, corpus_digest, corpus_files, training_texts
from codex_ml.tokenizers.hf_loading import from_file, from_source, source_of
from codex_ml.tokenizers.training_cache import trained

__all__ = ["HfTokenizerConfig", "hf"]

log = logging.getLogger(__name__)

_CHOICES = {
    "algorithm": ("bpe", "wordpiece"),
    "padding_side": ("left", "right", None),
    "truncation_side": ("left", "right", None),
}
_NEEDS = (
    "tokenizer hf needs tokenizer.tokenizer_name (a hub id, a folder or a tokenizer.json) or tokenizer.train_files (a "
    "corpus), one of the two"
)


@dataclass(frozen=True)
class HfTokenizerConfig:
    """The options of the tokenizer `hf`."""

    tokenizer_name: str | None = field(
        default=None,
        metadata={"help": "Hub id, a folder that save_pretrained wrote, or a tokenizer.json; null: train_files."},
    )
    revision: str | None = field(default=None, metadata={"help": "Branch, tag or commit on the hub; null: main."})
    local_files_only: bool = field(
        default=False, metadata={"help": "Whether only the hub's cache is asked, never the network."}
    )
    train_files: str | list[str] | None = field(
        default=None,
        metadata={"help": "Corpus to train from: .txt with one text a line or .jsonl; files, folders or globs."},
    )
    train_column: str = field(default="text", metadata={"help": "The text's key in .jsonl files."})
    algorithm: Literal["bpe", "wordpiece"] = field(
        default="bpe", metadata={"help": "What is trained: bpe is byte-level as GPT-2's, wordpiece as BERT's."}
    )
    vocab_size: int = field(default=8000, metadata={"help": "Tokens to learn at most, special ones included."})
    min_frequency: int = field(default=2, metadata={"help": "How often a pair must be seen to become a token."})
    lowercase: bool = field(
        default=True, metadata={"help": "Whether a trained wordpiece lowers the case and strips accents."}
    )
    model_max_length: int | None = field(
        default=None, metadata={"help": "Tokens that truncation keeps unless told otherwise; null: as the files say."}
    )
    padding_side: Literal["left", "right"] | None = field(
        default=None, metadata={"help": "Where shorter texts are padded; null: as the tokenizer's files say."}
    )
    truncation_side: Literal["left", "right"] | None = field(
        default=None, metadata={"help": "Where longer texts are cut; null: as the tokenizer's files say."}
    )

    def __post_init__(self) -> None:
        if self.tokenizer_name is not None and not (
            isinstance(self.tokenizer_name, str) and self.tokenizer_name.strip()
        ):
            raise ValueError(f"tokenizer.tokenizer_name must be a hub id or a folder, not {self.tokenizer_name!r}")
        if (self.tokenizer_name is None) == (not self.train_files):
            raise ValueError(f"{_NEEDS}, and {'both are' if self.train_files else 'neither is'} given")
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                told = " or ".join("null" if each is None else each for each in allowed)
                raise ValueError(f"tokenizer.{name} must be {told}, not {getattr(self, name)!r}")
        for name, least in (("vocab_size", 1), ("min_frequency", 0), ("model_max_length", 1)):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int) or value < least):
                raise ValueError(f"tokenizer.{name} must be a whole number from {least}, not {value!r}")


@component(
    config=HfTokenizerConfig,
    requires=("transformers",),
    uses=("tokenizers",),
    extra="train",
    files={"train_files": ENDINGS},
)
def hf(config: dict[str, Any]) -> Any:
    """Loads a tokenizer by `AutoTokenizer.from_pretrained`, or trains one; code from the hub is never run.

    Args:
        config: The options of `HfTokenizerConfig`.

    Raises:
        ValueError: An option is wrong, there is no such tokenizer or corpus, or the corpus cannot be learnt from.
        ImportError: transformers is missing.
    """
    options = _options(config)
    try:
        import transformers  # noqa: F401 asked before a corpus is read
    except ImportError as error:
        raise ImportError(f"the tokenizer hf needs transformers ({error}): pip install 'codex-ml[train]'") from error

    names = ("model_max_length", "padding_side", "truncation_side")
    chosen = {name: value for name in names if (value := getattr(options, name)) is not None}
    if options.tokenizer_name is None:
        return _trained(options, chosen)
    source = source_of(options.tokenizer_name)
    if isinstance(source, Path) and source.is_file():
        tokenizer = from_file(source, chosen)
    else:
        tokenizer = from_source(source, options.revision or "main", chosen, only_cache=options.local_files_only)
    log.info("tokenizer from %s", source)
    return tokenizer


def _options(config: dict[str, Any]) -> HfTokenizerConfig:
    known = [each.name for each in fields(HfTokenizerConfig)]
    if unknown := sorted(set(config) - set(known)):
        raise ValueError(f"tokenizer hf has no option {', '.join(unknown)}; it has {', '.join(known)}")
    return HfTokenizerConfig(**config)


def _trained(options: HfTokenizerConfig, chosen: dict[str, Any]) -> Any:
    import tokenizers

    files = corpus_files(options.train_files or [])
    choices = {
        "algorithm": options.algorithm,
        "vocab_size": options.vocab_size,
        "min_frequency": options.min_frequency,
        "lowercase": options.lowercase and options.algorithm == "wordpiece",
    }
    key = {"corpus": corpus_digest(files), "column": options.train_column, **choices}
    with trained(
        key | {"library": f"tokenizers {tokenizers.__version__}"},
        lambda folder: hf_training.train(lambda: training_texts(files, options.train_column), folder, **choices),
    ) as folder:
        return from_source(folder, "main", chosen, only_cache=True)
