"""A run's parts by name, before anything heavy is built."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from codex_addons.entry_points import InstalledEntryPoint
from codex_ml import registries
from codex_ml.places import Place

__all__ = ["Assembly", "Component", "DataFiles", "Deferred", "Weights"]


@dataclass(frozen=True)
class Deferred:
    """Stands for a component that brings heavy libraries, as long as nothing is run; it is loaded when it is called."""

    kind: str
    name: str

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """What the component returns."""
        return registries.load(self.kind, self.name)(*arguments, **options)


@dataclass(frozen=True)
class Component:
    """A chosen component with its checked options.

    Attributes:
        kind: The config group, `model`, `metric`, ...
        key: Its key under the group where that holds several (metrics, plugins), else its name.
        name: The registry name.
        options: The options as the component declares them; no `name`, no `factory`.
        factory: The registered object, loaded.
        entry: Where it came from.
        meta: Its `__codex_meta__`, empty where it declares none.
    """

    kind: str
    key: str
    name: str
    options: Mapping[str, Any]
    factory: Callable[..., Any]
    entry: InstalledEntryPoint
    meta: Mapping[str, Any] = field(default_factory=dict)

    @property
    def requires(self) -> tuple[str, ...]:
        """The distributions that it says it imports."""
        return _names(self.meta.get("requires"))

    @property
    def uses(self) -> tuple[str, ...]:
        """The distributions that it says its result depends on where they are installed, beside those it requires."""
        return _names(self.meta.get("uses"))


def _names(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(map(str, value or ()))


@dataclass(frozen=True)
class DataFiles:
    """Which records a run reads. Paths are absolute and exist.

    Attributes:
        train: The files of the split, in order, with a folder where the loader reads such; `validation` and `test`
            likewise, empty where there are none.
        validation_fraction: The part of the training records (0 to 1) set aside where `validation` is empty.
        limit: The most records taken of each split, from its start; None for all.
        columns: Logical column to the file's column, {"label": "topic"}.
    """

    train: tuple[Place, ...]
    validation: tuple[Place, ...] = ()
    test: tuple[Place, ...] = ()
    validation_fraction: float = 0.0
    limit: int | None = None
    columns: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Weights:
    """Weights on disk, and what they belong to.

    Attributes:
        folder: The export's or the checkpoint's folder.
        exported: Whether it is an export, which a model's own factory may load; else a checkpoint's state.
        task: The name of the task that they were trained for; `model` likewise.
        task_state: What that task learnt from its training records.
    """

    folder: Path
    exported: bool
    task: str
    model: str
    task_state: Mapping[str, Any]


@dataclass(frozen=True)
class Assembly:
    """Everything a run is made of."""

    task: Component
    model: Component
    tokenizer: Component | None
    data_loader: Component
    trainer: Component
    metrics: tuple[Component, ...]
    plugins: tuple[Component, ...]
    data: DataFiles
    seed: int = 0
    objective: str | None = None
    mode: str = "train"
    weights: Weights | None = None

    @property
    def parts(self) -> tuple[Component, ...]:
        """Its components, in the order of the config's groups."""
        single = (self.task, self.model, self.tokenizer, self.data_loader, self.trainer)
        return tuple(part for part in (*single, *self.metrics, *self.plugins) if part is not None)

    @property
    def unmeasured(self) -> str:
        """Why the metrics will not be measured, and the way out; empty where they will be, or where there are none."""
        data = self.data
        if self.mode != "train" or not self.metrics or data.validation or data.test or data.validation_fraction:
            return ""
        names = ", ".join(metric.key for metric in self.metrics)
        ways = "set data.validation_fraction=0.1, or name files in data.validation or data.test"
        return f"not measured: {names}, for there are no validation or test records; {ways}"
