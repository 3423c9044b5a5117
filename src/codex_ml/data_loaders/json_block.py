"""JSON Lines: the objects of many lines at once, or of one, with the same checks.

orjson keeps the last of equal keys and rounds integers of more than 64 bits. Neither can be switched off, so both are
found out afterwards. Who only looks at what all lines of a block have in common needs little time for a line.
"""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import Iterable, Iterator, Sequence
from gc import get_referents
from itertools import chain
from typing import Any

import orjson

__all__ = ["record_of", "records_of"]

# orjson reads an integer beyond 64 bits as the nearest float; every such float is at least this large.
_FIRST_INEXACT = 2.0**63
# Between lines, where a comma alone would make one object of `{"a": 1` and `"b": 2`: a newline, which no string holds,
# and a number, which is no key. That leaves lists, `[1` and `2]`; where there are any, it is a number that no file can
# have been written with, as it is drawn anew, and it is counted.
_UNKNOWN = secrets.randbelow(9 * 10**8) + 10**8
_MOST_COLUMNS = 32
_KINDS = {list: "a list", str: "a string", int: "a number", float: "a number", bool: "a boolean", type(None): "null"}


def records_of(block: bytes) -> list[dict[str, Any]] | None:
    """The objects of a block, one on each of its lines; None where a line has to be looked at alone."""
    try:
        records = _parsed(block)
    except orjson.JSONDecodeError:
        return None
    if records is None or set(map(type, records)) - {dict}:
        return None
    found = _Found(records)
    return None if found.inexact or not found.all_keys_of(block) else records


def record_of(line: bytes) -> dict[str, Any]:
    """The object on a line.

    Raises:
        ValueError: There is none; the message is the reason.
    """
    try:
        record = orjson.loads(line)
        if isinstance(record, dict):
            found = _Found([record])
            if found.inexact or not found.all_keys_of(line):
                return json.loads(line.decode(), object_pairs_hook=_object)
    except (json.JSONDecodeError, orjson.JSONDecodeError) as error:
        raise ValueError(f"malformed JSON: {error.msg} (column {error.colno})") from None
    except RecursionError:
        raise ValueError("the values are nested too deeply to be read exactly") from None
    if not isinstance(record, dict):
        raise ValueError(f"an object is needed, this is {_KINDS[type(record)]}")
    return record


def _parsed(block: bytes) -> list[Any] | None:
    """The values on the lines; None where it isn't one on each."""
    # What stands between two separators are elements of the outer list, and at least one, as two commas in a row are
    # refused. If there are as many as lines, it is one on each.
    number = _UNKNOWN if b"[" in block else 0
    between = b",\n%d," % number
    joined = block.replace(b"\n", between)
    ended = block.endswith(b"\n")
    lines = (len(joined) - len(block)) // (len(between) - 1) + (not ended)
    inside = memoryview(joined)[: -len(between)] if ended else joined
    elements = orjson.loads(b"".join((b"[", inside, b"]")))
    if len(elements) != 2 * lines - 1 or (number and elements[1::2].count(number) != lines - 1):
        return None
    return elements[::2]


class _Found:
    """What there is in parsed objects, at any depth.

    Attributes:
        keys: How many keys.
        inexact: Whether there is a float so large that it may stand for an integer.
    """

    def __init__(self, records: Sequence[dict[str, Any]]) -> None:
        self.keys = 0
        self.inexact = False
        self._objects: list[Sequence[dict[str, Any]]] = []
        self._values: list[Sequence[Any]] = []
        objects, lists = records, []
        while objects or lists:
            self.keys += sum(map(len, objects))
            # As much as chain.from_iterable(map(dict.values, objects)), in a third of the time.
            values = get_referents(*objects, *lists)
            self._objects.append(objects)
            objects, lists = self._look(values, len(objects) + len(lists))

    def _look(self, values: list[Any], owners: int) -> tuple[list[dict[str, Any]], list[list[Any]]]:
        """The objects and lists among the values of one depth."""
        width = len(values) // owners
        aligned = 0 < width <= _MOST_COLUMNS and width * owners == len(values)
        objects, lists = [], []
        # Where all lines have the same columns, each is of one type.
        for column in [values[start::width] for start in range(width)] if aligned else [values]:
            types = set(map(type, column))
            if float in types:
                floats = column if types == {float} else [value for value in column if type(value) is float]
                self.inexact |= max(floats) >= _FIRST_INEXACT or min(floats) <= -_FIRST_INEXACT
            if str in types:
                self._values.append(column)
            if dict in types:
                objects += [value for value in column if type(value) is dict]
            if list in types:
                lists += [value for value in column if type(value) is list]
        return objects, lists

    def all_keys_of(self, text: bytes) -> bool:
        """Whether the objects certainly have every key that stands in their text, so that none stood there twice.

        A key has a colon behind it, and a key that was lost took nothing but more colons along. It is certain if
        there are as many colons as keys, not counting those that cannot stand behind a key or stand in a string.
        """
        numpy = sys.modules.get("numpy")
        # While another thread imports it, it is there and not yet whole.
        if hasattr(numpy, "count_nonzero") and _colons_after_quote_or_space(numpy, text) == self.keys:
            return True
        # Unlike `count`, this goes from colon to colon at the pace of C's memchr.
        colons = len(text) - len(text.replace(b":", b""))
        if colons == self.keys:
            return True
        if b"\\" in text and b"u003" in text and (b"u003a" in text or b"u003A" in text):
            # A colon in a string that is written as no colon would make up for one that was lost.
            return False
        colons -= sum(map(_colons_in, self._values))
        return colons == self.keys or colons - sum(map(_colons_in, self._objects_keys())) == self.keys

    def _objects_keys(self) -> Iterator[Iterable[str]]:
        return (chain.from_iterable(objects) for objects in self._objects)


def _colons_in(values: Iterable[Any]) -> int:
    return sum([value.count(":") for value in values if type(value) is str and ":" in value])


def _colons_after_quote_or_space(numpy: Any, text: bytes) -> int:
    """The colons that may stand behind a key, and some more; in a fraction of the time, where numpy is loaded."""
    codes = numpy.frombuffer(text, numpy.uint8)
    # Below the quote's code there are the spaces, and an exclamation mark.
    return int(numpy.count_nonzero((codes[1:] == ord(":")) & (codes[:-1] <= ord('"'))))


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A dict of the pairs, all of whose keys must differ."""
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {next(name for name in names if names.count(name) > 1)!r} stands twice in an object")
    return made
