"""Language modelling from left to right: each token is predicted from those before it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from codex_addons.component import component
from codex_ml.interfaces import Batch, Example, Record
from codex_ml.tasks.blocks import Block, blocks
from codex_ml.tasks.limits import check_model_length, check_tokenizer_length
from codex_ml.tasks.next_token import next_token_batch
from codex_ml.tasks.options import check_flag, check_whole
from codex_ml.tasks.special_tokens import beginning, end_token
from codex_ml.tasks.texts import tokenised
from codex_ml.tasks.token_logits import summed_loss, token_scores

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["CausalLM"]

_NAME = "causal_lm"


@component(requires=("torch",), extra="train", head="causal_lm")
class CausalLM:
    """Predicts each token of the texts from the tokens before it, as GPT does.

    Each document gets the token that begins a text, where the tokenizer puts one there itself, and with `add_eos` the
    one that ends it. Packed documents run on in one stream, which is cut into blocks; what is behind a document's end
    sees it as context, as in the training of GPT-2 (Radford et al., "Language Models are Unsupervised Multitask
    Learners", 2019). Every token but the stream's first, or without packing each document's first, is a target exactly
    once: a block shows the model `block_size` tokens, and its last target is the first token of the block after it.

    In evaluation `stride` has each block begin that many tokens behind the one before it: what both have is context
    only in the second, so that each target but the first ones has at least `block_size - stride` tokens before it (the
    sliding window of transformers' guide "Perplexity of fixed-length models"). Training blocks never overlap, as that
    would cost more for the same targets.

    Standard errors are by the draw of records: what belongs together are the blocks that begin in one record, so that
    a record with what the last of its blocks holds of those behind it is drawn as one. Records shorter than a block
    are drawn several at once, and where all blocks begin in a single record there is no standard error.

    Args:
        block_size: Tokens that the model sees at once.
        pack: Whether documents are joined to fill blocks; false: none shares a block with another.
        stride: Tokens between the beginnings of blocks in evaluation, at most block_size; null: block_size.
        add_eos: Whether the tokenizer's end token is put behind each document.
    """

    feeds: tuple[str, ...] = ("logprobs", "tokens")
    columns: tuple[str, ...] = ("text",)
    targets: tuple[str, ...] = ()

    def __init__(
        self, *, block_size: int = 512, pack: bool = True, stride: int | None = None, add_eos: bool = True
    ) -> None:
        check_whole("block_size", block_size, of=" of tokens")
        check_flag("pack", pack)
        check_flag("add_eos", add_eos)
        if stride is not None:
            check_whole("stride", stride, of=" of tokens")
            if stride > block_size:
                raise ValueError(
                    f"task.stride is {stride}, task.block_size {block_size}: a stride beyond the block leaves tokens "
                    f"out; set task.stride={block_size} or less"
                )
        self.block_size = block_size
        self.pack = pack
        self.stride = stride
        self.add_eos = add_eos

    def fit(self, records: Iterable[Record]) -> dict[str, Any]:
        """Learns nothing, and reads no record."""
        return {}

    def load(self, state: Mapping[str, Any]) -> None:
        """Takes nothing up, as `fit` learns nothing."""

    def head(self) -> dict[str, Any]:
        """Logits of each token, which see only those before it."""
        return {"kind": "causal_lm"}

    def examples(self, records: Iterable[Record], tokenizer: Any, *, train: bool) -> Iterator[Example]:
        """Tokenises the records and cuts them into blocks, holding one chunk of records at a time.

        Yields:
            `id` (`<id of the record that the block begins in>@<token of that record, from 0>`), `input_ids`, at most
            `block_size + 1`, and `context`: how many of these, at the beginning, are no targets.

        Raises:
            DataError: A text is missing, no string, or without any token.
            ModelError: `block_size` is more than the tokenizer allows, or it has no end token.
        """
        check_tokenizer_length(tokenizer, self.block_size, "block_size")
        start = beginning(tokenizer)
        end = [end_token(tokenizer, "or task.add_eos=false")] if self.add_eos else []
        documents = ((name, start + ids + end) for name, ids in tokenised(records, tokenizer, "text"))
        for block in self._blocks(documents, self.block_size if train else self.stride or self.block_size):
            yield {"id": block.id, "input_ids": block.tokens, "context": max(1, block.overlap)}

    def _blocks(self, documents: Iterator[tuple[str, list[int]]], step: int) -> Iterator[Block]:
        if self.pack:
            yield from blocks(documents, self.block_size + 1, step)
            return
        for document in documents:
            yield from blocks([document], self.block_size + 1, step)

    def collate(self, examples: Sequence[Example], tokenizer: Any, *, train: bool) -> Batch:
        """Pads the examples at the end: `input_ids` and `attention_mask`, int64 [batch, length], labels shifted."""
        return next_token_batch(examples, tokenizer)

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
        """The log-probability of each target and the most likely token in its place."""
        check_model_length(model, self.block_size, "block_size")
        return token_scores(model, batch, want, vocabulary=len(tokenizer), task=_NAME)
