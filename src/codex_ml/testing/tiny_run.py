"""A real run, small enough for a test: what a component is checked in."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from codex_addons.component import meta_of
from codex_addons.entry_points import InstalledEntryPoint
from codex_ml import registries
from codex_ml.launch.assembly import Assembly, Component, DataFiles
from codex_ml.launch.schema import read_schema
from codex_ml.testing.declaration import default_value

__all__ = ["RECORDS", "by_hand", "prepared", "ran", "tiny_assembly", "tiny_model_component", "tiny_tokenizer_component"]

_WORDS = {"sport": ("ball", "goal", "team", "match"), "tech": ("chip", "code", "disk", "cloud")}

RECORDS: tuple[Mapping[str, Any], ...] = tuple(
    {"text": f"{_WORDS[topic][number % 4]} and {_WORDS[topic][(number + 1) % 4]} {number}", "label": topic}
    for number in range(32)
    for topic in _WORDS
)
"""Sixty-four records on two topics."""


def tiny_assembly(folder: Path, *, records: Sequence[Mapping[str, Any]] = RECORDS, **parts: Any) -> Assembly:
    """A run of the built-in components and the kit's own model, on a few records.

    Args:
        folder: Where its data are written.
        records: What it trains on; the first eight are its validation records as well.
        **parts: Parts of the assembly that take the place of these.
    """
    train, validation = folder / "train.jsonl", folder / "validation.jsonl"
    for path, part in {train: records, validation: records[:8]}.items():
        path.write_bytes(b"".join(orjson.dumps(record) + b"\n" for record in part))
    whole = Assembly(
        task=_registered("task", "classification", max_length=32),
        model=tiny_model_component(),
        tokenizer=tiny_tokenizer_component(),
        data_loader=_registered("data_loader", "jsonl"),
        trainer=_registered("trainer", "functional", lr=0.05, log_steps=1, threads=1),
        metrics=(_registered("metric", "accuracy"),),
        plugins=(),
        data=DataFiles(train=(train,), validation=(validation,)),
    )
    return replace(whole, **parts)


def by_hand(kind: str, factory: Callable[..., Any]) -> Component:
    """A component that no entry point names."""
    name = getattr(factory, "__name__", type(factory).__name__)
    target = f"codex_ml.testing:{name}"
    entry = InstalledEntryPoint(name, registries.GROUPS[kind], target, "codex-ml", "", None, False)
    return Component(kind, name, name, {}, factory, entry, {})


def tiny_model_component() -> Component:
    """The kit's own model."""
    from codex_ml.testing.tiny_parts import tiny_model

    return by_hand("model", tiny_model)


def tiny_tokenizer_component() -> Component:
    """The kit's own tokenizer."""
    from codex_ml.testing.tiny_parts import tiny_tokenizer

    return by_hand("tokenizer", tiny_tokenizer)


def prepared(folder: Path, assembly: Assembly, *, callbacks: Iterable[object] = ()) -> Any:
    """The context of a run, with everything built that training needs.

    Args:
        folder: The run's folder.
        assembly: Its parts.
        callbacks: Who is told what happens.
    """
    from codex_ml.launch.callbacks import Callbacks
    from codex_ml.launch.context import RunContext

    with _apart(folder):
        context = RunContext(assembly, folder, callbacks=Callbacks(assembly.plugins, extra=callbacks))
        context.parts.prepare()
    return context


def ran(folder: Path, assembly: Assembly, *, callbacks: Iterable[object] = ()) -> dict[str, Any]:
    """The record of a whole run in a folder, which is made.

    Args:
        folder: The run's folder.
        assembly: Its parts.
        callbacks: Who is told what happens.
    """
    from codex_ml.launch.execute import execute

    folder.mkdir(parents=True, exist_ok=True)
    with _apart(folder):
        return execute(assembly, folder=folder, run_id="checked", callbacks=callbacks)


@contextmanager
def _apart(folder: Path) -> Iterator[None]:
    """The run's folder as the working directory, and a cache of its own: nothing of the user's is read or written."""
    variable = "CODEX_ML_CACHE_DIR"
    before = os.environ.get(variable)
    os.environ[variable] = str(folder / "cache")
    try:
        with chdir(folder):
            yield
    finally:
        if before is None:
            del os.environ[variable]
        else:
            os.environ[variable] = before


def _registered(kind: str, name: str, **options: Any) -> Component:
    factory = registries.load(kind, name)
    schema = read_schema(kind, factory)
    defaults = {key: default_value(option) for key, option in schema.options.items() if option.listed}
    chosen = {**defaults, **options}
    return Component(kind, name, name, chosen, factory, registries.find(kind, name), meta_of(factory))
