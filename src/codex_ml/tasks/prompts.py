"""What a model reads of a record: its prompt in the words of a template."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

from codex_ml.errors import ModelError
from codex_ml.tasks.special_tokens import beginning
from codex_ml.tasks.texts import plain_ids

__all__ = ["PLACE", "Prompts"]

PLACE = "{prompt}"

logger = logging.getLogger(__name__)


class Prompts:
    """Tokenises prompts in their template; of a long one only the prompt itself is cut.

    Args:
        tokenizer: Whose `truncation_side` decides which end of a prompt is lost.
        template: What the model reads, with `PLACE` for the prompt, once or several times.
        separator: What follows.
        length: Tokens of all at most.

    Raises:
        ModelError: The words of template and separator leave no room for a prompt.
    """

    def __init__(self, tokenizer: Any, template: str, separator: str, length: int) -> None:
        self._tokenizer = tokenizer
        self._pieces = template.split(PLACE)
        self._start = beginning(tokenizer)
        texts = [*self._pieces, separator]
        *self._words, self._separator = (plain_ids(tokenizer, [text])[0] if text else [] for text in texts)
        self._length = length
        self._left = getattr(tokenizer, "truncation_side", "right") == "left"
        self._seen = self._cut = 0
        taken = len(self._start) + len(self._separator) + sum(map(len, self._words))
        # Tokens of a prompt that is cut, at each of its places.
        self._share = (length - taken) // (len(self._pieces) - 1)
        if self._share < 1:
            raise ModelError(
                f"task.max_prompt_length is {length}, and the words of task.prompt_template and task.separator take "
                f"{taken} tokens, which leaves no room for the prompt: set a larger one"
            )

    def tokens(self, prompts: Sequence[str]) -> list[list[int]]:
        """The tokens of each prompt in its template, with the separator behind it."""
        room = self._length - len(self._start) - len(self._separator)
        found = plain_ids(self._tokenizer, [prompt.join(self._pieces) for prompt in prompts])
        long = [index for index, ids in enumerate(found) if len(ids) > room]
        self._seen += len(prompts)
        self._cut += len(long)
        for index, ids in zip(long, self._shortened([prompts[index] for index in long]), strict=True):
            found[index] = ids
        return [[*self._start, *ids, *self._separator] for ids in found]

    def _shortened(self, prompts: Sequence[str]) -> Iterator[list[int]]:
        if not prompts:
            return
        # The end that is kept is tokenised with the words that it touches, as in a prompt that fits.
        pieces, words = (self._pieces[1:], self._words[1:]) if self._left else (self._pieces[:-1], self._words[:-1])
        texts = [prompt + piece if self._left else piece + prompt for prompt in prompts for piece in pieces]
        parts = iter(plain_ids(self._tokenizer, texts))
        for _ in prompts:
            ids = list(chain.from_iterable(self._kept(next(parts), len(each)) for each in words))
            yield [*self._words[0], *ids] if self._left else [*ids, *self._words[-1]]

    def _kept(self, part: list[int], words: int) -> list[int]:
        length = words + self._share
        return part[-length:] if self._left else part[:length]

    def tell(self) -> None:
        """Logs how many prompts were cut, if any were."""
        if self._cut:
            logger.info(
                "%d of %d prompts are longer than task.max_prompt_length=%d tokens with their template, and lost their "
                "%s",
                self._cut,
                self._seen,
                self._length,
                "beginning" if self._left else "end",
            )
