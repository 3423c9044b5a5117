"""Texts that a model goes on with, by its own `generate`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from codex_ml.errors import ModelError
from codex_ml.tasks.limits import unwrapped
from codex_ml.tasks.padding import padded_inputs

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Decoding", "Method", "check_generates", "continuations"]

Method = Literal["greedy", "beam", "sampling"]


@dataclass(frozen=True)
class Decoding:
    """How the next token is chosen.

    Attributes:
        method: `greedy` takes the likeliest token, `beam` the likeliest text that `num_beams` beams find, `sampling`
            draws one.
        max_new_tokens: Tokens of a continuation at most.
        num_beams: Beams of `beam`.
        temperature: What `sampling` divides the logits by.
        top_k: How many of the likeliest tokens `sampling` draws from; 0 for all.
        top_p: It draws from the likeliest tokens that have this probability together; 1 for all.
    """

    method: Method
    max_new_tokens: int
    num_beams: int = 4
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0


def check_generates(model: Any) -> None:
    """Refuses a model that cannot go on with a prompt.

    Raises:
        ModelError: It has no `generate`, or is an encoder-decoder.
    """
    model = unwrapped(model)
    if not callable(getattr(model, "generate", None)):
        raise ModelError(
            f"a {type(model).__name__} has no `generate`: task=generation needs a causal language model of "
            "transformers, such as model=gpt2; task=causal_lm needs none"
        )
    if getattr(getattr(model, "config", None), "is_encoder_decoder", False):
        raise ModelError(
            f"a {type(model).__name__} has an encoder and a decoder: task=generation trains causal language models, "
            "such as model=gpt2"
        )


def continuations(
    model: Any, prompts: Sequence[Sequence[int]], decoding: Decoding, *, pad: int, end: int, chances: Any, device: Any
) -> list[list[int]]:
    """The tokens that follow each prompt, up to and with the end token where that comes; at least one.

    What else is in the batch changes nothing, but for rounding. Nothing is drawn from torch's random state.

    Args:
        model: A causal language model of transformers.
        prompts: Token ids.
        decoding: How the next token is chosen.
        pad: The padding token.
        end: The end token.
        chances: For `sampling` a number from 0 to 1 for each prompt and step, float32 [prompts, max_new_tokens].
        device: Where the model is.
    """
    import torch
    from transformers import GenerationConfig

    inputs = {key: value.to(device) for key, value in padded_inputs(prompts, pad, left=True).items()}
    width = inputs["input_ids"].shape[1]
    settings: dict[str, Any] = {
        "do_sample": False,
        "num_beams": decoding.num_beams if decoding.method == "beam" else 1,
        "max_new_tokens": decoding.max_new_tokens,
        "eos_token_id": end,
        "pad_token_id": pad,
    }
    processors = _sampling(decoding, chances, width) if decoding.method == "sampling" else None
    model = unwrapped(model)
    with torch.no_grad(), _without_own_settings(model):
        found = model.generate(**inputs, generation_config=GenerationConfig(**settings), logits_processor=processors)
    return [_until(row, end) for row in found[:, width:].tolist()]


def _until(row: list[int], end: int) -> list[int]:
    return row[: row.index(end) + 1] if end in row else row


@contextmanager
def _without_own_settings(model: Any) -> Iterator[None]:
    """Puts aside what `generation_config.json` says, which `generate` would add to what it is given."""
    from transformers import GenerationConfig

    holders = [module for module in model.modules() if "generation_config" in vars(module)]
    kept = [module.generation_config for module in holders]
    try:
        for module in holders:
            module.generation_config = GenerationConfig()
        yield
    finally:
        for module, own in zip(holders, kept, strict=True):
            module.generation_config = own


def _sampling(decoding: Decoding, chances: Any, width: int) -> Any:
    from transformers import LogitsProcessorList, TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

    steps: list[Any] = []
    if decoding.temperature != 1:
        steps.append(TemperatureLogitsWarper(float(decoding.temperature)))
    if decoding.top_k:
        steps.append(TopKLogitsWarper(decoding.top_k))
    if decoding.top_p < 1:
        steps.append(TopPLogitsWarper(decoding.top_p))
    return LogitsProcessorList([*steps, _Drawn(chances, width)])


class _Drawn:
    """Leaves of the logits the one token that a chance falls on, so that the likeliest is one drawn from them.

    torch's own draw would make a text depend on what else is in its batch.
    """

    def __init__(self, chances: Any, width: int) -> None:
        self._chances, self._width = chances, width

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        import torch

        chance = torch.as_tensor(self._chances[:, input_ids.shape[1] - self._width], dtype=torch.float64)
        # On the CPU, as not every device has float64; [batch, vocabulary].
        rising = scores.detach().to("cpu", torch.float64).softmax(-1).cumsum(-1)
        chosen = torch.searchsorted(rising, (chance * rising[:, -1]).unsqueeze(-1), right=True)
        return torch.full_like(scores, -torch.inf).scatter(-1, chosen.to(scores.device), 0.0)
