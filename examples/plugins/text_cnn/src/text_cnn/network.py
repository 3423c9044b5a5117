"""The network itself, in a module of its own: listing and checking models must not import torch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["TextCnn"]


class TextCnn(nn.Module):
    """Filters slide over the token vectors; what each matches best, anywhere, decides the label.

    Padding changes nothing: a filter never starts on it, and beyond a text's end it sees zeros with padding or without.
    """

    def __init__(
        self, rows: int, num_labels: int, *, width: int, filters: int, lengths: Sequence[int], dropout: float
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(rows, width)
        self.filters = nn.ModuleList(nn.Conv1d(width, filters, length) for length in lengths)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(filters * len(lengths), num_labels)

    def get_input_embeddings(self) -> nn.Embedding:
        """The token vectors, by which a run checks that the tokenizer fits."""
        return self.embedding

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None) -> Tensor:
        """Gives the logits, [batch, labels], of token ids, [batch, length]; segments make no difference."""
        real = attention_mask.bool().unsqueeze(1)  # [batch, 1, length]
        vectors = self.embedding(input_ids).transpose(1, 2) * real  # [batch, width, length]
        features = []
        for convolution in self.filters:
            matches = convolution(functional.pad(vectors, (0, convolution.kernel_size[0] - 1)))
            lowest = torch.finfo(matches.dtype).min
            features.append(matches.masked_fill(~real, lowest).amax(-1).relu())  # [batch, filters]
        return self.classifier(self.dropout(torch.cat(features, dim=1)))
