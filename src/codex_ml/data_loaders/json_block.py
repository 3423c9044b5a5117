"""JSON Lines: the objects of many lines at once, or of one, with the same checks.

msgspec decodes values that stand behind one another, whether a newline is between them or not, and keeps the last of
equal keys. Neither can be switched off, so both are found out afterwards, for a whole block at a time.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any

import orjson

__all__ = ["record_of", "records_of", "records_or_none"]

# In a shorter text, calling numpy takes more time than it saves.
_NUMPY_BYTES = 2**12
_KINDS = {list: "a list", str: "a string", int: "a number", float: "a number", bool: "a boolean", type(None): "null"}


def records_of(block: bytes) -> list[dict[str, Any]] | None:
    """The objects of a block, one on each of its lines; None where a line has to be looked at alone."""
    if b"\r" in block:
        block = block.replace(b"\r\n", b"\n")
    block = block.removesuffix(b"\n")
    lines = _lines(block)
    if lines is None:
        return None
    try:
        records = _decoder().decode_lines(block)
    except (ValueError, RecursionError):
        return None
    return records if len(records) == lines and not _lost(records, block) else None


def records_or_none(lines: Sequence[bytes]) -> list[dict[str, Any] | None]:
    """The object on each line; None for a line that `record_of` is to look at."""
    decode = _decoder().decode
    found: list[Any] = []
    for line in lines:
        try:
            found.append(decode(line))
        except (ValueError, RecursionError):
            found.append(None)
    objects = [at for at, value in enumerate(found) if type(value) is dict]
    made: list[dict[str, Any] | None] = [None] * len(lines)
    for at in _unrepeated(objects, found, lines):
        made[at] = found[at]
    return made


def _unrepeated(places: Sequence[int], found: Sequence[Any], lines: Sequence[bytes]) -> Iterator[int]:
    """Those of the places whose objects lack no key."""
    if not _lost([found[at] for at in places], b"\n".join([lines[at] for at in places])):
        yield from places
    elif len(places) > 1:
        middle = len(places) // 2
        yield from _unrepeated(places[:middle], found, lines)
        yield from _unrepeated(places[middle:], found, lines)


def record_of(line: bytes) -> dict[str, Any]:
    """The object on a line.

    Raises:
        ValueError: There is none; the message is the reason.
    """
    try:
        record = _decoder().decode(line)
        if isinstance(record, dict) and _lost([record], line):
            return json.loads(line.decode(), object_pairs_hook=_object)
    except RecursionError:
        raise ValueError("the values are nested too deeply") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"malformed JSON: {error.msg} (column {error.colno})") from None
    except ValueError as error:
        raise ValueError(_reason(line, error)) from None
    if not isinstance(record, dict):
        raise ValueError(f"an object is needed, this is {_KINDS[type(record)]}")
    return record


@cache
def _decoder() -> Any:
    import msgspec

    return msgspec.json.Decoder()


def _reason(line: bytes, error: ValueError) -> str:
    """Why a line is malformed, with its column, which orjson tells better."""
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError as told:
        return f"malformed JSON: {told.msg} (column {told.colno})"
    return str(error) if str(error).startswith("the key") else f"malformed JSON: {error}"


def _lines(block: bytes) -> int | None:
    """How many lines a block has; None where it isn't sure that each is a value of its own.

    Within a JSON value no `}` stands before a `{` with only space between. So where each newline stands between the
    two, it is between two values, and if there are as many values as lines, it is one on each.
    """
    if block[:1] != b"{" or block[-1:] != b"}":
        return None
    numpy = _numpy(block)
    if numpy is None:
        newlines = block.count(b"\n")
        return newlines + 1 if block.count(b"}\n{") == newlines else None
    codes = numpy.frombuffer(block, numpy.uint8)
    at = numpy.flatnonzero(codes == ord("\n"))
    between = (codes[at + 1] == ord("{")).all() and (codes[at - 1] == ord("}")).all()
    return len(at) + 1 if between else None


def _numpy(text: bytes) -> Any:
    """numpy, where it is loaded and of use: a run has it in any case, and nobody else is to wait for it."""
    numpy = sys.modules.get("numpy") if len(text) >= _NUMPY_BYTES else None
    # While another thread imports it, it is there and not yet whole.
    return numpy if hasattr(numpy, "count_nonzero") else None


def _lost(records: list[dict[str, Any]], text: bytes) -> bool:
    """Whether a key stands twice in an object, so that the records lack one: the text has a colon for each key."""
    if _count(text, b"{") == len(records):
        return _differs(text, sum(map(len, records)))
    if text.isascii() and (b"\\" not in text or b"\\u" not in text):
        # Of other text, writing it would leave a copy in UTF-8 with each string.
        try:
            return _rewritten_lacks_quotes(records, text)
        except TypeError:
            # An integer of more than 64 bits, or more levels than orjson writes.
            pass
    return _differs(text, _keys(records))


def _rewritten_lacks_quotes(records: list[dict[str, Any]], text: bytes) -> bool:
    r"""Whether fewer quotes come out than went in; so it is if a key was lost, in text without `\u`.

    The text has two for each string, keys among them, and one in each `\"`. Written again, the records have two for
    each string that was kept, and one in each `\"` of these. Neither is more than in the text, so if their sum isn't
    less, no string was lost.
    """
    return _count(text, b'"') != _count(orjson.dumps(records), b'"')


def _count(text: bytes, byte: bytes) -> int:
    numpy = _numpy(text)
    if numpy is None:
        return text.count(byte)
    return int(numpy.count_nonzero(numpy.frombuffer(text, numpy.uint8) == ord(byte)))


def _differs(text: bytes, keys: int) -> bool:
    """Whether well-formed JSON has more than so many colons outside of strings: behind an even number of its quotes."""
    numpy = _numpy(text)
    if numpy is None:
        return _colons_between_strings(text) != keys
    codes = numpy.frombuffer(text, numpy.uint8)
    # Behind a key stands its quote or space. If no more colons than keys have these before them, none is lost.
    behind_keys = (codes[1:] == ord(":")) & (codes[:-1] <= ord('"'))
    if int(numpy.count_nonzero(behind_keys)) == keys:
        return False
    quotes = numpy.flatnonzero(codes == ord('"'))
    escaped = codes[quotes - 1] == ord("\\")
    if escaped.any():
        if (codes[quotes[escaped] - 2] == ord("\\")).any():
            # Whether this backslash is itself escaped depends on those before it.
            return _colons_between_strings(text) != keys
        quotes = quotes[~escaped]
    before = numpy.searchsorted(quotes, numpy.flatnonzero(codes == ord(":")))
    return len(before) - int(numpy.count_nonzero(before & 1)) != keys


def _colons_between_strings(text: bytes) -> int:
    """How many colons there are between strings."""
    if b"\\" in text:
        # From the left on, two backslashes are always an escaped one.
        text = text.replace(b"\\\\", b"").replace(b'\\"', b"")
    return b"".join(text.split(b'"')[::2]).count(b":")


def _keys(values: Iterable[Any]) -> int:
    """How many keys there are in parsed values, at any depth."""
    count, dicts = 0, list(values)
    while dicts:
        count += sum(map(len, dicts))
        inside = [item for each in dicts for item in each.values() if type(item) is dict or type(item) is list]
        dicts = []
        while inside:
            dicts += [item for item in inside if type(item) is dict]
            lists = [item for item in inside if type(item) is list]
            inside = [item for each in lists for item in each if type(item) is dict or type(item) is list]
    return count


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A dict of the pairs, all of whose keys must differ."""
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {next(name for name in names if names.count(name) > 1)!r} stands twice in an object")
    return made
