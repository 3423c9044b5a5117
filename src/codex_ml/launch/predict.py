"""What a model says of each record, a line each."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from codex_ml.errors import CodexError, ConfigError
from codex_ml.interfaces import Record
from codex_ml.launch.blame import blame, label
from codex_ml.launch.evaluation import evaluating
from codex_ml.launch.parts import Parts
from codex_ml.launch.seeding import seed_everything

__all__ = ["predict"]


def predict(parts: Parts, path: Path) -> int:
    """Writes `id`, `input`, `prediction` and `score` of each record of the test split, and its label if it has one.

    The file is there when it is whole.

    Returns:
        How many there are.

    Raises:
        ConfigError: The task says nothing of single records.
        CodexError: The file cannot be written, or the task failed.
    """
    task: Any = parts.task
    if not hasattr(task, "answers"):
        raise ConfigError(f"{label(parts.assembly.task)} says nothing of single records; mode=predict needs another")
    partial = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}")
    count = 0
    try:
        with partial.open("xb") as file:
            for line in _lines(parts):
                file.write(orjson.dumps(line, option=orjson.OPT_NON_STR_KEYS, default=str) + b"\n")
                count += 1
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError as error:
        raise CodexError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        partial.unlink(missing_ok=True)
    return count


def _lines(parts: Parts) -> Iterator[dict[str, Any]]:
    task: Any = parts.task
    targets = getattr(task, "targets", ())
    inputs = [name for name in task.columns if name not in targets]
    examples, size = parts.examples("test"), 2 * parts.batch_size
    records = iter(parts.splits["test"])
    # What is sampled is the same at each run.
    seed_everything(parts.seed, "predict")
    for first in range(0, len(examples), size):
        chunk = [examples[index] for index in range(first, min(first + size, len(examples)))]
        with evaluating(parts.model), blame(parts.assembly.task, "on predicting"):
            batch = task.collate(chunk, parts.tokenizer, train=False).to(parts.device)
            answers = task.answers(parts.model, batch, parts.tokenizer)
        for name, answer in zip(batch.ids, answers, strict=True):
            record = _of(records, name)
            given = {column: record.get(column) for column in inputs}
            line = {"id": name, "input": given if len(given) > 1 else next(iter(given.values()), None), **answer}
            known = {column: record[column] for column in targets if record.get(column) is not None}
            yield {**line, **known}


def _of(records: Iterator[Record], name: str) -> Record:
    """The record that an example was made of; both come in the same order."""
    for record in records:
        if str(record["id"]) == name:
            return record
    raise CodexError(f"the test records changed while they were predicted: there is no {name} any more")
