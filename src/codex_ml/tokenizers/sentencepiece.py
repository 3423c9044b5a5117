"""SentencePiece models, read from a file or trained from a corpus."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from codex_addons.component import component
from codex_ml.tokenizers.corpus import ENDINGS, corpus_of, wrong_corpus
from codex_ml.tokenizers.sentencepiece_training import MODEL, train
from codex_ml.tokenizers.training_cache import trained

__all__ = ["SentencePieceConfig", "sentencepiece"]

log = logging.getLogger(__name__)

_PATTERNS = {(False, False): "none", (True, False): "bos", (False, True): "eos", (True, True): "bos_eos"}
# The names of pieces that stand for nothing in a text, in the models of Google, Meta and others.
_NAMED = {"mask_token": ("<mask>", "[MASK]"), "cls_token": ("[CLS]", "<cls>"), "sep_token": ("[SEP]", "<sep>")}
_PADS = ("<pad>", "[PAD]")
_NEEDS = "tokenizer sentencepiece needs tokenizer.model_file or tokenizer.train_files, one of the two"


@dataclass(frozen=True)
class SentencePieceConfig:
    """The options of the tokenizer `sentencepiece`."""

    model_file: str | None = field(
        default=None, metadata={"help": "A .model file, or a folder with one; null: train from train_files."}
    )
    train_files: str | list[str] | None = field(
        default=None,
        metadata={"help": "Corpus to train from: .txt, .jsonl, .csv, .tsv or .parquet; files, folders or globs."},
    )
    train_column: str | list[str] = field(
        default="text", metadata={"help": "The column of the texts, or several; .txt files have a text a line."}
    )
    vocab_size: int = field(default=8000, metadata={"help": "Tokens to learn, special ones included."})
    model_type: Literal["unigram", "bpe", "char", "word"] = field(
        default="unigram", metadata={"help": "What is learnt."}
    )
    character_coverage: float = field(
        default=0.9995, metadata={"help": "Share of the corpus's characters to keep; 1.0 where the alphabet is small."}
    )
    byte_fallback: bool = field(
        default=False, metadata={"help": "Whether a character without a token is written as its UTF-8 bytes."}
    )
    normalization: Literal["nmt_nfkc", "nfkc", "nmt_nfkc_cf", "nfkc_cf", "identity"] = field(
        default="nmt_nfkc",
        metadata={
            "help": "How texts are normalized first; cf: with case folding; identity: not at all, spaces are kept."
        },
    )
    train_texts: int = field(
        default=1_000_000, metadata={"help": "Texts that training holds in memory; of more, a random sample."}
    )
    add_bos_token: bool = field(default=False, metadata={"help": "Whether a text begins with the begin token."})
    add_eos_token: bool = field(default=True, metadata={"help": "Whether a text ends with the end token."})
    split_special_tokens: bool = field(
        default=True,
        metadata={
            "help": "Whether `</s>` in a text is plain text, as it is for SentencePiece; false: it is the token."
        },
    )
    mask_token: str | None = field(
        default=None, metadata={"help": "The mask token, added where the model has none; null: as the model has it."}
    )
    model_max_length: int | None = field(
        default=None, metadata={"help": "Tokens that truncation keeps unless told otherwise; null: no limit."}
    )
    padding_side: Literal["left", "right"] = field(
        default="right", metadata={"help": "Where shorter texts are padded."}
    )
    truncation_side: Literal["left", "right"] = field(default="right", metadata={"help": "Where longer texts are cut."})

    def __post_init__(self) -> None:
        if bool(self.model_file) == bool(self.train_files):
            raise ValueError(f"{_NEEDS}, and {'both are' if self.train_files else 'neither is'} given")
        for wrong in wrong_corpus(self.train_files, self.train_column):
            raise ValueError(wrong)
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"tokenizer.{name} must be {', '.join(allowed)}, not {getattr(self, name)!r}")
        for name in ("vocab_size", "train_texts", "model_max_length"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int) or value < 1):
                raise ValueError(f"tokenizer.{name} must be at least 1, not {value!r}")
        if not 0.98 <= self.character_coverage <= 1.0:
            raise ValueError(f"tokenizer.character_coverage must be from 0.98 to 1, not {self.character_coverage!r}")


_CHOICES = {
    "model_type": ("unigram", "bpe", "char", "word"),
    "normalization": ("nmt_nfkc", "nfkc", "nmt_nfkc_cf", "nfkc_cf", "identity"),
    "padding_side": ("left", "right"),
    "truncation_side": ("left", "right"),
}


@component(
    config=SentencePieceConfig,
    requires=("sentencepiece", "transformers"),
    extra="sentencepiece",
    files={"train_files": ENDINGS, "model_file": (".model",)},
)
def sentencepiece(config: dict[str, Any]) -> Any:
    """Gives a SentencePiece model the transformers call interface; the ids are SentencePiece's own.

    Trained with `normalization=identity byte_fallback=true` it gives every text back as it was, but for "▁" (U+2581),
    which is SentencePiece's space and comes back as one. Else normalization joins spaces and drops those at the ends.
    In either case a text begins with a space of SentencePiece's, so that a word there has the ids that it has
    elsewhere; `decode` drops one space from what it begins with, be it the start of a text or a part of it.

    What `save_pretrained` writes is read by `AutoTokenizer` without this package and gives the same ids, but `decode`
    there strips texts and shows byte pieces as "<0xE2>": to decode, load the folder by `model_file` or
    `codex_ml.tokenizers.sentencepiece_tokenizer.SentencePieceTokenizer.from_pretrained`.

    Args:
        config: The options of `SentencePieceConfig`.

    Raises:
        ValueError: An option is wrong, there is no such file or no model in it, or the corpus cannot be learnt from.
        ImportError: sentencepiece or transformers is missing.
    """
    options = _options(config)
    try:
        import sentencepiece as _  # noqa: F401 asked first, as transformers would only tell on calling

        from codex_ml.tokenizers.sentencepiece_tokenizer import SentencePieceTokenizer as Wrapped
    except ImportError as error:
        told = f"the tokenizer sentencepiece needs sentencepiece and transformers ({error})"
        raise ImportError(f"{told}: pip install 'codex-ml[sentencepiece]'") from error

    if options.model_file:
        return _wrapped(Wrapped, _model_file(options.model_file), options)
    corpus = corpus_of(options.train_files or [], options.train_column)
    choices = {
        "vocab_size": options.vocab_size,
        "model_type": options.model_type,
        "character_coverage": options.character_coverage,
        "byte_fallback": options.byte_fallback,
        "normalization_rule_name": options.normalization,
        # Spaces at the ends and doubled ones are part of a text that is not normalized.
        "remove_extra_whitespaces": options.normalization != "identity",
    }
    with trained(
        corpus.key | choices | {"sample": options.train_texts} | _version(),
        lambda folder: train(corpus.texts(), folder, sample=options.train_texts, **choices),
    ) as folder:
        return _wrapped(Wrapped, folder / MODEL, options)


def _options(config: dict[str, Any]) -> SentencePieceConfig:
    known = [each.name for each in fields(SentencePieceConfig)]
    if unknown := sorted(set(config) - set(known)):
        raise ValueError(f"tokenizer sentencepiece has no option {', '.join(unknown)}; it has {', '.join(known)}")
    return SentencePieceConfig(**config)


def _version() -> dict[str, str]:
    from sentencepiece import __version__

    return {"library": f"sentencepiece {__version__}"}


def _model_file(name: str) -> Path:
    path = Path(name).expanduser()
    if path.is_dir():
        found = [path / each for each in (MODEL, "spiece.model", "sentencepiece.bpe.model") if (path / each).is_file()]
        if not found:
            raise ValueError(f"tokenizer.model_file: the folder {path} holds no {MODEL}")
        return found[0]
    if not path.is_file():
        raise ValueError(f"tokenizer.model_file: there is no file {path}")
    return path


def _wrapped(kind: Any, path: Path, options: SentencePieceConfig) -> Any:
    processor = _processor(path)
    limit = {} if options.model_max_length is None else {"model_max_length": options.model_max_length}
    special = _special_tokens(processor, options)
    for name, wanted in (("bos", options.add_bos_token), ("eos", options.add_eos_token)):
        if wanted and f"{name}_token" not in special:
            raise ValueError(f"tokenizer.model_file: {path} has no {name} token: set tokenizer.add_{name}_token=false")
    log.info("tokenizer from %s: %d pieces", path, processor.get_piece_size())
    return kind(
        vocab_file=str(path),
        special_tokens_pattern=_PATTERNS[options.add_bos_token, options.add_eos_token],
        split_special_tokens=options.split_special_tokens,
        padding_side=options.padding_side,
        truncation_side=options.truncation_side,
        clean_up_tokenization_spaces=False,
        model_input_names=["input_ids", "attention_mask"],
        **limit,
        **special,
    )


def _processor(path: Path) -> Any:
    from sentencepiece import SentencePieceProcessor

    processor = SentencePieceProcessor()
    try:
        processor.LoadFromSerializedProto(path.read_bytes())
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"tokenizer.model_file: {path} is no SentencePiece model") from error
    return processor


def _special_tokens(processor: Any, options: SentencePieceConfig) -> dict[str, str]:
    """The model's own special pieces by what transformers calls them, and a padding token in any case."""
    special: dict[str, str] = {}
    for name in ("unk", "bos", "eos", "pad"):
        number = getattr(processor, f"{name}_id")()
        if number >= 0:
            special[f"{name}_token"] = processor.id_to_piece(number)
    pieces = {name: [each for each in known if _is_special(processor, each)] for name, known in _NAMED.items()}
    special |= {name: found[0] for name, found in pieces.items() if found}
    pads = [each for each in _PADS if _is_special(processor, each)]
    special.setdefault("pad_token", pads[0] if pads else _PADS[0])
    return special | ({"mask_token": options.mask_token} if options.mask_token else {})


def _is_special(processor: Any, piece: str) -> bool:
    number = processor.piece_to_id(piece)
    # An unknown piece has the unknown token's id; one that a text may hold stands for text.
    return processor.id_to_piece(number) == piece and (
        processor.is_control(number) or processor.encode(piece) == [number]
    )
