"""Where a quote of a CSV file is never closed, found without parsing what stands behind it."""

from __future__ import annotations

__all__ = ["never_closed", "unclosed_quote"]


def unclosed_quote(data: bytes, delimiter: bytes, quote: bytes) -> tuple[int, int] | None:
    """Where a row starts that the end of the data cuts within quotes, and where the quote opens; None if none does.

    The quotes are those of a strict `csv.reader`: one opens at the start of a field, two in a row are one of the text,
    and behind a row with text after a closing quote, reading goes on at the next line.

    Args:
        data: Text that starts with a row.
        delimiter: What is between fields.
        quote: What is around fields.
    """
    row = outside = at = 0
    returns = b"\r" in data
    while True:
        opening = data.find(quote, at)
        if opening < 0:
            return None
        at = opening + len(quote)
        if opening and data[opening - 1] not in b"\r\n" and not data.endswith(delimiter, outside, opening):
            # A part of the text of its field.
            continue
        newline = max(data.rfind(b"\n", outside, opening), data.rfind(b"\r", outside, opening) if returns else -1)
        row = newline + 1 or row
        closed = _closed(data, quote, at)
        if closed is None:
            return row, opening
        outside = at = closed
        if not (closed == len(data) or data[closed] in b"\r\n" or data.startswith(delimiter, closed)):
            ends = [data.find(b"\n", closed), data.find(b"\r", closed) if returns else -1]
            outside = at = min((end for end in ends if end >= 0), default=len(data))


def _closed(data: bytes, quote: bytes, at: int) -> int | None:
    """Behind the quote that closes the field whose text starts there."""
    while True:
        at = data.find(quote, at) + len(quote)
        if at < len(quote):
            return None
        if not data.startswith(quote, at):
            return at
        at += len(quote)


def never_closed(quote: int, first: int, last: int) -> str:
    """Why a row is bad whose quote is never closed; its lines are numbered from 1."""
    lost = f"lines {first} to {last} are lost" if last > first else f"line {first} is lost"
    return f"the quote that opens in line {quote} is never closed; {lost}"
