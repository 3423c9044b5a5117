"""The texts of records, read and tokenised a chunk at a time, so that memory stays flat on any data set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from codex_ml.errors import DataError
from codex_ml.interfaces import Record

__all__ = ["CHUNK", "chunks", "no_token", "plain_ids", "text_of", "tokenised"]

# Large enough to keep a fast tokenizer's threads busy, small enough for memory to stay flat: a token takes some 100
# bytes until its chunk is done.
CHUNK = 1000
CHARACTERS = 400_000
SHOWN = 40


def chunks(records: Iterable[Record], columns: Sequence[str]) -> Iterator[list[Record]]:
    """Records in lists of `CHUNK`, or fewer where their texts in these columns are long."""
    chunk: list[Record] = []
    length = 0
    for record in records:
        chunk.append(record)
        length += sum(len(text) for text in map(record.get, columns) if isinstance(text, str))
        if len(chunk) == CHUNK or length >= CHARACTERS:
            yield chunk
            chunk, length = [], 0
    if chunk:
        yield chunk


def text_of(record: Record, column: str) -> str:
    """A record's text.

    Raises:
        DataError: There is none, or it is no string.
    """
    text = record.get(column)
    if isinstance(text, str):
        return text
    found = "missing" if text is None else f"a {type(text).__name__}, not a string"
    raise DataError(f"record {record['id']}: {column} is {found}; name the column with data.columns.{column}")


def no_token(record: Record, column: str, text: str) -> DataError:
    """The error that a text is made no token of."""
    return DataError(f"record {record['id']}: the tokenizer makes no token of its {column} {text[:SHOWN]!r}")


def plain_ids(tokenizer: Any, texts: Sequence[str]) -> list[list[int]]:
    """The token ids of texts, whole and without special tokens."""
    # verbose: that a text is longer than the model's limit is no news to who cuts it into blocks.
    left_out = {"return_attention_mask": False, "return_token_type_ids": False}
    encoded = tokenizer(list(texts), add_special_tokens=False, verbose=False, **left_out)
    return [list(ids) for ids in encoded["input_ids"]]


def tokenised(records: Iterable[Record], tokenizer: Any, column: str) -> Iterator[tuple[str, list[int]]]:
    """The id of each record and the tokens of its text, whole and without special tokens.

    Raises:
        DataError: A text is missing, no string, or without any token.
    """
    for chunk in chunks(records, [column]):
        texts = [text_of(record, column) for record in chunk]
        for record, text, ids in zip(chunk, texts, plain_ids(tokenizer, texts), strict=True):
            if not ids:
                raise no_token(record, column, text)
            yield str(record["id"]), ids
