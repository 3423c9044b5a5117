"""One run from its parts to its record."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

from codex_ml.errors import CodexError, ConfigError, DataError, RunInterrupted
from codex_ml.launch.assembly import Assembly
from codex_ml.launch.blame import blame, is_unexpected, label
from codex_ml.launch.callbacks import Callbacks
from codex_ml.launch.context import RunContext
from codex_ml.launch.digests import place_digest
from codex_ml.launch.export import export
from codex_ml.launch.model_card import model_card
from codex_ml.launch.paths import shown
from codex_ml.launch.predict import predict
from codex_ml.launch.provenance import components_record, environment_record, git_record
from codex_ml.launch.record import PREDICTIONS_FILE, RunRecord, read
from codex_ml.launch.results import measured, own_metrics
from codex_ml.launch.seeding import seed_everything
from codex_ml.launch.termination import Terminated, Termination
from codex_ml.places import Url, place_of

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
        run = _begun(assembly, Path(folder), run_id, termination)
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


def _begun(assembly: Assembly, folder: Path, run_id: str, termination: Termination) -> _Run:
    try:
        return _Run(assembly, folder, run_id, termination)
    except KeyboardInterrupt as error:
        raise _told(error) from error


class _Run:
    """The steps of a run, and what its record says after each."""

    def __init__(self, assembly: Assembly, folder: Path, run_id: str, termination: Termination) -> None:
        self.assembly = assembly
        self.folder = folder
        self.termination = termination
        held = read(folder) or {}
        # A checkpoint is only good for the very run that wrote it.
        self.resume = held.get("run_id") == run_id
        self.continued = list(held.get("resumed_from") or ()) if self.resume else []
        self.callbacks = Callbacks()
        self.context: RunContext | None = None
        self.ended = False
        self.record = RunRecord.start(
            folder,
            run_id=run_id,
            mode=assembly.mode,
            seed=assembly.seed,
            components=components_record(assembly),
            environment=environment_record(),
            git=git_record(),
            resumed_from=self.continued,
        )

    def start(self, callbacks: Iterable[object]) -> None:
        """Completes the first record, builds the plugins and tells them."""
        parts = self.assembly
        self.record.update(data=_data_record(parts), threads=_set_threads(parts.trainer.options.get("threads")))
        if parts.unmeasured:
            logger.warning("%s", parts.unmeasured)
        self.callbacks = Callbacks(parts.plugins, seed=parts.seed, extra=callbacks)
        self.callbacks.emit("on_run_start", {**self.record.fields, "folder": str(self.folder.absolute())})

    def work(self) -> None:
        """Everything between the first record and the last."""
        self.context = context = RunContext(
            self.assembly, self.folder, callbacks=self.callbacks, termination=self.termination, resume=self.resume
        )
        context.parts.prepare()
        _check_unchanged(self.record.fields["data"])
        # Written at once: a checkpoint of a run that is cut off is of no use without it.
        self.record.update(task_state=context.parts.task_state, device=context.device)
        if self.assembly.mode == "train":
            self._learn(context)
        elif self.assembly.mode == "evaluate":
            self.record.note(**measured(context, {}))
        else:
            self.record.note(predictions=predict(context.parts, self.folder / PREDICTIONS_FILE))

    def _learn(self, context: RunContext) -> None:
        own = self._train(context)
        if context.restore_best() and context.best.step != context.step:
            logger.info("the model is that of step %s, the best on the validation records", context.best.step)
        self.record.note(**measured(context, own))
        export(
            self.folder / "model",
            assembly=self.assembly,
            model=context.model,
            tokenizer=context.tokenizer,
            task_state=context.parts.task_state,
            head=context.parts.head,
            card=model_card(self.record.known, context.parts.head),
        )

    def _train(self, context: RunContext) -> dict[str, float]:
        trainer = self.assembly.trainer
        seed_everything(self.assembly.seed, "trainer")
        # One that saves where it stands does so at a signal, and looks for it after each step.
        patient = self.termination.deferred() if trainer.meta.get("checkpoints") else nullcontext()
        try:
            with patient, blame(trainer, among=self.assembly.parts):
                result = trainer.factory(context, **trainer.options)
            if self.termination.asked is not None:
                raise self.termination.asked
            own = own_metrics(result, label(trainer))
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
        if self.context is not None and not self.assembly.trainer.options.get("keep_last"):
            self.context.resumption.clear()
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
        step = self.context.resumption.step
        self.record.note(resumed_from=[*self.continued, *([] if step is None else [step])])
        data = self.record.fields.get("data", {})
        counts = self.context.parts.counts()
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
        return RunInterrupted(f"the run was interrupted ({cause}); the same command goes on from its last checkpoint")
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


def _check_unchanged(told: Mapping[str, Any]) -> None:
    """Refuses data that are no longer what the record says; those behind a URL would have to be loaded once more.

    Raises:
        DataError: A file changed since the run began.
    """
    for data in told.values():
        for name, digest in zip(data["paths"], data["sha256"], strict=True):
            place = place_of(name)
            if not isinstance(place, Url) and place_digest(place) != digest:
                raise DataError(f"{shown(place)} changed while the run read it; run it again")


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
