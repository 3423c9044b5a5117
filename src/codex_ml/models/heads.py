"""What a task asks of a model, as `config["head"]` tells it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from codex_ml.models.family import Family

__all__ = ["SPECIAL_IDS", "Head", "read_head"]

SPECIAL_IDS = ("pad_token_id", "bos_token_id", "eos_token_id")
"""The ids of a tokenizer that a model's config repeats."""

_CLASSES = {
    "sequence_classification": "AutoModelForSequenceClassification",
    "masked_lm": "AutoModelForMaskedLM",
    "causal_lm": "AutoModelForCausalLM",
}
_TASKS = {
    "sequence_classification": "task=classification",
    "masked_lm": "task=masked_lm",
    "causal_lm": "task=causal_lm or task=generation",
}


@dataclass(frozen=True)
class Head:
    """The head that a model is to have.

    Attributes:
        kind: `sequence_classification`, `masked_lm` or `causal_lm`.
        labels: The classes' names, all different; empty for another kind.
        vocab_size: How many tokens the named tokenizer has; None where the model brings its own.
        special: That tokenizer's special ids, as far as they are told.
    """

    kind: str
    labels: tuple[str, ...] = ()
    vocab_size: int | None = None
    special: Mapping[str, int | None] = field(default_factory=dict)

    def auto_class(self) -> Any:
        """The class of transformers that makes models with this head."""
        import transformers

        return getattr(transformers, _CLASSES[self.kind])


def read_head(told: Mapping[str, Any] | None, family: Family) -> Head:
    """The head that a task asks for.

    Args:
        told: `config["head"]`: `kind`, and `labels`, `num_labels`, `vocab_size` and the ids of `SPECIAL_IDS` where
            they apply.
        family: The model that is asked.

    Raises:
        ValueError: The model has no such head, or what is told does not fit together.
    """
    head = told or {}
    kind = head.get("kind")
    if kind not in family.heads:
        raise ValueError(_refusal(kind, family))
    size = head.get("vocab_size")
    if size is not None and (isinstance(size, bool) or not isinstance(size, int) or size < 1):
        raise ValueError(f"head: vocab_size must be a whole number, 1 or more, not {size!r}")
    special = {name: head[name] for name in SPECIAL_IDS if name in head} if size is not None else {}
    labels = _labels(head) if kind == "sequence_classification" else ()
    return Head(kind, labels, size, special)


def _refusal(kind: Any, family: Family) -> str:
    own = ", ".join(family.heads)
    tasks = " or ".join(_TASKS[each] for each in family.heads)
    other = family.elsewhere.get(kind) if isinstance(kind, str) else None
    choice = f"choose {other} for this task" if other else "choose another model for this task"
    return f"model {family.name} serves tasks with the head {own}, not {kind!r}: {choice}, or {tasks}"


def _labels(head: Mapping[str, Any]) -> tuple[str, ...]:
    labels = list(head.get("labels") or ())
    if not labels or head.get("num_labels", len(labels)) != len(labels):
        raise ValueError(f"head: {len(labels)} labels but num_labels={head.get('num_labels')}")
    names = [str(label) for label in labels]
    # Two labels may read alike (1 and "1"); transformers wants distinct strings.
    return tuple(names if len(set(names)) == len(names) else [repr(label) for label in labels])
