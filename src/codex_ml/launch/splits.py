"""The records of a run: what the data loader reads, under the names that the task knows."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from hashlib import blake2b
from typing import Any

from codex_ml import registries
from codex_ml.errors import CodexError, DataError
from codex_ml.interfaces import BadRow, Record
from codex_ml.launch.assembly import Assembly, Component
from codex_ml.launch.blame import blame, label
from codex_ml.launch.left_out import Quarantine
from codex_ml.places import COMPRESSIONS, Place

__all__ = ["Split", "splits"]

logger = logging.getLogger(__name__)

_TARGETS = frozenset({"label", "labels", "target"})


class Split:
    """The records of one split, read anew from their files at each iteration, one at a time.

    Every record has a string `id`: its own, or `<file name>#<number>`, counting from 1 (with as many folders before the
    name as it takes to tell the split's files apart). Ids of the records' own are taken as they are: two equal ones
    are no error, and finding them would take memory in proportion to the data.

    Attributes:
        name: `train`, `validation` or `test`.
        files: Its files, in order.
        records: How many records there are; None until they were read once to the end.
        skipped: How many rows of its files the loader left out; None until then.
        first_skipped: The place and the reason of the first of them; empty where there is none.
    """

    def __init__(
        self,
        name: str,
        files: Sequence[Place],
        loader: Component,
        *,
        columns: Mapping[str, str],
        required: Sequence[str],
        limit: int | None = None,
        keeps: Callable[[Record], bool] | None = None,
        quarantine: Quarantine | None = None,
    ) -> None:
        self.name = name
        self.files = tuple(files)
        self.records: int | None = None
        self.skipped: int | None = None
        self.first_skipped = ""
        self._loader = loader
        self._columns = dict(columns)
        self._required = frozenset(required)
        self._sources = {logical: columns.get(logical, logical) for logical in (*required, *columns)}
        self._moved = {source for logical, source in columns.items() if source != logical}
        self._limit = limit
        self._keeps = keeps
        self._quarantine = quarantine
        self._titles = _titles(self.files)

    def __iter__(self) -> Iterator[Record]:
        """Yields the records.

        Raises:
            DataError: A file cannot be read, a file or the split is empty, a record lacks a column.
            CodexError: The loader is broken; the message names it.
        """
        count, left_out = 0, _LeftOut(self._quarantine)
        with closing(self._all(left_out)) as records:
            for record in records:
                if self._keeps is not None and not self._keeps(record):
                    continue
                if count == self._limit:
                    break
                count += 1
                yield record
        if not count:
            raise DataError(self._nothing() + left_out.told)
        self.records, self.skipped, self.first_skipped = count, left_out.count, left_out.first

    def count(self) -> int:
        """How many records there are; reads them if nobody has yet."""
        if self.records is None:
            for _ in self:
                pass
        return self.records or 0

    def _all(self, left_out: _LeftOut) -> Generator[Record, None, None]:
        for path, title in zip(self.files, self._titles, strict=True):
            number = 0
            with closing(self._read(path, left_out)) as loaded:
                for number, record in enumerate(loaded, start=1):
                    yield self._named(record, path, title, number)
            if not number and len(self.files) > 1:
                logger.warning("%s holds no records", path)

    def _read(self, path: Place, left_out: _LeftOut) -> Generator[Any, None, None]:
        told = {"on_bad_row": left_out} if self._loader.meta.get("bad_rows") else {}
        with blame(self._loader, f"on {path}"):
            try:
                yield from self._loader.factory(path, **self._loader.options, **told)
            except CodexError:
                raise
            except (ValueError, OSError) as error:
                told = _placed(error, path)
                hint = "" if "data_loader=" in told else _other_loader(path, self._loader.name)
                raise DataError(told + hint) from error

    def _named(self, record: Any, path: Place, title: str, number: int) -> Record:
        if not isinstance(record, Mapping):
            told = f"{path}: record {number} is of type {type(record).__name__}; {label(self._loader)} must yield dicts"
            raise DataError(told)
        for logical, source in self._sources.items():
            if source in self._moved and logical not in self._columns:
                raise DataError(
                    f"data.columns gives the column {source!r} another name, and the task needs a {logical!r}; "
                    f"set data.columns.{logical}=<column>"
                )
        absent = {logical: source for logical, source in self._sources.items() if source not in record}
        for logical, source in self._sources.items():
            if logical in self._required and source in record and record[source] is None:
                raise DataError(
                    f"{path}: record {number} has no value in the column {source!r} (null); give it one, or leave the "
                    "record out"
                )
        if absent:
            has = ", ".join(map(str, record)) or "no columns at all"
            columns = f"column{'s' if len(absent) > 1 else ''} {' and '.join(map(repr, absent.values()))}"
            ways = " ".join(f"data.columns.{logical}=<column>" for logical in absent)
            raise DataError(f"{path}: record {number} has no {columns} (it has: {has}); set {ways}")
        kept = {key: value for key, value in record.items() if key not in self._moved}
        named = kept | {logical: record[source] for logical, source in self._columns.items()}
        own = named.get("id")
        named["id"] = f"{title}#{number}" if own is None else str(own)
        return named

    def _nothing(self) -> str:
        files = ", ".join(map(str, self.files))
        if self._keeps is None:
            return f"the {self.name} split holds no records ({files})"
        return (
            f"data.validation_fraction leaves no record for the {self.name} split of {files}; choose another fraction, "
            "or name files in data.validation"
        )


class _LeftOut:
    """Counts the rows that a loader leaves out during one reading."""

    def __init__(self, quarantine: Quarantine | None) -> None:
        self.count = 0
        self.first = ""
        self._quarantine = quarantine

    def __call__(self, row: BadRow) -> None:
        self.count += 1
        self.first = self.first or f"{row.place}:{row.line}: {row.reason}"
        if self._quarantine is not None:
            self._quarantine.take(row)

    @property
    def told(self) -> str:
        """What to add to a message that there are no records."""
        return f"; {self.count} rows were left out, the first: {self.first}" if self.count else ""


def _placed(error: Exception, path: Place) -> str:
    """The error's message, with the file where it doesn't say."""
    told = str(error) or type(error).__name__
    return told if path.name in told else f"{path}: {told}"


def _other_loader(path: Place, loader: str) -> str:
    """A hint where the file's name ends like another data loader's."""
    name = path.name
    for packed in COMPRESSIONS:
        name = name.removesuffix(packed)
    suffix = name.rpartition(".")[2]
    other = suffix if suffix in registries.options("data_loader") and suffix != loader else ""
    return f"; for a file like this one there is data_loader={other}" if other else ""


def _titles(files: Sequence[Place]) -> list[str]:
    """The shortest ends of the paths that tell them apart; all the same number of parts."""
    deepest = max((len(path.parts) for path in files), default=1)
    for depth in range(1, deepest):
        titles = ["/".join(path.parts[-depth:]) for path in files]
        if max(Counter(titles).values()) == 1:
            return titles
    return [path.name for path in files]


def splits(assembly: Assembly, task: Any = None, quarantine: Quarantine | None = None) -> dict[str, Split]:
    """The splits that a run has: `train`, and `validation` and `test` as far as there are any. Reads nothing.

    Without validation files, `data.validation_fraction` sets a part of the training records aside: those whose text
    hashes below it. So neither the seed nor the order decides where a record stands, and equal texts stand together.

    Args:
        assembly: The run's parts.
        task: The task, where it was built already.
        quarantine: Where the rows go that the loader leaves out, where it is told to keep them.
    """
    data = assembly.data
    if task is None:
        with blame(assembly.task):
            task = assembly.task.factory(**assembly.task.options)
    targets = frozenset(getattr(task, "targets", _TARGETS))
    required = tuple(task.columns)
    split = partial(
        Split,
        loader=assembly.data_loader,
        columns=data.columns,
        required=[name for name in required if assembly.mode != "predict" or name not in targets],
        limit=data.limit,
        quarantine=quarantine if assembly.data_loader.options.get("on_bad_rows") == "quarantine" else None,
    )

    found: dict[str, Split] = {}
    if not data.train:
        pass
    elif not data.validation and data.validation_fraction > 0:
        aside = _Aside(data.validation_fraction, [name for name in required if name not in targets])
        found["train"] = split("train", data.train, keeps=lambda record: not aside(record))
        found["validation"] = split("validation", data.train, keeps=aside)
    else:
        found["train"] = split("train", data.train)
    if data.validation:
        found["validation"] = split("validation", data.validation)
    if data.test:
        found["test"] = split("test", data.test)
    return found


class _Aside:
    """Whether a record belongs to the part that is set aside."""

    def __init__(self, fraction: float, required: Sequence[str]) -> None:
        # What is to be predicted has no say: a text with two different labels must not stand on both sides.
        self._columns = tuple(required)
        self._bound = int(fraction * 2**64)

    def __call__(self, record: Record) -> bool:
        values = [record[name] for name in self._columns] or [record[key] for key in sorted(record) if key != "id"]
        texts = [" ".join(value.split()) if isinstance(value, str) else repr(value) for value in values]
        digest = blake2b("\0".join(texts).encode("utf-8", "surrogatepass"), digest_size=8).digest()
        return int.from_bytes(digest, "big") < self._bound
