"""Accuracy that can leave out a label, such as the one that stands for "none of these"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["custom_accuracy"]


def custom_accuracy(predictions: Sequence[Any], labels: Sequence[Any], *, ignore: str | None = None) -> float:
    """The share of right predictions, 0 to 1, among the records whose label is not `ignore`.

    Args:
        predictions: One a record.
        labels: As many.
        ignore: The label to leave out; None leaves out none.

    Raises:
        ValueError: The lengths differ, or no record is left.
    """
    if len(predictions) != len(labels):
        raise ValueError(f"{len(predictions)} predictions for {len(labels)} labels")
    counted = [(p, t) for p, t in zip(predictions, labels, strict=True) if ignore is None or t != ignore]
    if not counted:
        raise ValueError(f"no record is left without the label {ignore!r}" if labels else "there are no records")
    return sum(p == t for p, t in counted) / len(counted)


custom_accuracy.__codex_api__ = "v1"
custom_accuracy.__codex_meta__ = {"input": "labels", "greater_is_better": True, "scale": "0-1"}
