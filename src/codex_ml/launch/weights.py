"""Trained weights to evaluate or predict with: those of a run, of one of its checkpoints, or of an export."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import orjson

from codex_ml.errors import ConfigError
from codex_ml.launch import record
from codex_ml.launch.assembly import Component, Weights
from codex_ml.launch.checkpoints import Checkpoints, is_complete
from codex_ml.launch.export import EXPORT_FILE
from codex_ml.launch.paths import shown

__all__ = ["find", "held_by_factory", "with_weights"]


def find(path: Path) -> Weights:
    """The weights in a run's folder (its export, else its newest checkpoint), in a checkpoint or in an export.

    Raises:
        ConfigError: There are none.
    """
    if not path.is_dir():
        raise ConfigError(f"there is no folder {shown(path)}")
    held = record.read(path)
    if held is not None:
        if (path / "model" / EXPORT_FILE).is_file():
            return _export(path / "model")
        newest = Checkpoints(path).newest()
        if newest is None:
            raise ConfigError(f"the run in {shown(path)} is {held['status']}, and has neither a model nor a checkpoint")
        return _checkpoint(newest[1], path)
    if (path / EXPORT_FILE).is_file():
        return _export(path)
    if is_complete(path) and len(path.parents) > 1:
        return _checkpoint(path, path.parent.parent)
    raise ConfigError(
        f"{shown(path)} is neither a run's folder, nor a checkpoint in one, nor a model that a run exported; for any "
        "other model set model.model_name"
    )


def _export(folder: Path) -> Weights:
    try:
        told = orjson.loads((folder / EXPORT_FILE).read_bytes())
        return Weights(folder, True, told["task"]["name"], told["model"]["name"], told["task_state"])
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise ConfigError(f"{shown(folder / EXPORT_FILE)} cannot be read: {error}") from error


def _checkpoint(folder: Path, run: Path) -> Weights:
    held = record.read(run)
    try:
        components, state = (held or {})["components"], (held or {})["task_state"]
        return Weights(folder, False, components["task"]["name"], components["model"]["name"], state)
    except (LookupError, TypeError) as error:
        raise ConfigError(f"{shown(run)} has no record that says what its checkpoints are of") from error


def with_weights(model: Component, weights: Weights | None) -> Component:
    """A model whose own factory loads an export, where it has options to say so; any other is left as it is."""
    if weights is None or not weights.exported or not {"model_name", "pretrained"} <= model.options.keys():
        return model
    # What the export was made with is in its files already.
    own = {"model_name": str(weights.folder), "pretrained": True, "revision": None, "config": {}, "lora": None}
    return replace(model, options={**model.options, **{key: own[key] for key in own.keys() & model.options.keys()}})


def held_by_factory(model: Component, weights: Weights) -> bool:
    """Whether `with_weights` left it to the model's factory to load them."""
    return weights.exported and model.options.get("model_name") == str(weights.folder)
