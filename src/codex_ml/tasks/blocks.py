"""Documents cut into blocks of equal length, as they stream by."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

__all__ = ["Block", "blocks"]


@dataclass(frozen=True)
class Block:
    """A stretch of the stream of tokens that documents make.

    Attributes:
        id: `<id of the document that it begins in>@<token of that document, from 0>`.
        tokens: Its tokens.
        overlap: How many of them, at its beginning, the block before it has as well.
    """

    id: str
    tokens: list[int]
    overlap: int


def blocks(documents: Iterable[tuple[str, list[int]]], length: int, step: int) -> Iterator[Block]:
    """Cuts the documents, one after the other, into blocks; the last may be shorter. Holds one document at a time.

    Args:
        documents: The id and the tokens of each.
        length: Tokens of a block.
        step: How far behind a block's beginning the next one begins; at most `length`.
    """
    buffer: list[int] = []
    begins: deque[tuple[int, str]] = deque()  # (where in the stream, which document)
    gone = overlap = 0  # tokens of the stream before the buffer's first
    for document, tokens in documents:
        begins.append((gone + len(buffer), document))
        buffer += tokens
        at = 0
        while len(buffer) - at >= length:
            yield Block(_id(begins, gone + at), buffer[at : at + length], overlap)
            at += step
            overlap = length - step
        del buffer[:at]
        gone += at
    if len(buffer) > overlap:
        yield Block(_id(begins, gone), buffer, overlap)


def _id(begins: deque[tuple[int, str]], position: int) -> str:
    while len(begins) > 1 and begins[1][0] <= position:
        begins.popleft()
    start, document = begins[0]
    return f"{document}@{position - start}"
