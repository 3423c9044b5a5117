"""The names that are part of the public API.

None of them is removed or changed without a deprecation that spans at least two minor releases.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["ALL_REGISTRY_NAMES", "get_all_stable_names", "get_description", "is_stable_name"]

_DESCRIPTIONS: dict[str, dict[str, str]] = {
    "metrics": {
        "token_accuracy": "The share of target tokens that are predicted exactly, ignored positions left out.",
        "ppl": "Perplexity: exp of the mean negative log-likelihood per token; lower is better.",
        "exact_match": "The share of predictions that equal their reference, or one of several.",
        "f1": "F1 score of predicted labels: the harmonic mean of precision and recall.",
        "bleu": "Corpus BLEU: n-gram precision of generated text against references, with a brevity penalty.",
        "rouge": "ROUGE: overlap of n-grams or of the longest common subsequence with reference text.",
    },
    "models": {
        "minilm": "MiniLM, a small sentence encoder that also trains on a CPU.",
        "bert_base_uncased": "BERT base, uncased: a bidirectional encoder of 110 million weights.",
        "gpt2": "GPT-2: a causal language model.",
    },
    "data_loaders": {
        "lines": "Text files, one record a line.",
        "jsonl": "JSON Lines files, one object a line.",
        "csv": "CSV files with a header line.",
        "parquet": "Parquet files, read in batches of rows.",
    },
    "tokenizers": {
        "hf": "Any tokenizer in the Hugging Face format.",
        "sentencepiece": "A SentencePiece model file.",
    },
    "trainers": {
        "functional": "A plain training loop in PyTorch that resumes bit for bit.",
        "hf_trainer": "The Trainer of transformers.",
    },
}

ALL_REGISTRY_NAMES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {kind: tuple(names) for kind, names in _DESCRIPTIONS.items()}
)
"""The stable names of each registry kind, read-only."""


def get_all_stable_names() -> dict[str, list[str]]:
    """The stable names of each registry kind: a copy, the caller's to change."""
    return {kind: list(names) for kind, names in ALL_REGISTRY_NAMES.items()}


def is_stable_name(kind: str, name: str) -> bool:
    """Whether a name of a registry kind, such as `metrics`, is stable; an unknown kind has no stable names."""
    return name in ALL_REGISTRY_NAMES.get(kind, ())


def get_description(kind: str, name: str) -> str | None:
    """What a stable name stands for, in one line; None for any other name."""
    return _DESCRIPTIONS.get(kind, {}).get(name)
