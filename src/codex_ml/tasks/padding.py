"""Rows of tokens of different lengths as one tensor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["padded", "padded_inputs"]


def padded(rows: Sequence[Sequence[int]], fill: int, *, left: bool = False) -> Tensor:
    """int64 [rows, length of the longest], shorter rows filled up at the end, or with `left` at the beginning."""
    import torch

    width = max(map(len, rows))
    filled = torch.full((len(rows), width), fill, dtype=torch.int64)
    for row, values in enumerate(rows):
        where = slice(width - len(values), width) if left else slice(0, len(values))
        filled[row, where] = torch.tensor(values, dtype=torch.int64)
    return filled


def padded_inputs(rows: Sequence[Sequence[int]], fill: int, *, left: bool = False) -> dict[str, Tensor]:
    """`input_ids` and `attention_mask`, both int64 [rows, length of the longest]."""
    masks = [[1] * len(row) for row in rows]
    return {"input_ids": padded(rows, fill, left=left), "attention_mask": padded(masks, 0, left=left)}
