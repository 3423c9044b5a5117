"""Finding out before training whether the model fits the task: one record, once through."""

from __future__ import annotations

from typing import Any

from codex_ml.errors import CodexError, DataError, ModelError
from codex_ml.launch.assembly import Component
from codex_ml.launch.blame import blame, label
from codex_ml.launch.evaluation import evaluating
from codex_ml.launch.splits import Split

__all__ = ["check_vocabulary", "embedding_rows", "trial"]


def embedding_rows(model: Any) -> int | None:
    """How many token ids a model knows, or None where it doesn't say."""
    try:
        table = model.get_input_embeddings()
    except (AttributeError, NotImplementedError):
        return None
    rows = getattr(table, "num_embeddings", None)
    shape = getattr(getattr(table, "weight", None), "shape", None)
    return rows if isinstance(rows, int) else (int(shape[0]) if shape else None)


def trial(
    records: Split,
    *,
    task: Any,
    task_component: Component,
    model: Any,
    model_component: Component,
    tokenizer: Any,
    device: str,
) -> None:
    """Takes the loss of the first training example, in eval mode and without gradients.

    Raises:
        DataError: The records make no example.
        ModelError: The model doesn't fit the task or the tokenizer; the message names it.
    """
    with blame(task_component, "on tokenising"):
        example = next(iter(task.examples(iter(records), tokenizer, train=True)), None)
        if example is None:
            raise DataError(f"{label(task_component)} makes no example of the {records.name} split")
        batch = task.collate([example], tokenizer, train=True).to(device)
    check_vocabulary(model, tokenizer, batch.inputs.get("input_ids"), model_component)
    try:
        with evaluating(model):
            task.loss(model, batch)
    except DataError:
        raise
    except Exception as error:
        told = str(error) if isinstance(error, CodexError | TypeError) else f"{type(error).__name__}: {error}"
        raise ModelError(f"{label(model_component)} does not fit task={task_component.name}: {told}") from error


def check_vocabulary(model: Any, tokenizer: Any, ids: Any, component: Component) -> None:
    """Raises `ModelError` where a tokenizer or a batch's ids have more tokens than a model has rows for."""
    rows = embedding_rows(model)
    if rows is None:
        return
    size = len(tokenizer) if hasattr(tokenizer, "__len__") else 0
    greatest = int(ids.max()) if ids is not None and ids.numel() else -1
    if max(size, greatest + 1) > rows:
        has = f"has {size} tokens" if size > greatest else f"gives the token id {greatest}"
        raise ModelError(
            f"{label(component)} has an embedding of {rows} rows, and the tokenizer {has}: choose the tokenizer that "
            "the model was trained with, or a model with a larger vocabulary"
        )
