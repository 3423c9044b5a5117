"""Checks of a data loader."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from codex_ml.testing.component import ComponentTests
from codex_ml.testing.expectation import check, raised
from codex_ml.testing.reading import reads_counted

__all__ = ["DataLoaderTests"]

_READ_AHEAD = 2**20
_LARGE = 4 * _READ_AHEAD


class DataLoaderTests(ComponentTests):
    """Checks that a data loader is one: `loader(path, **options)` yields a dict for each record.

    Attributes:
        cases: What a file holds, as text (written as UTF-8) or bytes, the records that it must give and, as a third
            item, options of this case alone.
        malformed: What a file holds that is no such file, and the line that the error must name; None for a format
            without lines.
        suffix: How the file's name ends.
        streams: Whether the first record can be given before the file was read to its end; False for a format of which
            nothing can be said before, such as one JSON document.
    """

    kind: ClassVar[str] = "data_loader"
    cases: Sequence[tuple[Any, ...]] = ()
    malformed: Sequence[tuple[str | bytes, int | None]] = ()
    suffix: str = ".data"
    streams: bool = True

    def use(self, folder: Path, arguments: Mapping[str, Any]) -> Any:
        """Reads the first case."""
        return list(self.component(self._write(folder, self._cases()[0][0]), **arguments))

    def test_it_reads_the_records(self, tmp_path: Path) -> None:
        """All of them, in order, each a dict of its own, and the same when they are read again."""
        for contents, expected, arguments in self._called():
            path = self._write(tmp_path, contents)
            for given in (path, str(path), path):
                records = list(self.component(given, **arguments))
                wrong = next((each for each in records if not isinstance(each, dict)), None)
                check(wrong is None, f"{self} yields {wrong!r} of type {type(wrong).__name__}; a record is a dict")
                check(records == list(expected), f"{self} reads {records!r} where {list(expected)!r} is expected")
                strays = [key for record in records for key in record if not isinstance(key, str)]
                check(not strays, f"{self} yields a record with the key {strays[:1]!r}; keys are strings")

    def test_it_streams(self, tmp_path: Path) -> None:
        """What it returns is an iterator, and the file is opened when the first record is asked for."""
        contents, expected, arguments = next(self._called())
        path = tmp_path / f"later{self.suffix}"
        try:
            records = self.component(path, **arguments)
        except FileNotFoundError as error:
            raise AssertionError(
                f"{self} opens the file when it is called; write it with `yield`, so that the first record does"
            ) from error
        told = f"{self} returns a {type(records).__name__}; it must return an iterator: write it with `yield`"
        check(isinstance(records, Iterator), told)
        path.write_bytes(_bytes(contents))
        check(list(records) == list(expected), f"{self} does not read what the file holds when it is asked for records")

    def test_the_first_record_comes_before_the_rest_is_read(self, tmp_path: Path) -> None:
        """A file may be larger than memory; a case's content, many times over, stands for such a one.

        It is tried where a case has two records or more.
        """
        # Where a file has one record, nothing but the file's end may say where that ends.
        case = next((each for each in self._called() if len(each[1]) > 1), None)
        if not self.streams or case is None:
            return
        contents, _, arguments = case
        path = self._write(tmp_path, _bytes(contents) * (_LARGE // len(contents) + 1))
        unless = "(or set `streams = False` for a format that must be read whole)"
        with reads_counted(path) as counted:
            records = self.component(path, **arguments)
            try:
                next(iter(records))
            except ValueError as error:
                told = f"{self} gives no first record of a large file, for what stands behind it: {error} {unless}"
                raise AssertionError(told) from error
            finally:
                getattr(records, "close", lambda: None)()
        told = f"{self} reads {counted.read} bytes of {path.stat().st_size} for the first record; yield each record"
        check(counted.read <= _READ_AHEAD, f"{told} once it is read {unless}")

    def test_readings_of_one_file_do_not_disturb_each_other(self, tmp_path: Path) -> None:
        """A run reads its files several times, and leaves some readings before their end."""
        contents, expected, arguments = next(self._called())
        path = self._write(tmp_path, contents)
        first, second = self.component(path, **arguments), self.component(path, **arguments)
        taken = next(iter(first), None)
        check(list(second) == list(expected), f"{self} reads less of a file that is being read elsewhere")
        check([taken, *first] == list(expected), f"{self} reads less of a file that was read elsewhere meanwhile")

    def test_a_missing_file_raises_file_not_found_error(self, tmp_path: Path) -> None:
        """As `open` does."""
        arguments = self.arguments()
        missing = tmp_path / f"missing{self.suffix}"
        raised(FileNotFoundError, f"{self} of a missing file", lambda: list(self.component(missing, **arguments)))

    def test_malformed_data_raise_value_error_with_the_line(self, tmp_path: Path) -> None:
        """The message reads `path:line: reason`."""
        arguments = self.arguments()
        for contents, line in self.malformed:
            path = self._write(tmp_path, contents)
            error = raised(
                ValueError, f"{self} of {contents!r}", lambda given=path: list(self.component(given, **arguments))
            )
            start = f"{path}:" if line is None else f"{path}:{line}: "
            reason = str(error).removeprefix(start)
            check(
                str(error).startswith(start) and reason.strip(),
                f"{self}: the error must read '{start}reason', and reads {str(error)!r}",
            )

    def _cases(self) -> Sequence[tuple[Any, ...]]:
        check(self.cases, f"{type(self).__name__} has no cases: set `cases` to [(contents, records), ...]")
        return self.cases

    def _called(self) -> Iterator[tuple[str | bytes, Sequence[Any], dict[str, Any]]]:
        for contents, expected, *changes in self._cases():
            yield contents, expected, self.arguments(**(changes[0] if changes else {}))

    def _write(self, folder: Path, contents: str | bytes) -> Path:
        path = folder / f"records{self.suffix}"
        path.write_bytes(_bytes(contents))
        return path


def _bytes(contents: str | bytes) -> bytes:
    return contents.encode() if isinstance(contents, str) else contents
