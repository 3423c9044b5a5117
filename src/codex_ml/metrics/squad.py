"""What SQuAD's evaluation takes for an answer.

Rajpurkar et al., "SQuAD: 100,000+ questions for machine comprehension of text" (2016), evaluate-v1.1.py; and for
questions without an answer Rajpurkar et al., "Know what you don't know" (2018), evaluate-v2.0.py.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable

__all__ = ["golds", "normalised"]

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalised(answer: str) -> str:
    """The answer in lower case, without ASCII punctuation and English articles, with single spaces."""
    return " ".join(_ARTICLES.sub(" ", answer.lower().translate(_NO_PUNCTUATION)).split())


def golds(answers: Iterable[str]) -> list[str]:
    """The normalised answers; those of which nothing is left count only where nothing is left of any."""
    return [answer for answer in map(normalised, answers) if answer] or [""]
