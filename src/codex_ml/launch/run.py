"""Runs what was composed: one run, or each job of a sweep."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from contextlib import chdir, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

from hydra._internal.callbacks import Callbacks
from hydra._internal.hydra import Hydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus, run_job
from hydra.types import HydraContext
from hydra.utils import instantiate
from omegaconf import DictConfig, open_dict, read_write

from codex_ml.errors import CodexError, ConfigError, Problem
from codex_ml.launch import folders, jobs, record, resolvers, result_page
from codex_ml.launch.assemble import assemble
from codex_ml.launch.assembly import Assembly
from codex_ml.launch.compose import Composed, with_jobs
from codex_ml.launch.declarations import declaration_of
from codex_ml.launch.execute import execute
from codex_ml.launch.export import clear_leftovers
from codex_ml.launch.identity import run_id
from codex_ml.launch.loader import Loader
from codex_ml.launch.paths import shown
from codex_ml.launch.sources import Sources
from codex_ml.launch.validate import Values, validate

__all__ = ["job", "single", "sweep"]


@dataclass(frozen=True)
class Plan:
    """One job: its parts, its identity, where it goes, and whether that place was given or chosen here."""

    assembly: Assembly
    run_id: str
    folder: Path
    given: bool
    mode: str
    resume: str
    subdir: str


def _plan(config: DictConfig, values: Values, sources: Sources, folder: str) -> Plan:
    settings = values.settings
    runs = settings.mode != "check"
    if runs and any(declaration_of(choice.kind, choice.name).deferred for choice in values.choices):
        values, problems = validate(config, sources, loaded=True)
        if problems:
            raise ConfigError(problems)
    assembly = assemble(config, values, sources, loaded=runs)
    # What is only checked is the run that it would be.
    identity = run_id(assembly, settings.mode if runs else "train")
    try:
        place = Path(folder or settings.run.root).expanduser().absolute()
    except RuntimeError as error:
        raise ConfigError(f"run.root={settings.run.root}: {error}") from error
    if not folder:
        place /= folders.name_of(_choices(config), identity)
    return Plan(assembly, identity, place, bool(folder), settings.mode, settings.run.resume, _subdir(config))


def _subdir(config: DictConfig) -> str:
    """Hydra's own folder in the run's; the config of a sweep's job has no node of Hydra's."""
    hydra = HydraConfig.get() if "hydra" not in config else config.hydra
    return str(hydra.output_subdir)


def _choices(config: DictConfig) -> dict[str, Any]:
    return {str(key): value for key, value in config.hydra.runtime.choices.items()}


def _carry_out(plan: Plan, run: Callable[[Path], dict[str, Any]]) -> dict[str, Any] | None:
    """Does what a plan's mode asks for, says what came of it, and returns the record of a run."""
    making = plan.mode != "check"
    folder = folders.choose(plan.folder, plan.run_id, plan.resume, given=plan.given, make=making, subdir=plan.subdir)
    if not making:
        print(f"The config is sound: it would run in {shown(folder)}.", flush=True)
        if plan.assembly.unmeasured:
            print(f"It would leave something out: {plan.assembly.unmeasured}.", flush=True)
        return None
    told = None if plan.resume == "never" else folders.finished(folder, plan.run_id)
    again = told is not None
    if told is None:
        with folders.locked(folder):
            clear_leftovers(folder)
            told = run(folder)
    print(result_page.text(told, folder, again=again), flush=True)
    return told


def single(hydra: Hydra, composed: Composed) -> int:
    """Runs one composed config and prints its result; returns the exit code."""
    config = composed.config
    assert composed.values is not None
    _try_out(composed)
    plan = _plan(config, composed.values, composed.sources, str(config.hydra.run.dir or ""))
    _carry_out(plan, lambda folder: _by_hydra(hydra, config, plan, folder))
    return 0


def _by_hydra(hydra: Hydra, config: DictConfig, plan: Plan, folder: Path) -> dict[str, Any]:
    with read_write(config), open_dict(config):
        config.hydra.run.dir = str(folder)
    own = folder / str(config.hydra.output_subdir)
    there = own.exists()
    callbacks = Callbacks(config)
    name = config.hydra.job.config_name
    callbacks.on_run_start(config=config, config_name=name)
    try:
        result = run_job(
            task_function=lambda _: execute(plan.assembly, folder=folder, run_id=plan.run_id),
            config=config,
            job_dir_key="hydra.run.dir",
            job_subdir_key=None,
            hydra_context=HydraContext(config_loader=hydra.config_loader, callbacks=callbacks),
        )
    except OSError as error:
        # Hydra's own files, before the run began; a part of one would be taken for the whole.
        if record.read(folder) is None and not there:
            shutil.rmtree(own, ignore_errors=True)
        raise CodexError(f"cannot write the run's files in {shown(folder)}: {error.strerror or error}") from error
    callbacks.on_run_end(config=config, config_name=name, job_return=result)
    if result.status == JobStatus.COMPLETED:
        return cast("dict[str, Any]", result.return_value)
    # The property would print Hydra's own line before it raises.
    raise result._return_value


def _try_out(composed: Composed, *places: str) -> None:
    """Builds what Hydra would build of its own node, so that what is wrong with it is told as anything else is.

    Args:
        composed: The config.
        *places: Which parts of the node, beside its callbacks.

    Raises:
        ConfigError: Something cannot be built.
    """
    own = composed.config.hydra
    builders = {f"hydra.{place}": partial(Plugins.instance()._instantiate, own[place]) for place in places}
    builders |= {f"hydra.callbacks.{name}": partial(instantiate, own.callbacks[name]) for name in own.callbacks or ()}
    problems: list[Problem] = []
    for path, build in builders.items():
        try:
            build()
        except Exception as error:
            reason = str(error.__cause__ or error).strip().partition("\n")[0]
            problems.append(Problem(f"'{path}' cannot be used: {reason}", composed.sources.of(path)))
    if problems:
        raise ConfigError(problems)


def sweep(hydra: Hydra, composed: Composed) -> int:
    """Runs every job of a sweep by Hydra's sweeper and launcher; returns the exit code."""
    config = composed.config
    _try_out(composed, "launcher", "sweeper")
    loader = cast("Loader", hydra.config_loader)
    try:
        # Read before the sweep, which gets a copy with what was read: a folder named after the time keeps its name.
        folder = str(config.hydra.sweep.dir)
        checks = jobs.checks(loader, config)
        for task in jobs.tasks(checks):
            job(task)
        if checks:
            print(f"{len(checks)} jobs checked.")
            return 0
        jobs.make_folder(folder, composed.sources)
        # The overrides are in the config that the loader hands out.
        results = hydra.multirun(config_name=config.hydra.job.config_name, task_function=job, overrides=[])
    except ConfigError as error:
        loader.frozen = None
        overrides = [str(override.input_line) for override in composed.sources.overrides]
        problems = with_jobs([], loader, overrides)
        raise ConfigError(problems or error.problems) from error
    done = [result for batch in results or () for result in batch if isinstance(result, JobReturn)]
    print(f"{len(done)} jobs done, in {shown(folder)}.")
    return 0


def job(config: DictConfig) -> float | None:
    """Runs one job of a sweep in the folder that Hydra gave it; returns the objective's value, for sweepers."""
    resolvers.register()
    sources, own, here = Sources((), ()), HydraConfig.get(), Path.cwd()

    def run(folder: Path) -> dict[str, Any]:
        with chdir(here):
            return execute(plan.assembly, folder=folder, run_id=plan.run_id)

    # Paths are meant and told from where the sweep was started, not from the folder that Hydra may have gone to.
    with chdir(own.runtime.cwd) if own.job.chdir else nullcontext():
        values, problems = validate(config, sources)
        if problems:
            raise ConfigError(problems)
        plan = _plan(config, values, sources, own.runtime.output_dir)
        told = _carry_out(plan, run)
    objective = told.get("objective") if told else None
    return objective.get("value") if isinstance(objective, Mapping) else None
