"""Decoders that give a text the same logits whatever it is padded with, and on which side."""

from __future__ import annotations

import inspect
from typing import Any

__all__ = ["heed_padding"]


def heed_padding(model: Any, *, classifies: bool, told: bool) -> None:
    """Lets a decoder count positions from a text's first token, and find its last, by the attention mask.

    transformers counts positions from the start of the row where it is not told them, and a classifier takes the last
    token that is not `pad_token_id` for the text's last, whatever the mask says. What is given already stays, and a
    batch that is padded on the right, with that id, gets the logits that it gets without this.

    Args:
        model: A decoder of transformers.
        classifies: Whether its logits are those of the text's last token.
        told: Whether its config has the tokenizer's `pad_token_id`; else a classifier's gets it from the first padding
            that it sees, so that what is saved treats padding as it was treated in training.
    """
    takes_positions = "position_ids" in inspect.signature(type(model).forward).parameters
    model.register_forward_pre_hook(_Padding(takes_positions, classifies, told), with_kwargs=True)


# A class of the module, not a closure, so that the model can be copied and pickled.
class _Padding:
    def __init__(self, takes_positions: bool, classifies: bool, told: bool) -> None:
        self.takes_positions = takes_positions
        self.classifies = classifies
        self.told = told

    def __call__(self, model: Any, args: tuple[Any, ...], given: dict[str, Any]) -> tuple[tuple[Any, ...], Any] | None:
        import torch

        mask, ids = given.get("attention_mask"), given.get("input_ids")
        # With a cache the mask is longer than the tokens, and generation gives the positions.
        if mask is None or ids is None or mask.shape != ids.shape or given.get("past_key_values") is not None:
            return None
        changed = dict(given)
        if self.takes_positions and given.get("position_ids") is None:
            first = mask.long().argmax(-1, keepdim=True)  # [batch, 1]
            changed["position_ids"] = (torch.arange(ids.shape[-1], device=ids.device) - first).clamp(min=0)
        if self.classifies:
            if not self.told:
                self._learn(model, ids[mask == 0])
            changed["input_ids"] = ids.masked_fill(mask == 0, model.config.pad_token_id)
        return args, changed

    def _learn(self, model: Any, padding: Any) -> None:
        if padding.numel() and padding.device.type != "meta":
            model.config.pad_token_id, self.told = int(padding[0]), True
