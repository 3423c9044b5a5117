"""What the checks of a model look at more than once, or at length."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from codex_addons.component import meta_of
from codex_ml import registries
from codex_ml.launch.assembly import Component
from codex_ml.testing.expectation import check

__all__ = ["alike", "batch_of", "check_causal", "language_parts", "places"]

# What float32 leaves open when the same numbers are added in another order, as a share of the greatest logit.
_TOLERANCE = 1e-5
_LENGTH = 16


def alike(logits: Any, others: Any) -> bool:
    """Whether two tensors of logits are the same but for rounding."""
    import torch

    return torch.allclose(logits, others, rtol=0, atol=_TOLERANCE * float(logits.abs().max()))


def places(model: Any) -> list[tuple[str, str]]:
    """The name and the kind of device of each parameter and buffer."""
    return [(name, each.device.type) for name, each in (*model.named_parameters(), *model.named_buffers())]


def batch_of(texts: Sequence[str], tokenizer: Any, *, padding: int = 0) -> dict[str, Any]:
    """Texts as a model gets them: `input_ids` and `attention_mask`, each [texts, length].

    Args:
        texts: What is tokenised.
        tokenizer: What with; padding stands on its side.
        padding: So many tokens of padding beside what the shorter texts need.
    """
    import torch

    rows = [tokenizer(text, truncation=True, max_length=_LENGTH)["input_ids"] for text in texts]
    width = max(map(len, rows)) + padding
    left = getattr(tokenizer, "padding_side", "right") == "left"
    ids = torch.full((len(rows), width), getattr(tokenizer, "pad_token_id", None) or 0)
    mask = torch.zeros_like(ids)
    for number, row in enumerate(rows):
        where = slice(width - len(row), width) if left else slice(0, len(row))
        ids[number, where] = torch.tensor(row)
        mask[number, where] = 1
    return {"input_ids": ids, "attention_mask": mask}


def check_causal(named: str, inputs: Mapping[str, Any], logits_for: Callable[[Mapping[str, Any]], Any]) -> None:
    """Another token leaves the logits before it as they are.

    Args:
        named: What to call the model.
        inputs: A batch.
        logits_for: The logits of a batch, [texts, length, vocabulary].
    """
    import torch

    ids, mask = inputs["input_ids"], inputs["attention_mask"].bool()
    logits = logits_for(inputs)
    one, another = ids[mask].unique()[:2]
    for place in range(1, ids.shape[1]):
        changed = ids.clone()
        changed[:, place] = torch.where(ids[:, place] == one, another, one)
        others = logits_for({**inputs, "input_ids": torch.where(mask, changed, ids)})
        before = mask[:, :place]
        told = f"{named} gives other logits for the tokens before one that changes, the {place + 1}th"
        check(
            alike(logits[:, :place][before], others[:, :place][before]),
            f"{told}: a model with the head causal_lm may not see what it is to predict; mask what comes later",
        )


def language_parts(kind: str) -> dict[str, Any]:
    """The parts of a run that trains a language model, by the kind of its head; the task has the same name."""
    options = {"block_size": _LENGTH, **({"add_eos": False} if kind == "causal_lm" else {})}
    return {"task": _registered("task", kind, options), "metrics": (_registered("metric", "token_accuracy", {}),)}


def _registered(kind: str, name: str, options: Mapping[str, Any]) -> Component:
    factory = registries.load(kind, name)
    return Component(kind, name, name, dict(options), factory, registries.find(kind, name), meta_of(factory))
