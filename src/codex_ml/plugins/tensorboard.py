"""TensorBoard: a run's metrics, hyperparameters and status as event files in its folder."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from codex_addons.component import component
from codex_ml.plugins.hyperparameters import hyperparameters
from codex_ml.plugins.run_folder import first_lines, folder_of

__all__ = ["TensorBoard"]

_EVENTS = "events.out.tfevents."
_SESSION = ".hparams"


@component(observer=True, requires=("torch", "tensorboard"), extra="tensorboard")
class TensorBoard:
    """Writes event files to `tensorboard/` in the run's folder; `tensorboard --logdir outputs` shows them.

    Whatever the run logs is a scalar under its name (`loss`, `validation/f1`); the result's metrics, `accuracy`,
    follow at the last step. The hyperparameters and how the run ended are in the dashboard HParams (an interrupted
    run is one that failed there) and in the text `status`.

    A run that is continued writes on in the same folder: what stands there of the checkpoint's step and later is
    marked as void, and written again.

    Args:
        flush_seconds: How long a value may wait before it is on the disk; at a checkpoint none waits.
    """

    def __init__(self, *, flush_seconds: int = 30) -> None:
        if flush_seconds < 1:
            raise ValueError(f"tensorboard: flush_seconds must be 1 or more, not {flush_seconds}")
        self.flush_seconds = flush_seconds
        self._folder: Path | None = None
        self._parameters: dict[str, Any] = {}
        self._writer: Any = None
        self._lines = 0
        self._step = 0
        self._again: list[tuple[int, dict[str, float]]] = []

    def on_run_start(self, record: Mapping[str, Any]) -> None:
        """Writes the hyperparameters."""
        run = folder_of(record)
        if run is not None:
            self._folder = run / "tensorboard"
            self._parameters = {name: _plain(value) for name, value in hyperparameters(record).items()}
            self._write_session(None)

    def state(self) -> dict[str, int]:
        """Puts everything on the disk; how many lines the run had logged by then."""
        if self._writer is not None:
            self._writer.flush()
        return {"lines": self._lines}

    def load_state(self, state: Mapping[str, int]) -> None:
        """Takes up a run that is continued."""
        self._lines = state["lines"]
        if self._folder is not None:
            lines = first_lines(self._folder.parent, self._lines)
            self._step = lines[-1][0] if lines else 0
            # An event is void from a step on: the last step's own are written once more.
            self._again = [line for line in lines if line[0] == self._step]

    def on_log(self, step: int, values: Mapping[str, float]) -> None:
        """Writes the values."""
        self._lines += 1
        if self._folder is None:
            return
        if self._writer is None:
            self._writer = self._open(void_from=self._step if self._again else step)
            for earlier, old in self._again:
                self._add(earlier, old)
        self._add(step, values)

    def on_run_end(self, record: Mapping[str, Any]) -> None:
        """Writes the result and how the run ended, and closes the files."""
        if self._folder is None:
            return
        status, error = record.get("status"), record.get("error")
        if self._writer is None:
            self._writer = self._open()
        result = {name: value for name, value in (record.get("metrics") or {}).items() if value is not None}
        self._add(self._step, result)
        told = f"{status}: {error.get('message')}" if error else str(status)
        self._writer.add_text("status", told, self._step)
        self._writer.close()
        self._writer = None
        self._write_session(status)

    def _add(self, step: int, values: Mapping[str, float]) -> None:
        self._step = max(self._step, step)
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def _open(self, *, void_from: int | None = None) -> Any:
        assert self._folder is not None
        earlier = [path for path in self._folder.glob(f"{_EVENTS}*") if not path.name.endswith(_SESSION)]
        _wait_until_later(earlier)
        return self._summary_writer(purge_step=void_from if earlier else None)

    def _write_session(self, status: Any) -> None:
        """Writes the file of the dashboard HParams anew, as only the first word on a run's end counts there."""
        assert self._folder is not None
        for path in self._folder.glob(f"{_EVENTS}*{_SESSION}"):
            path.unlink()
        writer = self._summary_writer(filename_suffix=_SESSION)
        for summary in _session(self._parameters, status):
            writer.file_writer.add_summary(summary)
        writer.close()

    def _summary_writer(self, **options: Any) -> Any:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            told = f"plugin 'tensorboard' needs tensorboard ({error}): pip install 'codex-ml[tensorboard]'"
            raise ImportError(told) from error
        return SummaryWriter(str(self._folder), flush_secs=self.flush_seconds, **options)


def _session(parameters: dict[str, Any], status: Any) -> list[Any]:
    """What the dashboard HParams reads: how the run began and, unless the status is None, how it ended."""
    from tensorboard.compat.proto import summary_pb2
    from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2
    from torch.utils.tensorboard.summary import hparams

    _, began, _ = hparams(parameters, {})
    if status is None:
        return [began]
    # Their members are made at run time.
    api: Any = api_pb2
    data: Any = plugin_data_pb2
    summaries: Any = summary_pb2
    how = api.STATUS_SUCCESS if status == "completed" else api.STATUS_FAILURE
    info = data.SessionEndInfo(status=how, end_time_secs=time.time())
    about = metadata.create_summary_metadata(data.HParamsPluginData(session_end_info=info))
    value = summaries.Summary.Value(tag=metadata.SESSION_END_INFO_TAG, metadata=about)
    return [began, summaries.Summary(value=[value])]


def _wait_until_later(files: list[Path]) -> None:
    """Waits for the next second where a file is of this one: readers go by the seconds in the names."""
    seconds = {path.name.removeprefix(_EVENTS).partition(".")[0] for path in files}
    while f"{int(time.time()):010d}" in seconds:
        time.sleep(0.05)


def _plain(value: Any) -> bool | int | float | str:
    return value if isinstance(value, bool | int | float | str) else json.dumps(value, default=str)
