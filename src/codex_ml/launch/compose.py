"""Composes a config with Hydra and checks it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode
from omegaconf import DictConfig

from codex_ml.errors import ConfigError, Problem
from codex_ml.launch import safety, wording
from codex_ml.launch.diagnosis import FAILURES, Diagnosis
from codex_ml.launch.loader import Loader
from codex_ml.launch.sources import Sources, ordered
from codex_ml.launch.validate import Values, validate

__all__ = ["CONFIG_NAME", "Composed", "compose", "compose_job", "with_jobs"]

CONFIG_NAME = "config"


@dataclass(frozen=True)
class Composed:
    """A composed config.

    Attributes:
        config: As Hydra composed it, with its `hydra` node.
        values: Its checked values; None where it wasn't checked, as the common part of a sweep, whose jobs are.
        sources: Where its keys came from.
    """

    config: DictConfig
    values: Values | None
    sources: Sources


def compose(
    loader: Loader, overrides: Sequence[str], *, run_mode: RunMode = RunMode.RUN, checked: bool = True
) -> Composed:
    """Composes a config and checks it.

    Args:
        loader: Hydra's config loader.
        overrides: The command line's overrides.
        run_mode: For a sweep only the part that its jobs have in common is composed.
        checked: Whether the values are checked; a config that is only to be shown needn't be right, just safe.

    Raises:
        ConfigError: With every problem of the config.
    """
    overrides = list(overrides)
    try:
        config = loader.load_configuration(
            loader.config_name, overrides, run_mode, validate_sweep_overrides=run_mode == RunMode.RUN
        )
    except ConfigError:
        raise
    except FAILURES as failure:
        problems = Diagnosis(loader, run_mode).problems_of(overrides, failure)
        if run_mode == RunMode.MULTIRUN:
            problems = with_jobs(problems, loader, overrides)
        raise ConfigError(problems) from failure
    sources = Sources(OverridesParser.create().parse_overrides(overrides), loader.layers)
    problems = [*safety.problems(config, sources, loader), *_problems_of_hydra_sweeps(sources)]
    values = None
    if checked and run_mode == RunMode.RUN:
        values, found = validate(config, sources)
        problems += found
        if problems:
            # What it imports is of no use to a config that is right, or only to be shown.
            from codex_ml.launch.assemble import apart

            problems += apart(config, values, sources)
        if any(wording.unchosen(layer.result.config) for layer in loader.layers if not layer.package):
            # It composes, but what it stands in for is gone, and the mistakes below that with it.
            problems = Diagnosis(loader, run_mode).problems_of(overrides, None)
    elif checked:
        problems += _problems_of_sweep(config, sources, loader)
    if problems and run_mode == RunMode.MULTIRUN:
        problems = with_jobs(problems, loader, overrides)
    if problems:
        raise ConfigError(ordered(problems, overrides))
    return Composed(config, values, sources)


def _problems_of_hydra_sweeps(sources: Sources) -> list[Problem]:
    return [
        Problem("Hydra's own settings are one for all jobs: give one value", str(override.input_line))
        for override in sources.overrides
        if override.is_sweep_override() and override.is_hydra_override()
    ]


def _problems_of_sweep(config: DictConfig, sources: Sources, loader: Loader) -> list[Problem]:
    from codex_ml.launch.jobs import problems_of_sweep

    return problems_of_sweep(config, sources, loader)


def with_jobs(problems: Sequence[Problem], loader: Loader, overrides: Sequence[str]) -> list[Problem]:
    """The problems of a sweep, and those of the values that its jobs would have."""
    from codex_ml.launch.jobs import problems_of_jobs

    return ordered([*problems, *problems_of_jobs(loader, overrides)], overrides)


def compose_job(loader: Loader, overrides: list[str]) -> DictConfig:
    """The config of one job of a sweep, checked as far as a single run is before it starts."""
    from codex_ml.launch.assemble import assemble

    composed = compose(loader, overrides)
    assert composed.values is not None
    assemble(composed.config, composed.values, composed.sources, loaded=False)
    return composed.config
