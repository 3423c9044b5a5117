"""Splits of a sample by what its records say: the same every time, and nothing that is near in two of them."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

__all__ = ["alike", "digest", "grouped", "near_pairs", "split_of", "trigrams", "write_splits"]

Record = Mapping[str, Any]

# The parts of the hash range, in percent, that end each split.
_SPLITS = {"train": 70, "validation": 85, "test": 100}
# Short texts are near when they share this part of all their trigrams. "what is soccer" and "what soccer" share 0.69,
# two questions of one pattern about different things mostly less than 0.6.
_ALIKE = 0.65


def digest(text: str) -> str:
    """The SHA-256 of the text's words, whatever their case and the space between them, in hexadecimal digits."""
    return hashlib.sha256(" ".join(text.split()).casefold().encode()).hexdigest()


def split_of(text: str) -> str:
    """`train` for about 70 % of all texts, `validation` and `test` for 15 % each, by the text alone."""
    percent = int(digest(text)[:13], 16) * 100 / 16**13
    return next(split for split, end in _SPLITS.items() if percent < end)


def trigrams(text: str) -> set[str]:
    """The text's runs of three characters, its ends marked by spaces."""
    padded = f"  {text} "
    return {padded[start : start + 3] for start in range(len(padded) - 2)}


def alike(shared: int, one: int, other: int) -> bool:
    """Whether two texts of `one` and `other` trigrams, `shared` of them the same, are near each other."""
    return shared >= _ALIKE * (one + other - shared)


def near_pairs(
    parts: Mapping[str, set[str]], near: Callable[[int, int, int], bool] = alike
) -> Iterable[tuple[str, str]]:
    """The pairs of names, sorted, whose parts are near by their numbers: those shared, the one's and the other's."""
    holders: defaultdict[str, list[str]] = defaultdict(list)
    for name, own in parts.items():
        for part in own:
            holders[part].append(name)
    shared = Counter(pair for names in holders.values() if len(names) > 1 for pair in combinations(names, 2))
    return [
        (one, other)
        for (one, other), count in sorted(shared.items())
        if near(count, len(parts[one]), len(parts[other]))
    ]


def grouped(names: Iterable[str], pairs: Iterable[tuple[str, str]]) -> Iterable[list[str]]:
    """The names, those that pairs join in one group; groups and names in the order given."""
    leader = {name: name for name in names}

    def lead(name: str) -> str:
        while leader[name] != name:
            name = leader[name]
        return name

    for one, other in pairs:
        first, second = sorted((lead(one), lead(other)))
        leader[second] = first
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for name in leader:
        groups[lead(name)].append(name)
    return groups.values()


def write_splits(
    folder: Path, records: Iterable[tuple[str, str, Record]], texts: Callable[[Record], Iterable[str]] | None = None
) -> None:
    """Writes `<split>.jsonl` of each split into the folder.

    Args:
        folder: Made where it isn't there.
        records: The split of each, the text by whose digest it is placed, so that the first records of a file are a
            fair draw from it, and the record.
        texts: The texts of a record; where given, those of the training records are written to `train.txt` as well,
            a line of theirs on each, as a corpus that a tokenizer can be trained on.
    """
    placed: dict[str, list[tuple[str, str, Record]]] = {split: [] for split in _SPLITS}
    for split, text, record in records:
        placed[split].append((digest(text), json.dumps(record, ensure_ascii=False), record))
    folder.mkdir(parents=True, exist_ok=True)
    for split, content in placed.items():
        content.sort(key=lambda each: each[:2])
        _write(folder / f"{split}.jsonl", (line for _, line, _ in content))
    if texts is not None:
        every = (text for _, _, record in placed["train"] for text in texts(record))
        _write(folder / "train.txt", (line for text in every for line in text.splitlines() if line.strip()))


def _write(path: Path, lines: Iterable[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")
