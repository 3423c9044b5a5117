"""Masked language modelling: some tokens are hidden, and predicted from all others."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from codex_addons.component import component
from codex_ml.errors import ModelError
from codex_ml.interfaces import Batch, Example, Record
from codex_ml.tasks.blocks import Block, blocks
from codex_ml.tasks.draws import generator_for
from codex_ml.tasks.limits import check_model_length, check_tokenizer_length
from codex_ml.tasks.options import check_flag, check_number, check_whole
from codex_ml.tasks.padding import padded, padded_inputs
from codex_ml.tasks.special_tokens import mask_token, padding_token, wrapping
from codex_ml.tasks.texts import tokenised
from codex_ml.tasks.token_logits import IGNORED, count_of, summed_loss, token_scores

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

__all__ = ["MaskedLM"]

_NAME = "masked_lm"
# The seed and the epoch of evaluation, whose masks depend on no run.
_EVALUATION = (0, -1)


@component(requires=("torch",), extra="train", head="masked_lm")
class MaskedLM:
    """Hides some tokens of the texts and predicts them from all others, as BERT does.

    Of the tokens that are chosen as targets most are replaced by the mask token, some by any token of the vocabulary,
    and the rest is left as it is (Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers", 2019, 80, 10
    and 10 %). Special tokens are never chosen; an example in which chance chooses none gets one target nevertheless.

    The choice is a function of the run's seed, the example and the epoch: it differs between epochs and is the same
    when a run is continued. In evaluation it depends on the example alone, so that scores can be compared between runs.

    Standard errors are by the draw of records: what belongs together are the blocks that begin in one record, so that
    a record with what the last of its blocks holds of those behind it is drawn as one. Records shorter than a block
    are drawn several at once, and where all blocks begin in a single record there is no standard error.

    Args:
        block_size: Tokens of an example at most, special ones among them; a longer text makes several examples.
        pack: Whether texts are joined, with the tokenizer's separator between them, to fill the examples.
        mask_probability: Which part of the tokens is chosen.
        mask_replace: Which part of the chosen tokens becomes the mask token.
        random_replace: Which part of them becomes a random token; what is left stays as it is.
    """

    feeds: tuple[str, ...] = ("logprobs", "tokens")
    columns: tuple[str, ...] = ("text",)
    targets: tuple[str, ...] = ()

    def __init__(
        self,
        *,
        block_size: int = 128,
        pack: bool = True,
        mask_probability: float = 0.15,
        mask_replace: float = 0.8,
        random_replace: float = 0.1,
    ) -> None:
        check_whole("block_size", block_size, of=" of tokens")
        check_flag("pack", pack)
        check_number("mask_probability", mask_probability, above=0, most=1)
        check_number("mask_replace", mask_replace, most=1)
        check_number("random_replace", random_replace, most=1)
        if mask_replace + random_replace > 1 + 1e-9:
            raise ValueError(
                f"task.mask_replace and task.random_replace are parts of one whole, and {mask_replace:g} + "
                f"{random_replace:g} is more than 1"
            )
        self.block_size = block_size
        self.pack = pack
        self.mask_probability = mask_probability
        self.mask_replace = mask_replace
        self.random_replace = random_replace
        self._seed = random.getrandbits(64)

    def fit(self, records: Iterable[Record]) -> dict[str, Any]:
        """Learns nothing, and reads no record."""
        return {}

    def load(self, state: Mapping[str, Any]) -> None:
        """Takes nothing up, as `fit` learns nothing."""

    def head(self) -> dict[str, Any]:
        """Logits of each token, which see all others."""
        return {"kind": "masked_lm"}

    def examples(self, records: Iterable[Record], tokenizer: Any, *, train: bool) -> Iterator[Example]:
        """Tokenises the records and cuts them into blocks, holding one chunk of records at a time.

        Yields:
            `id` (`<id of the record that the block begins in>@<token of that record, from 0>`) and `input_ids` with
            the special tokens around them, at most `block_size`.

        Raises:
            DataError: A text is missing, no string, or without any token.
            ModelError: `block_size` is more than the tokenizer allows or leaves no room, or it has no mask token.
        """
        check_tokenizer_length(tokenizer, self.block_size, "block_size")
        mask_token(tokenizer)
        before, behind = wrapping(tokenizer)
        room = self.block_size - len(before) - len(behind)
        if room < 1:
            raise ModelError(
                f"task.block_size is {self.block_size}, and the tokenizer puts {len(before) + len(behind)} special "
                "tokens around each text: set a larger task.block_size"
            )
        for block in self._blocks(tokenised(records, tokenizer, "text"), tokenizer, room):
            yield {"id": block.id, "input_ids": before + block.tokens + behind}

    def _blocks(self, documents: Iterator[tuple[str, list[int]]], tokenizer: Any, room: int) -> Iterator[Block]:
        if not self.pack:
            for document in documents:
                yield from blocks([document], room, room)
            return
        ends = (getattr(tokenizer, name, None) for name in ("sep_token_id", "eos_token_id"))
        separator = [token for token in ends if token is not None][:1]
        yield from blocks(_separated(documents, separator), room, room)

    def collate(self, examples: Sequence[Example], tokenizer: Any, *, train: bool) -> Batch:
        """Masks the examples and pads them at the end: `input_ids` and `attention_mask`, int64 [batch, length].

        Labels are the tokens that were chosen, -100 elsewhere.
        """
        special = sorted(set(tokenizer.all_special_ids))
        mask, size = mask_token(tokenizer), len(tokenizer)
        masked = [
            self._masked(example, self._draws(example, train), special=special, mask=mask, size=size)
            for example in examples
        ]
        # Whatever the tokenizer's side is: an encoder counts its positions from the row's beginning.
        inputs = padded_inputs([ids for ids, _ in masked], padding_token(tokenizer))
        labels = padded([targets for _, targets in masked], IGNORED)
        return Batch(inputs, labels, [example["id"] for example in examples], count_of(labels))

    def _draws(self, example: Example, train: bool) -> np.random.Generator:
        seed, epoch = (self._seed, example.get("epoch", 0)) if train else _EVALUATION
        return generator_for(seed, epoch, example["id"], tokens=example["input_ids"])

    def _masked(
        self, example: Example, draws: np.random.Generator, *, special: list[int], mask: int, size: int
    ) -> tuple[list[int], list[int]]:
        """What the model sees of an example, and the targets."""
        import numpy as np

        ids = np.array(example["input_ids"], dtype=np.int64)
        lots = draws.random(len(ids))
        lots[np.isin(ids, special)] = 2.0
        chosen = lots < self.mask_probability
        if not chosen.any() and lots.min(initial=2.0) < 1:
            chosen[lots.argmin()] = True
        targets = np.where(chosen, ids, IGNORED)
        # One number for each token, chosen or not: what becomes of one depends on no other.
        fate = draws.random(len(ids))
        ids[chosen & (fate < self.mask_replace)] = mask
        others = chosen & (fate >= self.mask_replace) & (fate < self.mask_replace + self.random_replace)
        ids[others] = _ordinary(draws, int(others.sum()), special, size)
        return ids.tolist(), targets.tolist()

    def loss(self, model: Any, batch: Batch) -> Tensor:
        """The summed cross-entropy in nats, computed in float32.

        Raises:
            ModelError: `block_size` is more than the model allows, or it gives no logits of each token.
        """
        check_model_length(model, self.block_size, "block_size")
        return summed_loss(model, batch, _NAME)

    def predict(
        self, model: Any, batch: Batch, tokenizer: Any, want: Sequence[str]
    ) -> dict[str, tuple[Sequence[Any], ...]]:
        """The log-probability of each chosen token and the most likely one in its place."""
        check_model_length(model, self.block_size, "block_size")
        return token_scores(model, batch, want, vocabulary=len(tokenizer), task=_NAME)


def _separated(documents: Iterable[tuple[str, list[int]]], separator: list[int]) -> Iterator[tuple[str, list[int]]]:
    """The documents, each but the last with the separator behind it."""
    last: tuple[str, list[int]] | None = None
    for document in documents:
        if last is not None:
            yield last[0], last[1] + separator
        last = document
    if last is not None:
        yield last


def _ordinary(draws: np.random.Generator, count: int, special: list[int], size: int) -> np.ndarray:
    """Random ids of the vocabulary, none of them special."""
    known = [token for token in special if token < size]
    found = draws.integers(0, max(1, size - len(known)), count)
    for token in known:  # in rising order, so that each steps over those below it
        found += found >= token
    return found
