"""ChatterBot's English corpus: some 750 questions and remarks on twenty subjects, with the answers to them."""

from __future__ import annotations

import importlib.util
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from codex_ml.samples.splitting import grouped, near_pairs, split_of, trigrams, write_splits

__all__ = ["chatterbot"]

# In these files a list is a question and all its answers; in the others it is a dialogue, a line in answer to the last.
_LISTS_OF_ANSWERS = ("computers", "emotion")
# An answer of so many words fits few questions: those that share it ask for the same.
_TELLING = 4


def chatterbot(folder: Path) -> None:
    """Writes `train.jsonl`, `validation.jsonl` and `test.jsonl`, about 70, 15 and 15 % of the questions.

    A record has an `id` ("trivia/003": its file, and which of that file's questions it is), the `question`, its
    `answers` (a list of one or more, each as good as the others) and the `category`, the file's name. Questions of the
    same words, whatever case and punctuation, are one record. Of a dialogue only its first two lines are taken: the
    later ones answer what only the lines before them tell.

    Questions that are nearly equal, or share a long answer, stay in one split. The split of a question and its place
    in the file depend on what they say alone. `train.txt` has the texts of the training records, for a tokenizer to be
    trained on.

    The source is the data of chatterbot-corpus, https://github.com/gunthercox/chatterbot-corpus.

    Args:
        folder: An empty folder.

    Raises:
        ImportError: chatterbot-corpus is not installed.
    """
    write_splits(folder, _records(_questions(_source())), lambda record: [record["question"], *record["answers"]])


chatterbot.__codex_api__ = "v1"  # pyright: ignore[reportFunctionMemberAccess]
chatterbot.__codex_meta__ = {"requires": ("chatterbot-corpus",)}  # pyright: ignore[reportFunctionMemberAccess]


@dataclass(frozen=True)
class _Question:
    id: str
    category: str
    text: str
    answers: list[str] = field(default_factory=list)


def _source() -> Path:
    """The folder of the English files."""
    spec = importlib.util.find_spec("chatterbot_corpus")
    for place in (spec and spec.submodule_search_locations) or ():
        data = Path(place) / "data" / "english"
        if data.is_dir():
            return data
    raise ImportError(
        "the questions and answers come with chatterbot-corpus, which is not installed: "
        "pip install 'codex-ml[sample-qa]'"
    )


def _questions(data: Path) -> dict[str, _Question]:
    """The questions by their words, in the order of the files."""
    found: dict[str, _Question] = {}
    for path in sorted(data.glob("*.yml")):
        number = 0
        for text, answers in _asked(path):
            words = _words(text)
            if words not in found:
                number += 1
                found[words] = _Question(f"{path.stem}/{number:03}", path.stem, text)
            known = found[words].answers
            known.extend(answer for answer in dict.fromkeys(answers) if answer not in known)
    return found


def _asked(path: Path) -> Iterator[tuple[str, list[str]]]:
    import yaml

    for lines in yaml.safe_load(path.read_text(encoding="utf-8"))["conversations"]:
        # One entry of trivia.yml lacks a dash, which makes a single string of its question and its answer.
        if not isinstance(lines, list):
            continue
        text, *answers = (str(line).strip() for line in lines)
        if path.stem not in _LISTS_OF_ANSWERS:
            answers = answers[:1]
        if _words(text) and any(answers):
            yield text, [answer for answer in answers if answer]


def _words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


def _records(questions: Mapping[str, _Question]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    pairs = [*near_pairs({words: trigrams(words) for words in questions}), *_same_answers(questions)]
    for group in grouped(questions, pairs):
        split = split_of(group[0])
        for words in group:
            each = questions[words]
            record = {"id": each.id, "question": each.text, "answers": each.answers, "category": each.category}
            yield split, words, record


def _same_answers(questions: Mapping[str, _Question]) -> Iterator[tuple[str, str]]:
    """The pairs of questions that share an answer too long to be given to any question."""
    holders: defaultdict[str, list[str]] = defaultdict(list)
    for words, each in questions.items():
        for answer in sorted({_words(answer) for answer in each.answers}):
            if len(answer.split()) >= _TELLING:
                holders[answer].append(words)
    for names in holders.values():
        yield from pairwise(names)
