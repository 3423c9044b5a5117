"""From a checked config to a run's parts, with every problem that can be found without importing anything heavy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from codex_addons.component import meta_of
from codex_addons.errors import CodexAddonsError
from codex_ml import registries
from codex_ml.errors import CodexError, ConfigError, Problem
from codex_ml.launch.assembly import Assembly, Component, DataFiles, Deferred, Weights
from codex_ml.launch.child import ChildError, forked
from codex_ml.launch.data_files import SAMPLE, places, unreadable, with_samples
from codex_ml.launch.declarations import declaration_of
from codex_ml.launch.evaluation import refusals, unfit
from codex_ml.launch.fitting import fitting
from codex_ml.launch.nearest import nearest
from codex_ml.launch.paths import shown
from codex_ml.launch.sources import Sources, ordered
from codex_ml.launch.splits import splits
from codex_ml.launch.validate import UNRESOLVED, Choice, Values, validate
from codex_ml.launch.versions import version_of
from codex_ml.launch.weights import find, with_weights
from codex_ml.places import Place

__all__ = ["apart", "assemble"]

_SPLITS = ("train", "validation", "test")
# How many records of each split are looked at before a run.
_PROBED = 3


def assemble(config: DictConfig, values: Values, sources: Sources, *, loaded: bool = True) -> Assembly:
    """A run's parts.

    Args:
        config: The composed config, whose `factory` nodes are resolved here.
        values: Its checked values.
        sources: Where its keys came from.
        loaded: Whether components that bring heavy libraries are loaded, to be run. Else each is a stand-in, and what
            needs the component itself is found out in another process.

    Raises:
        ConfigError: With every problem: what cannot be loaded, isn't installed, isn't there or doesn't fit.
    """
    return _Assembler(config, values, sources, loaded=loaded).assembly()


def apart(config: DictConfig, values: Values, sources: Sources) -> list[Problem]:
    """The problems of the data files and the objective, which can be told although something else is wrong."""
    assembler = _Assembler(config, values, sources)
    if "data" not in values.wrong:
        assembler.data()
    if not any(place.startswith("metric.") for place in values.wrong):
        assembler.objective([choice.key for choice in values.choices if choice.kind == "metric"])
    for choice in values.choices:
        # What the task itself says of its options; one that is wrong already stays as it is told.
        if choice.kind == "task" and UNRESOLVED not in choice.options.values():
            component = assembler.component(choice)
            if component and not isinstance(component.factory, Deferred):
                assembler.task(component)
    return assembler.problems


class _Assembler:
    def __init__(self, config: DictConfig, values: Values, sources: Sources, *, loaded: bool = False) -> None:
        self.config, self.values, self.sources, self.loaded = config, values, sources, loaded
        self.problems: list[Problem] = []

    def problem(self, key: str, message: str) -> None:
        self.problems.append(Problem(message, self.sources.of(key)))

    def assembly(self) -> Assembly:
        found = [component for choice in self.values.choices if (component := self.component(choice))]
        data, mode = self.data(), self.values.settings.mode
        self.heads(found)
        weights = self.weights(found)
        self.objective([component.key for component in found if component.kind == "metric"])
        if self.problems:
            # What the task says of its own options is told beside them.
            for component in found:
                if component.kind == "task" and not isinstance(component.factory, Deferred):
                    self.task(component)
            raise self.error()
        single = {component.kind: component for component in found}
        assembly = Assembly(
            task=single["task"],
            model=with_weights(single["model"], weights),
            tokenizer=single.get("tokenizer"),
            data_loader=single["data_loader"],
            trainer=single["trainer"],
            # Predicting scores nothing.
            metrics=tuple(part for part in found if part.kind == "metric" and mode != "predict"),
            plugins=tuple(component for component in found if component.kind == "plugin"),
            data=data,
            seed=self.values.settings.seed,
            objective=self.values.settings.objective,
            mode="train" if mode == "check" else mode,
            weights=weights,
        )
        if any(isinstance(part.factory, Deferred) for part in assembly.parts):
            self.check_apart(assembly)
        else:
            self.check(assembly)
        if self.problems:
            raise self.error()
        return assembly

    def error(self) -> ConfigError:
        return ConfigError(ordered(self.problems, [str(override.input_line) for override in self.sources.overrides]))

    def component(self, choice: Choice) -> Component | None:
        entry = registries.find(choice.kind, choice.name)
        try:
            options = with_samples(choice.options)
            declaration = declaration_of(choice.kind, choice.name)
            meta: Mapping[str, Any] = declaration.meta
            if self.loaded or not declaration.deferred:
                factory = OmegaConf.select(self.config, choice.path).factory
                meta = meta_of(factory)
            else:
                factory = Deferred(choice.kind, choice.name)
        except Exception as error:
            cause = error.__cause__ if isinstance(error.__cause__, CodexAddonsError) else error
            self.problem(choice.path, str(cause))
            return None
        component = Component(choice.kind, choice.key, choice.name, options, factory, entry, meta)
        for option, wrong in unreadable(component):
            self.problem(f"{choice.path}.{option}", wrong)
        absent = [name for name in component.requires if version_of(name) is None]
        if absent:
            extra = meta.get("extra") if entry.distribution == "codex-ml" else None
            install = f"'codex-ml[{extra}]'" if extra else " ".join(absent)
            what = f"{choice.kind} '{choice.name}' needs {', '.join(absent)}, not installed"
            self.problem(choice.path, f"{what}: pip install {install}")
        return component

    def weights(self, found: Sequence[Component]) -> Weights | None:
        """The weights that are named, where they are of the task and the model that are chosen."""
        settings = self.values.settings
        if settings.weights is None:
            return None
        if settings.mode in ("train", "check"):
            self.problem("weights", f"'weights' is for mode=evaluate and mode=predict, not for mode={settings.mode}")
            return None
        try:
            weights = find(Path(settings.weights).expanduser().absolute())
        except (CodexError, RuntimeError) as error:
            self.problem("weights", str(error))
            return None
        chosen = {component.kind: component.name for component in found}
        if (chosen.get("task"), chosen.get("model")) != (weights.task, weights.model):
            of = f"task={weights.task} model={weights.model}"
            self.problem("weights", f"the weights in {shown(weights.folder)} are of {of}: choose these")
        return weights

    def data(self) -> DataFiles:
        data, settings = self.values.settings.data, self.values.settings
        learns = settings.mode in ("train", "check") or settings.weights is None
        if learns and not data.train:
            self.problem("data.train", "'data.train' is not set: data.train=<file>, or choose a data set: data=<name>")
        if settings.mode == "evaluate" and not (data.test or data.validation):
            self.problem("data.test", "mode=evaluate measures the records of 'data.test', which is not set")
        if settings.mode == "predict" and not data.test:
            self.problem("data.test", "mode=predict reads the records of 'data.test', which is not set")
        if not 0 <= data.validation_fraction < 1:
            self.problem("data.validation_fraction", "'data.validation_fraction' must be at least 0 and less than 1")
        if data.limit is not None and data.limit < 1:
            self.problem("data.limit", "'data.limit' must be at least 1, or null for all records")
        self.mixed()
        files = {name: self.files(name, getattr(data, name)) for name in _SPLITS}
        return DataFiles(
            **files, validation_fraction=data.validation_fraction, limit=data.limit, columns=dict(data.columns)
        )

    def mixed(self) -> None:
        """Tells of records of the user's own that would be tried on those of a sample, which nobody named."""
        typed = {str(override.input_line) for override in self.sources.overrides}
        data = self.values.settings.data
        of = {name: self.sources.of(f"data.{name}") in typed for name in _SPLITS}
        sample = {name: SAMPLE in str(getattr(data, name)) for name in _SPLITS}
        left = [f"data.{name}" for name in _SPLITS if sample[name] and not of[name]]
        if left and data.train and of["train"] and not sample["train"]:
            them = " and ".join(left)
            self.problem("data.train", f"{them} would still be the sample's: add data=files, or set them too")

    def files(self, split: str, value: str | Sequence[str] | None) -> tuple[Place, ...]:
        found: list[Place] = []
        for name in [value] if isinstance(value, str) else value or ():
            there, wrong = places(name, self.endings)
            found += there
            if wrong:
                self.problem(f"data.{split}", wrong)
        return tuple(found)

    @cached_property
    def endings(self) -> tuple[str, ...]:
        """How the names of the data loader's files end, as far as it says."""
        names = [choice.name for choice in self.values.choices if choice.kind == "data_loader"]
        try:
            return tuple(declaration_of("data_loader", names[0]).meta.get("endings") or ()) if names else ()
        except CodexAddonsError:
            return ()

    def objective(self, metrics: list[str]) -> None:
        name = self.values.settings.objective
        if name is not None and name not in metrics:
            known = nearest(name, metrics) or f"; the metrics of this run: {', '.join(metrics) or 'none'}"
            self.problem("objective", f"'objective' names no metric of this run{known}")

    def check_apart(self, assembly: Assembly) -> None:
        """The same as `check`, and the components' own checks of their options, where that imports something heavy."""

        def found() -> list[tuple[str, str]]:
            self.problems += validate(self.config, self.sources, loaded=True)[1]
            if not self.problems:
                self.check(assembly)
            return [(problem.message, problem.source) for problem in self.problems]

        try:
            self.problems = [Problem(*told) for told in forked(found)]
        except ChildError as error:
            self.problems.append(Problem(f"the data and the task could not be tried out: {error}"))

    def task(self, component: Component) -> Any:
        """The task itself, or None where its options are wrong, which is told."""
        try:
            return component.factory(**component.options)
        except Exception as error:
            self.problem("task", f"task '{component.name}': {error}")
            return None

    def heads(self, found: Sequence[Component]) -> None:
        """Tells of a model without the head that the task needs, where both say what they have and need."""
        chosen = {component.kind: component for component in found}
        task, model = chosen.get("task"), chosen.get("model")
        wanted, offered = task and task.meta.get("head"), model and model.meta.get("heads")
        if task and model and wanted and offered and wanted not in offered:
            others = [name for name in registries.options("model") if wanted in _heads(name)]
            ways = f"; models that have it: {', '.join(others)}" if others else ""
            has = ", ".join(offered)
            self.problem(
                "model", f"model '{model.name}' has the heads {has}, and task '{task.name}' needs {wanted}{ways}"
            )

    def check(self, assembly: Assembly) -> None:
        """What the parts say of one another."""
        task = self.task(assembly.task)
        if task is None:
            return
        for logical in assembly.data.columns:
            near = nearest(logical, task.columns) if logical not in task.columns else ""
            if near:
                self.problem(f"data.columns.{logical}", f"task '{assembly.task.name}' has no column '{logical}'{near}")
        for metric in assembly.metrics:
            message = unfit(metric, task)
            if message:
                self.problem(f"metric.{metric.key}", f"{message}; {fitting(assembly.task, task)}")
        if not self.problems:
            self.problems += [Problem(told) for told in refusals(assembly.metrics, task, None)]
            self.probe(assembly, task)

    def probe(self, assembly: Assembly, task: Any) -> None:
        """Reads a few records of each split, so that a wrong column is told before the model is loaded."""
        for split in splits(assembly, task).values():
            records = iter(split)
            try:
                for _ in zip(range(_PROBED), records, strict=False):
                    pass
            except CodexError as error:
                problem = Problem(str(error))
                # What is wrong with the columns is wrong in each split.
                if problem not in self.problems:
                    self.problems.append(problem)


def _heads(model: str) -> Sequence[str]:
    try:
        return declaration_of("model", model).meta.get("heads") or ()
    except CodexAddonsError:
        return ()
