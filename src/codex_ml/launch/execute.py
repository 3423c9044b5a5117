"""One run from its parts to its record."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from numbers import Real
from pathlib import Path
from typing import Any

from codex_ml.errors import CodexError, ConfigError, DataError, RunInterrupted
from codex_ml.launch.assembly import Assembly
from codex_ml.launch.best import direction
from codex_ml.launch.blame import blame, is_unexpected, label
from codex_ml.launch.callbacks import Callbacks
from codex_ml.launch.context import RunContext
from codex_ml.launch.digests import place_digest
from codex_ml.launch.evaluation import Scores
from codex_ml.launch.export import export
from codex_ml.launch.paths import shown
from codex_ml.launch.provenance import components_record, environment_record, git_record, signature
from codex_ml.launch.record import RunRecord
from codex_ml.launch.seeding import seed_everything
from codex_ml.launch.termination import Terminated, Termination

__all__ = ["execute"]

logger = logging.getLogger(__name__)

LOG_FILE = "run.log"


def execute(assembly: Assembly, *, folder: Path, run_id: str, callbacks: Iterable[object] = ()) -> dict[str, Any]:
    """Trains, measures, exports, and keeps the record. The same parts give the same numbers and the same bytes.

    Args:
        assembly: The run's parts.
        folder: The run's own folder, which exists; what an earlier attempt left of the same files is replaced.
        run_id: Its identity, for the record.
        callbacks: Callbacks besides the plugins, told after them.

    Returns:
        The record of the completed run.

    Raises:
        RunInterrupted: Ctrl-C or SIGTERM; the record says `interrupted`.
        CodexError: Anything else that went wrong, named; the record says `failed`, the traceback is in `run.log`.
    """
    with Termination() as termination:
        run = _begun(assembly, Path(folder), run_id)
        try:
            run.start(callbacks)
            run.work()
            termination.disarm()
            return run.complete()
        except BaseException as error:
            termination.disarm()
            told = run.fail(error)
            if told is error:
                raise
            raise told from error
        finally:
            run.close()


def _begun(assembly: Assembly, folder: Path, run_id: str) -> _Run:
    try:
        return _Run(assembly, folder, run_id)
    except KeyboardInterrupt as error:
        raise _told(error) from error


class _Run:
    """The steps of a run, and what its record says after each."""

    def __init__(self, assembly: Assembly, folder: Path, run_id: str) -> None:
        self.assembly = assembly
        self.folder = folder
        self.callbacks = Callbacks()
        self.context: RunContext | None = None
        self.ended = False
        self.record = RunRecord.start(
            folder,
            run_id=run_id,
            mode="train",
            seed=assembly.seed,
            components=components_record(assembly),
            environment=environment_record(),
            git=git_record(),
        )

    def start(self, callbacks: Iterable[object]) -> None:
        """Completes the first record, builds the plugins and tells them."""
        parts = self.assembly
        self.record.update(data=_data_record(parts), threads=_set_threads(parts.trainer.options.get("threads")))
        if parts.unmeasured:
            logger.warning("%s", parts.unmeasured)
        self.callbacks = Callbacks(parts.plugins, seed=parts.seed, extra=callbacks)
        self.callbacks.emit("on_run_start", self.record.fields)

    def work(self) -> None:
        """Everything between the first record and the last."""
        self.context = context = RunContext(self.assembly, self.folder, callbacks=self.callbacks)
        context.prepare()
        self.record.note(task_state=context.task_state, device=context.device)
        own = self._train(context)
        if context.restore() and context.best.step != context.step:
            logger.info("the model is that of step %s, the best on the validation records", context.best.step)
        self.record.note(**_measured(context, own))
        export(
            self.folder / "model",
            assembly=self.assembly,
            model=context.model,
            tokenizer=context.tokenizer,
            task_state=context.task_state,
            head=context.head,
        )

    def _train(self, context: RunContext) -> dict[str, float]:
        trainer = self.assembly.trainer
        seed_everything(self.assembly.seed, "trainer")
        try:
            with blame(trainer, among=self.assembly.parts):
                result = trainer.factory(context, **trainer.options)
            own = _own_metrics(result, label(trainer))
        except BaseException:
            if context.began:
                self.callbacks.emit("on_train_end", failing=True)
            raise
        if context.began:
            self.callbacks.emit("on_train_end")
        return own

    def complete(self) -> dict[str, Any]:
        """Writes the last record of a run in which all went well."""
        self._count_records()
        final = self.record.finish("completed", error=None)
        self._end(final)
        return final

    def fail(self, error: BaseException) -> CodexError:
        """Writes the last record of a run in which something went wrong; returns what the user is told of it."""
        told = _told(error)
        status = "interrupted" if isinstance(told, RunInterrupted) else "failed"
        self._count_records()
        # A plain CodexError is a name put on somebody else's exception; which one, is what its type should say.
        cause = told if type(told) is not CodexError else told.__cause__ or error
        if isinstance(told, CodexError) and is_unexpected(cause):
            told = CodexError(f"{told} (the traceback is in {shown(self.folder / LOG_FILE)})")
        try:
            final = self.record.finish(status, error={"type": type(cause).__name__, "message": str(told)})
            self._end(final, failing=True)
        except CodexError as another:
            logger.error("%s", another)
        # Last, as a disk that is full may have room for one of the two, and the record matters more.
        _log_traceback(self.folder, error)
        return told

    def _end(self, final: Mapping[str, Any], *, failing: bool = False) -> None:
        if not self.ended:
            self.ended = True
            self.callbacks.emit("on_run_end", final, failing=failing)

    def _count_records(self) -> None:
        if self.context is None:
            return
        data = self.record.fields.get("data", {})
        counts = self.context.counts()
        self.record.note(data={name: {**told, **counts.get(name, {})} for name, told in data.items()})

    def close(self) -> None:
        """Closes what the run has open."""
        if self.context is not None:
            self.context.close()


def _told(error: BaseException) -> CodexError:
    """What the user is told: an error of this package."""
    if isinstance(error, CodexError):
        return error
    if isinstance(error, KeyboardInterrupt):
        cause = "SIGTERM" if isinstance(error, Terminated) else "Ctrl-C"
        return RunInterrupted(f"the run was interrupted ({cause}); the same command runs it again")
    return CodexError(f"{type(error).__name__}: {error}")


def _log_traceback(folder: Path, error: BaseException) -> None:
    """Appends the traceback to `run.log` alone, as the terminal gets one sentence."""
    if isinstance(error, KeyboardInterrupt):
        return
    form = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    info = (type(error), error, error.__traceback__)
    record = logger.makeRecord(logger.name, logging.ERROR, __file__, 0, "the run failed", (), info)
    with suppress(OSError), (folder / LOG_FILE).open("a", encoding="utf-8") as file:
        file.write(form.format(record) + "\n")


def _set_threads(wanted: int | None) -> int:
    """Makes torch use so many threads, all that the process may use for None; returns how many they are."""
    import torch

    if wanted is not None and (isinstance(wanted, bool) or not isinstance(wanted, int) or wanted < 1):
        raise ConfigError(f"trainer.threads must be a whole number, 1 or more, not {wanted!r}")
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    torch.set_num_threads(wanted or available)
    return torch.get_num_threads()


def _data_record(assembly: Assembly) -> dict[str, Any]:
    data = assembly.data
    aside = data.validation_fraction if not data.validation else 0.0
    files = {"train": data.train, "validation": data.train if aside else data.validation, "test": data.test}
    try:
        told = {
            name: {
                "paths": list(map(str, paths)),
                "sha256": list(map(place_digest, paths)),
                "records": None,
                "skipped": None,
            }
            for name, paths in files.items()
            if paths
        }
    except OSError as error:
        raise DataError(f"cannot read {error.filename}: {error.strerror}") from error
    for name, part in {"train": 1 - aside, "validation": aside}.items():
        if aside:
            told[name]["fraction"] = part
    return told


def _own_metrics(result: Any, trainer: str) -> dict[str, float]:
    """The metrics in what a trainer returned."""
    if result is not None and not isinstance(result, Mapping):
        raise CodexError(f"{trainer} returned a {type(result).__name__}; a trainer returns a mapping or None")
    metrics = (result or {}).get("metrics") or {}
    if not isinstance(metrics, Mapping):
        raise CodexError(
            f"{trainer} returned metrics as a {type(metrics).__name__}, not as a mapping of names to floats"
        )
    for name, value in metrics.items():
        if isinstance(value, bool) or not isinstance(value, Real):
            raise CodexError(f"{trainer} returned the metric {name}={value!r}; it must be a float")
    return {str(name): float(value) for name, value in metrics.items()}


def _measured(context: RunContext, own: Mapping[str, float]) -> dict[str, Any]:
    """The record's metrics: those of the final split, and whatever the trainer measured besides.

    Args:
        context: The run, with the weights that are to be measured.
        own: The trainer's own metrics; of the same name as one of the run's, the run's counts.
    """
    parts = context.assembly
    split = next((name for name in ("test", "validation") if name in context.splits), None)
    scores = context.measure(split, errors=True) if split and parts.metrics else Scores()
    measured = scores.values
    # What the validation records gave was told when the trainer asked for it, where it did.
    if split and measured and (split == "test" or not context.evaluated):
        context.report(split, measured, step=context.step)
    info: dict[str, Any] = {}
    for metric in parts.metrics:
        if metric.key in measured:
            told = {"greater_is_better": direction(metric), "scale": metric.meta.get("scale")}
            info[metric.key] = {
                **told,
                "input": context.input_of(metric),
                "split": split,
                "standard_error": scores.errors.get(metric.key),
                "signature": signature(metric),
            }
    unknown = {"greater_is_better": None, "scale": None, "input": None, "standard_error": None}
    signed = f"{parts.trainer.name}|{parts.trainer.entry.distribution}:{parts.trainer.entry.version}"
    for name in own.keys() - measured.keys():
        info[name] = {**unknown, "split": "train", "signature": signed}
    metrics = {**measured, **{name: value for name, value in own.items() if name not in measured}}
    return {
        "metrics": metrics,
        "metric_info": info,
        "objective": _objective(parts.objective, metrics, info),
        "best": {"step": context.best.step, "value": context.best.value} if context.best.step is not None else None,
    }


def _objective(name: str | None, metrics: Mapping[str, float], info: Mapping[str, Any]) -> dict[str, Any] | None:
    name = name or next(iter(metrics), None)
    if name is None:
        return None
    if name not in metrics:
        known = ", ".join(metrics) or "none"
        logger.warning("objective=%s is no metric of this run, which has %s", name, known)
    better = info.get(name, {}).get("greater_is_better")
    return {"name": name, "value": metrics.get(name), "greater_is_better": better}
