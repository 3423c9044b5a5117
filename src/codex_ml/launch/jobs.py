"""The jobs of a sweep before the first one is started: which they are, and what is wrong with them."""

from __future__ import annotations

import copy
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, IntervalSweep, Override
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from codex_ml.errors import ConfigError, Problem
from codex_ml.launch import wording
from codex_ml.launch.diagnosis import Diagnosis
from codex_ml.launch.loader import Loader
from codex_ml.launch.nodes import written_out
from codex_ml.launch.paths import shown
from codex_ml.launch.sources import Sources

__all__ = ["checks", "make_folder", "problems_of_jobs", "problems_of_sweep", "tasks"]

# Each value of a sweep is looked at, not each combination of them; of a long range the beginning.
_MOST = 20
_PARAMS = "hydra.sweeper.params"


def problems_of_jobs(loader: Loader, overrides: Sequence[str]) -> list[Problem]:
    """Every problem that the values of a sweep's overrides have, each told by the override that it came from."""
    found = [Problem(message, text) for text in overrides if (message := _expansion(text, loader))]
    # What gives no value has been told, and is left out so that the rest can be looked at.
    columns = {text: values for text in overrides if (values := _values(text, loader))}
    for number in range(max(map(len, columns.values()), default=0)):
        job = [column[number % len(column)] for column in columns.values()]
        typed = dict(zip(job, columns, strict=True))
        found += (
            replace(problem, source=typed.get(problem.source, problem.source))
            for problem in Diagnosis(loader, RunMode.RUN).problems_of(job, None)
        )
    return list(dict.fromkeys(found))


def problems_of_sweep(config: DictConfig, sources: Sources, loader: Loader) -> list[Problem]:
    """What keeps the sweeper from making jobs of a sweep."""
    typed = [str(override.input_line) for override in sources.overrides]
    found = [Problem(message, text) for text in typed if (message := _expansion(text, loader))]
    for text in _params(config):
        message = _expansion(text, loader)
        if message:
            found.append(Problem(f"{text}: {message}", sources.of(_PARAMS)))
    most = OmegaConf.select(config, "hydra.sweeper.max_batch_size")
    if isinstance(most, int) and most < 1:
        message = f"'hydra.sweeper.max_batch_size' must be at least 1, not {most}"
        found.append(Problem(message, sources.of("hydra.sweeper.max_batch_size")))
    return found


def checks(loader: Loader, config: DictConfig) -> list[DictConfig]:
    """The configs of a sweep's jobs where each is only to be checked, which needs no launcher; else none."""
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper

    typed = OmegaConf.to_container(config.hydra.overrides.task, resolve=False)
    assert isinstance(typed, list)
    parsed = OverridesParser.create(config_loader=loader).parse_overrides([*_params(config), *map(str, typed)])
    found: list[DictConfig] = []
    for batch in BasicSweeper.split_arguments(parsed, None):
        for overrides in batch:
            job = loader.load_sweep_config(config, overrides)
            if job.mode != "check":
                return []
            with read_write(job), open_dict(job):
                job.hydra.job.id = job.hydra.job.num = len(found)
            found.append(job)
    return found


def tasks(configs: Sequence[DictConfig]) -> Iterator[DictConfig]:
    """Each job's config as its function gets it, while Hydra's own is the job's; no folder is made."""
    before = HydraConfig.instance().cfg
    try:
        for config in configs:
            HydraConfig.instance().set_config(config)
            place = os.path.abspath(os.path.join(str(config.hydra.sweep.dir), str(config.hydra.sweep.subdir)))
            with read_write(config.hydra.runtime), open_dict(config.hydra.runtime):
                config.hydra.runtime.output_dir = place
            HydraConfig.instance().set_config(config)
            task = copy.deepcopy(config)
            with read_write(task), open_dict(task):
                del task["hydra"]
            yield task
    finally:
        HydraConfig.instance().cfg = before


def make_folder(folder: str, sources: Sources) -> None:
    """Makes a sweep's folder.

    Raises:
        ConfigError: It cannot be made or written.
    """
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        message = f"the sweep's folder {shown(folder)} cannot be written: {reason}; set hydra.sweep.dir=<folder>"
        raise ConfigError([Problem(message, sources.of("hydra.sweep.dir"))]) from error


def _params(config: DictConfig) -> list[str]:
    """The sweep that a config holds besides the command line's."""
    sweeper = config.hydra._get_node("sweeper")
    params = sweeper._get_node("params", validate_access=False) if written_out(sweeper) else None
    return [f"{key}={value}" for key, value in params.items()] if written_out(params) else []


def _expansion(text: str, loader: Loader) -> str:
    """What keeps an override from being one job for each of its values; empty where nothing does."""
    try:
        override = _parsed(text, loader)
        if not override.is_sweep_override():
            return ""
        key, value = override.get_key_element(), override._value
        if isinstance(value, IntervalSweep):
            return (
                f"the sweeper tries single values, and an interval has none: {key}=<value>,<value> or "
                f"{key}=range(<start>,<stop>,<step>)"
            )
        if next(iter(override.sweep_string_iterator()), None) is not None:
            return ""
    except (HydraException, ValueError) as error:
        return wording.of_syntax(text, str(error))
    if not isinstance(value, Glob):
        return "gives no value, and so no job: in range(<start>,<stop>) the stop must lie beyond the start"
    options = ", ".join(map(str, loader.get_group_options(override.key_or_group)))
    return f"matches nothing, and so gives no job; the options: {options}" if options else "matches nothing: no group"


def _values(text: str, loader: Loader) -> list[str]:
    """An override once for each of its values."""
    try:
        override = _parsed(text, loader)
        if not override.is_sweep_override():
            return [text]
        if isinstance(override._value, IntervalSweep):
            return []
        key = override.get_key_element()
        return [f"{key}={value}" for value in islice(override.sweep_string_iterator(), _MOST)]
    except (HydraException, ValueError):
        # Told as it is.
        return [text]


def _parsed(text: str, loader: Loader) -> Override:
    # Only this one of the parser's two methods gives a glob what it looks its names up in.
    (override,) = OverridesParser.create(config_loader=loader).parse_overrides([text])
    return override
