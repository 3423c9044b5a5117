"""Any tokenizer that transformers can load, and byte-level BPE and WordPiece trained from a corpus."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from codex_addons.component import component
from codex_ml.tokenizers import hf_training
from codex_ml.tokenizers.corpus import ENDINGS, corpus_of, wrong_corpus
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
        metadata={"help": "Corpus to train from: .txt, .jsonl, .csv, .tsv or .parquet; files, folders or globs."},
    )
    train_column: str | list[str] = field(
        default="text", metadata={"help": "The column of the texts, or several; .txt files have a text a line."}
    )
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
        name = self.tokenizer_name
        if name is not None and not (isinstance(name, str) and name.strip()):
            raise ValueError(f"tokenizer.tokenizer_name must be a hub id or a folder, not {name!r}")
        if (name is None) == (not self.train_files):
            raise ValueError(f"{_NEEDS}, and {'both are' if self.train_files else 'neither is'} given")
        # What a sample's name stands for is told later.
        if name is not None and "://" not in name:
            source_of(name)
        for wrong in wrong_corpus(self.train_files, self.train_column):
            raise ValueError(wrong)
        for option, allowed in _CHOICES.items():
            if getattr(self, option) not in allowed:
                told = " or ".join("null" if each is None else each for each in allowed)
                raise ValueError(f"tokenizer.{option} must be {told}, not {getattr(self, option)!r}")
        for option, least in (("vocab_size", 1), ("min_frequency", 0), ("model_max_length", 1)):
            value = getattr(self, option)
            if value is not None and (not isinstance(value, int) or value < least):
                raise ValueError(f"tokenizer.{option} must be a whole number from {least}, not {value!r}")


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

    corpus = corpus_of(options.train_files or [], options.train_column)
    choices = {
        "algorithm": options.algorithm,
        "vocab_size": options.vocab_size,
        "min_frequency": options.min_frequency,
        "lowercase": options.lowercase and options.algorithm == "wordpiece",
    }
    with trained(
        corpus.key | choices | {"library": f"tokenizers {tokenizers.__version__}"},
        lambda folder: hf_training.train(corpus.texts, folder, **choices),
    ) as folder:
        return from_source(folder, "main", chosen, only_cache=True)
