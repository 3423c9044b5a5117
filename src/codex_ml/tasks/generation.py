"""Text generation: a prompt is given, its target is to follow."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from codex_addons.component import component
from codex_ml.errors import DataError
from codex_ml.interfaces import Batch, Example, Record
from codex_ml.tasks.decoding import Decoding, Method, check_generates, continuations
from codex_ml.tasks.draws import generator_for
from codex_ml.tasks.limits import check_model_length, check_tokenizer_length
from codex_ml.tasks.next_token import next_token_batch
from codex_ml.tasks.options import check_choice, check_number, check_whole
from codex_ml.tasks.prompts import PLACE, Prompts
from codex_ml.tasks.special_tokens import end_token, padding_token
from codex_ml.tasks.texts import chunks, no_token, plain_ids, text_of
from codex_ml.tasks.token_logits import summed_loss, token_scores

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Generation"]

_NAME = "generation"
_LOWER = "lower one of them"
_WAY_OUT = "which tells the model where a target ends"


@dataclass(frozen=True)
class _Asked:
    """What a batch of evaluation examples has beside its tensors, an item a record."""

    prompts: list[list[int]]
    references: list[Any]


@component(requires=("torch", "transformers"), extra="train", head="causal_lm")
class Generation:
    """Goes on from each prompt with its target: an answer, a headline, a translation.

    The model, a causal language model of transformers, reads the prompt in its template, the separator and the target
    with the tokenizer's end token; only the target and its end are learnt. A target may be a list of references: the
    first is learnt, and the metrics of `text` score against all; of the target "", which says that there is no answer,
    the end alone is learnt. A prompt that is longer than `max_prompt_length` tokens with template and separator loses
    its end (its beginning where the tokenizer's `truncation_side` is left), never the words of these; a target that is
    cut off has no end token.

    Sampling draws from the run's seed and the record alone: it gives the same texts whenever it is asked, whatever else
    is in the batch. Settings that a model brings in its `generation_config.json` are not used.

    Args:
        prompt_template: What the model reads, with the record's prompt in place of {prompt}.
        separator: What stands between that and the target.
        max_prompt_length: Tokens of prompt, template and separator at most.
        max_target_length: Tokens of the target and its end at most.
        max_new_tokens: Tokens to generate at most; null: max_target_length.
        decoding: greedy, beam or sampling.
        num_beams: Beams of the decoding beam.
        temperature: Above 1 sampling draws more evenly, below 1 more often the likeliest.
        top_k: Sampling draws from so many of the likeliest tokens; 0: from all.
        top_p: Sampling draws from the likeliest tokens that together have this probability; 1: from all.
    """

    feeds: tuple[str, ...] = ("text", "logprobs", "tokens")
    columns: tuple[str, ...] = ("prompt", "target")
    targets: tuple[str, ...] = ("target",)

    def __init__(
        self,
        *,
        prompt_template: str = PLACE,
        separator: str = "\n",
        max_prompt_length: int = 256,
        max_target_length: int = 64,
        max_new_tokens: int | None = None,
        decoding: Method = "greedy",
        num_beams: int = 4,
        temperature: float = 1.0,
        top_k: int = 0,
        top_p: float = 1.0,
    ) -> None:
        if not isinstance(prompt_template, str) or PLACE not in prompt_template:
            raise ValueError(
                f"task.prompt_template must be a text with {PLACE}, where the prompt goes, not {prompt_template!r}"
            )
        if not isinstance(separator, str):
            raise ValueError(f"task.separator must be a text, not {separator!r}")
        check_whole("max_prompt_length", max_prompt_length, of=" of tokens")
        check_whole("max_target_length", max_target_length, of=" of tokens")
        if max_new_tokens is not None:
            check_whole("max_new_tokens", max_new_tokens, of=" of tokens")
        check_choice("decoding", decoding, ("greedy", "beam", "sampling"))
        check_whole("num_beams", num_beams)
        check_number("temperature", temperature, above=0, most=float("inf"))
        check_whole("top_k", top_k, least=0)
        check_number("top_p", top_p, above=0, most=1)
        self.prompt_template = prompt_template
        self.separator = separator
        self.max_prompt_length = max_prompt_length
        self.max_target_length = max_target_length
        self.decoding = Decoding(decoding, max_new_tokens or max_target_length, num_beams, temperature, top_k, top_p)
        longer = "target_length" if max_target_length >= self.decoding.max_new_tokens else "new_tokens"
        self._longest = max_prompt_length + max(max_target_length, self.decoding.max_new_tokens)
        self._lengths = f"max_prompt_length + task.max_{longer}"
        self._seed = random.getrandbits(64)

    def fit(self, records: Iterable[Record]) -> dict[str, Any]:
        """Learns nothing, and reads no record."""
        return {}

    def load(self, state: Mapping[str, Any]) -> None:
        """Takes nothing up, as `fit` learns nothing."""

    def head(self) -> dict[str, Any]:
        """Logits of each token, which see only those before it."""
        return {"kind": "causal_lm"}

    def examples(self, records: Iterable[Record], tokenizer: Any, *, train: bool) -> Iterator[Example]:
        """Tokenises prompts and targets, holding one chunk of records at a time.

        Yields:
            `id`, `input_ids` (prompt, separator, target, end), `context`: how many of these are the prompt's, and for
            evaluation `references`, the record's target as it is. Where a record has none and `train` is false, there
            are no tokens of it, and None.

        Raises:
            DataError: A prompt is missing, no string, or without any token; or a target for training is, or another is
                neither a string nor a list of strings.
            ModelError: The lengths are more than the tokenizer allows, it has no end token, or template and separator
                leave no room for the prompt.
        """
        check_tokenizer_length(tokenizer, self._longest, self._lengths, _LOWER)
        end = end_token(tokenizer, _WAY_OUT)
        prompts = Prompts(tokenizer, self.prompt_template, self.separator, self.max_prompt_length)
        for chunk in chunks(records, self.columns):
            before = prompts.tokens([_prompt(record) for record in chunk])
            learnt = [_learnt(record, train) for record in chunk]
            targets = plain_ids(tokenizer, [text or "" for text in learnt])
            for record, ids, text, target in zip(chunk, before, learnt, targets, strict=True):
                if not ids:
                    raise no_token(record, "prompt", record["prompt"])
                if train and text and not target:
                    raise no_token(record, "target", text)
                after = [] if text is None else [*target, end][: self.max_target_length]
                example: Example = {"id": str(record["id"]), "input_ids": ids + after, "context": len(ids)}
                yield example if train else {**example, "references": _plain(record.get("target"))}
        prompts.tell()

    def collate(self, examples: Sequence[Example], tokenizer: Any, *, train: bool) -> Batch:
        """Pads the examples at the end: `input_ids` and `attention_mask`, int64 [batch, length], labels shifted."""
        if train:
            return next_token_batch(examples, tokenizer)
        prompts = [example["input_ids"][: example["context"]] for example in examples]
        return next_token_batch(examples, tokenizer, _Asked(prompts, [example["references"] for example in examples]))

    def loss(self, model: Any, batch: Batch) -> Tensor:
        """The summed cross-entropy of targets and ends in nats, computed in float32.

        Raises:
            ModelError: The model cannot generate, has fewer positions than the lengths ask for, or gives no logits of
                each token.
        """
        check_generates(model)
        check_model_length(model, self._longest, self._lengths, _LOWER)
        return summed_loss(model, batch, _NAME)

    def predict(
        self, model: Any, batch: Batch, tokenizer: Any, want: Sequence[str]
    ) -> dict[str, tuple[Sequence[Any], ...]]:
        """The text that the model goes on with, without special tokens, and the record's target or targets.

        Also the log-probabilities of the first target's tokens and the most likely ones in their places.
        """
        found = token_scores(model, batch, want, vocabulary=len(tokenizer), task=_NAME)
        if "text" in want:
            made = self._made(model, batch, tokenizer)
            found["text"] = (_texts(made, tokenizer), batch.extra.references)
        return found

    def answers(self, model: Any, batch: Batch, tokenizer: Any) -> list[dict[str, Any]]:
        """The text that the model goes on with as `prediction`, and how sure it is of it, 0 to 1, as `score`.

        That is the geometric mean of the probabilities that the model gives the text's tokens, its end among them;
        before temperature, top_k and top_p.
        """
        made = self._made(model, batch, tokenizer)
        rows = [
            {"id": name, "input_ids": [*prompt, *ids], "context": len(prompt)}
            for name, prompt, ids in zip(batch.ids, batch.extra.prompts, made, strict=True)
        ]
        whole = next_token_batch(rows, tokenizer).to(batch.inputs["input_ids"].device)
        scored = token_scores(model, whole, ["logprobs"], vocabulary=len(tokenizer), task=_NAME)
        logprobs = iter(scored["logprobs"][0])
        answers = []
        for text, ids in zip(_texts(made, tokenizer), made, strict=True):
            mean = math.fsum(next(logprobs) for _ in ids) / len(ids)
            answers.append({"prediction": text, "score": math.exp(min(0.0, mean))})
        return answers

    def _made(self, model: Any, batch: Batch, tokenizer: Any) -> list[list[int]]:
        check_generates(model)
        check_model_length(model, self._longest, self._lengths, _LOWER)
        return continuations(
            model,
            batch.extra.prompts,
            self.decoding,
            pad=padding_token(tokenizer),
            end=end_token(tokenizer, _WAY_OUT),
            chances=self._chances(batch),
            device=batch.inputs["input_ids"].device,
        )

    def _chances(self, batch: Batch) -> Any:
        """For sampling a number for each record and step, float32 [records, steps]."""
        import numpy as np

        if self.decoding.method != "sampling":
            return None
        steps = self.decoding.max_new_tokens
        rows = zip(batch.ids, batch.extra.prompts, strict=True)
        # float32, whose largest below 1 stays below 1 when it is multiplied in float64.
        return np.stack(
            [generator_for(self._seed, name, tokens=prompt).random(steps, dtype=np.float32) for name, prompt in rows]
        )


def _texts(made: Sequence[list[int]], tokenizer: Any) -> list[str]:
    end = end_token(tokenizer, _WAY_OUT)
    bare = [ids[:-1] if ids[-1] == end else ids for ids in made]
    return [tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False) for ids in bare]


def _plain(target: Any) -> Any:
    return list(target) if isinstance(target, tuple) else target


def _prompt(record: Record) -> str:
    prompt = text_of(record, "prompt")
    if not prompt.strip():
        raise no_token(record, "prompt", prompt)
    return prompt


def _learnt(record: Record, train: bool) -> str | None:
    """A record's target, the first of several; None where there is none and none is needed.

    Raises:
        DataError: There is none for training, or one is no string.
    """
    target = record.get("target")
    if target is None and not train:
        return None
    if not isinstance(target, list | tuple):
        return text_of(record, "target")
    strays = [each for each in target if not isinstance(each, str)]
    if strays or not target:
        found = f"holds a {type(strays[0]).__name__}" if strays else "is an empty list"
        raise DataError(
            f"record {record['id']}: target {found}; it must be a string or a list of strings, at least one"
        )
    return target[0]
