"""The factory of a convolutional text classifier, with its options."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from codex_addons import component

__all__ = ["TextCnnConfig", "text_cnn"]


@dataclass(frozen=True)
class TextCnnConfig:
    """The options of the model `text_cnn`."""

    width: int = field(default=64, metadata={"help": "Numbers in a token's vector."})
    filters: int = field(default=64, metadata={"help": "Filters of each length."})
    lengths: list[int] = field(default_factory=lambda: [2, 3, 4], metadata={"help": "The filters' lengths in tokens."})
    dropout: float = field(default=0.1, metadata={"help": "Share of the features left out in training."})
    device: str | None = field(default=None, metadata={"help": "cpu, cuda, cuda:1, ...; null: chosen by the launcher."})
    dtype: str | None = field(default=None, metadata={"help": "Number format of the weights; null: float32."})

    def __post_init__(self) -> None:
        whole = {"width": self.width, "filters": self.filters} | {f"lengths: {item}": item for item in self.lengths}
        for name, value in whole.items():
            if value < 1:
                raise ValueError(f"model.{name.partition(':')[0]} must be 1 or more, not {value}")
        if not self.lengths:
            raise ValueError("model.lengths must name at least one length")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"model.dropout must be at least 0 and below 1, not {self.dropout}")


@component(config=TextCnnConfig, requires=("torch",))
def text_cnn(config: dict[str, Any]) -> tuple[Any, None]:
    """Builds the classifier of Kim, "Convolutional Neural Networks for Sentence Classification", 2014, untrained.

    Args:
        config: The options of `TextCnnConfig`, and `head` with `num_labels` and the named tokenizer's `vocab_size`.

    Returns:
        The model on its device; it brings no tokenizer.

    Raises:
        ValueError: An option is wrong, the task wants no classifier, or no tokenizer is named.
        ImportError: torch is missing.
    """
    options = _options(config)
    head = config.get("head") or {}
    if head.get("kind") != "sequence_classification" or not head.get("num_labels"):
        raise ValueError(f"model text_cnn classifies whole texts; the task wants {head.get('kind')!r}")
    if not head.get("vocab_size"):
        raise ValueError("model text_cnn brings no tokenizer: name one, such as tokenizer=utf8_bytes")
    try:
        import torch
    except ImportError as error:
        raise ImportError("model text_cnn needs torch: pip install codex-example-text-cnn") from error
    from text_cnn.network import TextCnn

    dtype = getattr(torch, options.dtype or "float32", None)
    if not isinstance(dtype, torch.dtype):
        raise ValueError(f"model.dtype: torch has no {options.dtype!r}")
    network = TextCnn(
        head["vocab_size"],
        head["num_labels"],
        width=options.width,
        filters=options.filters,
        lengths=options.lengths,
        dropout=options.dropout,
    )
    return network.to(device=options.device or "cpu", dtype=dtype), None


def _options(config: dict[str, Any]) -> TextCnnConfig:
    known = {each.name for each in fields(TextCnnConfig)}
    if unknown := sorted(set(config) - known - {"head"}):
        raise ValueError(f"model text_cnn has no option {', '.join(unknown)}; it has {', '.join(sorted(known))}")
    return TextCnnConfig(**{key: value for key, value in config.items() if key in known})
