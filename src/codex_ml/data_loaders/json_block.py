"""JSON Lines: the objects of many lines at once, or of one, with the same checks.

msgspec decodes values that stand behind one another, whether a newline is between them or not, and keeps the last of
equal keys. Neither can be switched off, so both are found out afterwards, for a whole block at a time.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

import orjson

__all__ = ["record_of", "records_of"]

_KEY_END = re.compile(rb'"[ \t\r\n]*:')
_ESCAPED_END = re.compile(rb'\\"[ \t\r\n]*:')
_KINDS = {list: "a list", str: "a string", int: "a number", float: "a number", bool: "a boolean", type(None): "null"}


def records_of(block: bytes) -> list[dict[str, Any]] | None:
    """The objects of a block, one on each of its lines; None where a line has to be looked at alone."""
    if b"\r" in block:
        block = block.replace(b"\r\n", b"\n")
    block = block.removesuffix(b"\n")
    seen = _seen(block)
    if seen is None:
        return None
    try:
        records = _decoder().decode_lines(block)
    except (ValueError, RecursionError):
        return None
    return records if len(records) == seen.lines and not _twice(records, block, seen) else None


def record_of(line: bytes) -> dict[str, Any]:
    """The object on a line.

    Raises:
        ValueError: There is none; the message is the reason.
    """
    try:
        record = _decoder().decode(line)
        if isinstance(record, dict) and _twice([record], line, _counted(line)):
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


@dataclass(frozen=True)
class _Seen:
    """What a look at a block's bytes tells.

    Attributes:
        lines: How many lines it has.
        flat: Whether it has as many opening braces as lines: then no object holds another.
        key_ends: How often a quote and a colon, or a bit more than that, stand behind one another.
    """

    lines: int
    flat: bool
    key_ends: int


def _seen(block: bytes) -> _Seen | None:
    """What a look at a block tells; None where it isn't sure that each line is a value of its own.

    Within a JSON value no `}` stands before a `{` with only space between. So where each newline stands between the
    two, it is between two values, and if there are as many values as lines, it is one on each.
    """
    if block[:1] != b"{" or block[-1:] != b"}":
        return None
    numpy = _numpy()
    if numpy is None:
        lines = block.count(b"\n") + 1
        return _counted(block, lines) if block.count(b"}\n{") == lines - 1 else None
    codes = numpy.frombuffer(block, numpy.uint8)
    newlines = numpy.flatnonzero(codes == ord("\n"))
    braces = codes == ord("{")
    if not (braces[newlines + 1].all() and (codes[newlines - 1] == ord("}")).all()):
        return None
    lines = len(newlines) + 1
    # Up to the quote's code there are the spaces, and an exclamation mark: what may stand behind a key, and some more.
    colons = (codes[1:] == ord(":")) & (codes[:-1] <= ord('"'))
    return _Seen(lines, int(numpy.count_nonzero(braces)) == lines, int(numpy.count_nonzero(colons)))


def _counted(text: bytes, lines: int = 1) -> _Seen:
    return _Seen(lines, text.count(b"{") == lines, len(_KEY_END.findall(text)))


def _numpy() -> Any:
    """numpy, where it is loaded: a run has it in any case, and nobody else is to wait for it."""
    numpy = sys.modules.get("numpy")
    # While another thread imports it, it is there and not yet whole.
    return numpy if hasattr(numpy, "count_nonzero") else None


def _twice(records: list[dict[str, Any]], text: bytes, seen: _Seen) -> bool:
    """Whether a key may stand twice in an object.

    Behind each key of the text there are a quote and a colon, which strings may hold as well. If there are no more of
    these than keys were kept, none was lost.
    """
    kept = sum(map(len, records)) if seen.flat else _keys(records)
    if seen.key_ends == kept:
        return False
    ends = len(_KEY_END.findall(text))
    if ends > kept and b"\\\\" not in text:
        # Without a backslash that is itself escaped, these quotes are within a string.
        ends -= len(_ESCAPED_END.findall(text))
    return ends != kept


def _keys(values: Iterable[Any]) -> int:
    """How many keys there are in parsed values, at any depth."""
    count, inside = 0, list(values)
    while inside:
        value = inside.pop()
        if type(value) is dict:
            count += len(value)
            value = value.values()
        inside += [item for item in value if type(item) is dict or type(item) is list]
    return count


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A dict of the pairs, all of whose keys must differ."""
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {next(name for name in names if names.count(name) > 1)!r} stands twice in an object")
    return made
