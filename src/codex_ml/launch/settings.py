"""The keys of the config that belong to no component."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["Data", "Run", "Settings"]


@dataclass(frozen=True)
class Data:
    """Which records a run reads.

    Attributes:
        train: The files of the training split: a path, a list of paths, or `sample://<sample>/<file>`.
        validation: Those the model is chosen on.
        test: Those the final metrics are measured on.
        validation_fraction: The part of the training records set aside where there is no validation file, 0 to 1.
        limit: The most records taken of each split.
        columns: Logical column to the file's column.
    """

    train: str | list[str] | None = None
    validation: str | list[str] | None = None
    test: str | list[str] | None = None
    validation_fraction: float = 0.0
    limit: int | None = None
    columns: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """How a run is kept.

    Attributes:
        resume: `auto` continues a run that was cut off and shows one that is finished; `never` runs again in a new
            folder; `must` fails when there is nothing to resume.
        root: The folder below which runs get theirs.
    """

    resume: Literal["auto", "never", "must"] = "auto"
    root: str = "outputs"


@dataclass(frozen=True)
class Settings:
    """Everything at the top of the config beside the components."""

    mode: Literal["train", "evaluate", "predict", "check"] = "train"
    seed: int = 0
    objective: str | None = None
    weights: str | None = None
    data: Data = field(default_factory=Data)
    run: Run = field(default_factory=Run)
    vars: dict[str, Any] = field(default_factory=dict)
