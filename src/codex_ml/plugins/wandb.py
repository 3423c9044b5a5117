"""Weights & Biases: a run's metrics, hyperparameters and status, off line unless told otherwise."""

from __future__ import annotations

import os
import secrets
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from codex_addons.component import component
from codex_ml.plugins.hyperparameters import hyperparameters
from codex_ml.plugins.run_folder import first_lines, folder_of, keep_id, kept_id

__all__ = ["Wandb"]

# As shells tell of a process that Ctrl-C ended.
_EXIT_CODES = {"completed": 0, "interrupted": 130}


@component(observer=True, requires=("wandb",), extra="wandb")
class Wandb:
    """Writes the run to `wandb/` in the run's folder; `wandb sync <folder>/wandb/offline-run-*` uploads it.

    Nothing is sent anywhere unless `mode` is `online`, not even where the environment says so, and W&B's own
    telemetry is off in both modes.

    A run that is continued, or begun again in the same folder, has the same W&B id, which is in `wandb.json`. Off line
    it replaces what the earlier attempt wrote, unless that was uploaded: it begins with the values up to the
    checkpoint, so that the one folder has every step once. On line, or behind an upload, it goes on where the server
    stands and leaves out the steps that are there. A run that was interrupted or failed has the summary `status` and an
    exit code other than 0 (130: interrupted).

    Args:
        mode: Whether to write files (`offline`), or to send everything to the server as well.
        project: The project.
        entity: Whose project; null: that of the login.
        run_name: The run's name; null: the name of its folder.
        group: What to show it together with.
        tags: The run's tags.
        system: Whether W&B is to measure and describe the machine as well.
    """

    def __init__(
        self,
        *,
        mode: Literal["offline", "online"] = "offline",
        project: str = "codex-ml",
        entity: str | None = None,
        run_name: str | None = None,
        group: str | None = None,
        tags: list[str] | None = None,
        system: bool = False,
    ) -> None:
        if mode not in ("offline", "online"):
            raise ValueError(f"wandb: mode must be offline or online, not {mode!r}")
        if not project.strip():
            raise ValueError("wandb: project must not be empty")
        self.offline = mode == "offline"
        self._options = {"mode": mode, "project": project, "entity": entity, "group": group, "tags": tags or None}
        self.system = system
        self._name = run_name
        self._folder: Path | None = None
        self._id = ""
        self._record: Mapping[str, Any] = {}
        self._run: Any = None
        self._lines = 0
        self._last_uploaded = -1

    def on_run_start(self, record: Mapping[str, Any]) -> None:
        """Finds the run's id, or makes one."""
        self._folder = folder_of(record)
        if self._folder is None:
            return
        self._record = record
        run_id = str(record.get("run_id"))
        kept = kept_id(self._folder, "wandb", run_id)
        self._id = kept or f"{run_id}-{secrets.token_hex(3)}"
        if kept is None:
            keep_id(self._folder, "wandb", run_id, self._id)
        elif any(map(_is_uploaded, self._earlier())) and (self._folder / "metrics.jsonl").exists():
            # Read now, as a run that starts from the beginning empties the file.
            self._last_uploaded = max((step for step, _ in first_lines(self._folder, 1 << 62)), default=-1)

    def state(self) -> dict[str, int]:
        """How many lines the run has logged."""
        return {"lines": self._lines}

    def load_state(self, state: Mapping[str, int]) -> None:
        """Takes up a run that is continued."""
        self._lines = state["lines"]

    def on_train_start(self, total_steps: int) -> None:
        """Begins the W&B run."""
        self._begin()

    def on_log(self, step: int, values: Mapping[str, float]) -> None:
        """Writes the values."""
        self._begin()
        self._lines += 1
        self._log(step, values)

    def on_run_end(self, record: Mapping[str, Any]) -> None:
        """Writes the result and how the run ended, and closes the W&B run."""
        if self._folder is None:
            return
        if self._run is None:
            # Ended before there was anything to log: what an earlier attempt left is still worth having.
            self._run = self._started()
        told = {"status": record.get("status"), "resumed_from": record.get("resumed_from") or None}
        if record.get("error"):
            told["error"] = str(record["error"].get("message"))
        summary = {**(record.get("metrics") or {}), **told}
        self._run.summary.update({name: value for name, value in summary.items() if value is not None})
        self._run.finish(exit_code=_EXIT_CODES.get(str(record.get("status")), 1))
        self._run = None

    def _begin(self) -> None:
        if self._run is not None or self._folder is None:
            return
        if self.offline:
            for folder in self._earlier():
                if not _is_uploaded(folder):
                    shutil.rmtree(folder, ignore_errors=True)
        self._run = self._started()
        if self._run.resumed:
            self._last_uploaded = self._run.starting_step - 1
        for step, values in first_lines(self._folder, self._lines) if self._lines else ():
            self._log(step, values)

    def _log(self, step: int, values: Mapping[str, float]) -> None:
        if self._run is not None and step > self._last_uploaded:
            self._run.log(dict(values), step=step)

    def _earlier(self) -> list[Path]:
        assert self._folder is not None
        return sorted((self._folder / "wandb").glob(f"offline-run-*-{self._id}"))

    def _started(self) -> Any:
        wandb = _library()
        settings = wandb.Settings(
            console="off",
            disable_code=True,
            disable_git=True,
            save_code=False,
            silent=self.offline,
            x_disable_meta=not self.system,
            x_disable_stats=not self.system,
            x_save_requirements=False,
        )
        assert self._folder is not None
        return wandb.init(
            **self._options,
            id=self._id,
            name=self._name or self._folder.name or None,
            dir=str(self._folder),
            job_type=self._record.get("mode"),
            config=hyperparameters(self._record),
            resume=None if self.offline else "allow",
            # A run of the user's own in this process stays as it is.
            reinit="create_new",
            settings=settings,
        )


def _library() -> Any:
    # Read when W&B is imported.
    os.environ["WANDB_ERROR_REPORTING"] = "false"
    if "wandb" not in sys.modules:
        # The service of a parent process may hold the run still that an attempt began and was killed.
        os.environ.pop("WANDB_SERVICE", None)
    try:
        import wandb
    except ImportError as error:
        raise ImportError(f"plugin 'wandb' needs wandb ({error}): pip install 'codex-ml[wandb]'") from error
    return wandb


def _is_uploaded(folder: Path) -> bool:
    """Whether `wandb sync` uploaded it, which leaves a mark."""
    return any(folder.glob("*.wandb.synced"))
