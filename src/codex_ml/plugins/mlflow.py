"""MLflow: a run's parameters, metrics, tags and record in an SQLite file beside it, or on a tracking server."""

from __future__ import annotations

import json
import logging
import os
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from codex_addons.component import component
from codex_ml.plugins.hyperparameters import hyperparameters
from codex_ml.plugins.run_folder import folder_of, keep_id, kept_id

__all__ = ["Mlflow"]

# What is sent at once, and how long a value may wait for company.
_BATCH = 500
_SECONDS = 5.0
# What a store takes of a name and of a value.
_NAME, _PARAMETER, _TAG = 250, 6000, 5000
_STATUS = {"completed": "FINISHED", "interrupted": "KILLED"}


@component(observer=True, requires=("mlflow-skinny", "sqlalchemy", "alembic"), extra="mlflow")
class Mlflow:
    """Keeps the run in `mlflow.db` beside the run's folder (`outputs/mlflow.db`), its artifacts in `mlflow-artifacts/`.

    `mlflow ui --backend-store-uri sqlite:///outputs/mlflow.db`, in any environment with the whole of MLflow, shows it.
    Nothing is sent anywhere unless `tracking_uri` says so, not even where the environment names a server; MLflow's
    own telemetry is off.

    A run that is continued, or begun again in the same folder, goes on in the same MLflow run, whose id is in
    `mlflow.json`. Of the steps that are there already the first values stand: those of a run that is continued are
    the same. A run that was killed is `RUNNING` there until it is continued, as nobody could say otherwise; one that
    was interrupted is `KILLED`.

    Args:
        tracking_uri: Where to keep it instead: anything that MLflow takes, `http://localhost:5000`.
        experiment: The experiment, which is made where there is none.
        run_name: The run's name; null: the name of its folder.
        tags: Tags beside the plugin's own (`codex_ml.run_id`, `.folder`, `.mode`, `.status`, ...).
    """

    def __init__(
        self,
        *,
        tracking_uri: str | None = None,
        experiment: str = "codex-ml",
        run_name: str | None = None,
        tags: dict[str, str] | None = None,
    ) -> None:
        for name, value in {"tracking_uri": tracking_uri, "experiment": experiment, "run_name": run_name}.items():
            if value is not None and not value.strip():
                raise ValueError(f"mlflow: {name} must not be empty")
        self.tracking_uri = tracking_uri
        self.experiment = experiment
        self.run_name = run_name
        self.tags = dict(tags or {})
        self._client: Any = None
        self._folder = Path()
        self._run = ""
        self._there: set[tuple[str, int]] = set()
        self._waiting: list[Any] = []
        self._sent = 0.0
        self._step = 0

    def on_run_start(self, record: Mapping[str, Any]) -> None:
        """Begins the MLflow run, or takes it up again, and writes parameters and tags."""
        folder = folder_of(record)
        if folder is None:
            return
        self._folder = folder
        self._client = _client(self.tracking_uri or _beside(folder))
        run_id = str(record.get("run_id"))
        known = self._known(run_id)
        if known is None:
            self._run = self._begun()
            keep_id(folder, "mlflow", run_id, self._run)
        else:
            self._run = known.info.run_id
            self._client.update_run(self._run, status="RUNNING")
            for name in known.data.metrics:
                self._there |= {(name, each.step) for each in self._client.get_metric_history(self._run, name)}
        self._describe(record, {} if known is None else known.data.params)

    def on_log(self, step: int, values: Mapping[str, float]) -> None:
        """Writes the values, a few together."""
        from mlflow.entities import Metric

        if self._client is None:
            return
        self._step = max(self._step, step)
        now = time.time()
        for given, value in values.items():
            name = _name(given)
            if (name, step) not in self._there:
                self._waiting.append(Metric(name, value, int(now * 1000), step))
        if len(self._waiting) >= _BATCH or now - self._sent > _SECONDS:
            self._send()

    def state(self) -> dict[str, Any]:
        """Writes what waits, as a run that is continued logs nothing again that came before its checkpoint."""
        self._send()
        return {}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Needs nothing: what is there is asked of the store."""

    def on_train_end(self) -> None:
        """Writes what waits."""
        self._send()

    def on_run_end(self, record: Mapping[str, Any]) -> None:
        """Writes the result's metrics, the record itself, and how the run ended."""
        if self._client is None:
            return
        result = {name: value for name, value in (record.get("metrics") or {}).items() if value is not None}
        self.on_log(self._step, result)
        self._send()
        self._tag(_end_tags(record))
        if (self._folder / "run.json").exists():
            self._client.log_artifact(self._run, str(self._folder / "run.json"))
        self._client.set_terminated(self._run, _STATUS.get(str(record.get("status")), "FAILED"))

    def _known(self, run_id: str) -> Any:
        """The MLflow run of this run; None where there is none in this store."""
        from mlflow.exceptions import MlflowException

        own = kept_id(self._folder, "mlflow", run_id)
        if own is None:
            return None
        try:
            found = self._client.get_run(own)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return None
        return found if found.info.lifecycle_stage == "active" else None

    def _begun(self) -> str:
        # With a name, as MLflow would draw one from the run's random numbers.
        name = self.run_name or self._folder.name or "run"
        return self._client.create_run(self._experiment_id(), run_name=name).info.run_id

    def _experiment_id(self) -> str:
        from mlflow.exceptions import MlflowException

        # A server has a place of its own for artifacts.
        place = None if self.tracking_uri else (self._folder.parent / "mlflow-artifacts").absolute().as_uri()
        found = self._client.get_experiment_by_name(self.experiment)
        if found is None:
            try:
                return self._client.create_experiment(self.experiment, artifact_location=place)
            except MlflowException as error:
                # Another run of a sweep was faster.
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
                found = self._client.get_experiment_by_name(self.experiment)
        return found.experiment_id

    def _describe(self, record: Mapping[str, Any], there: Mapping[str, str]) -> None:
        from mlflow.entities import Param

        values = {_name(name): _text(value)[:_PARAMETER] for name, value in hyperparameters(record).items()}
        # A parameter is written once and for all.
        new = [Param(name, value) for name, value in values.items() if name not in there]
        for start in range(0, len(new), 100):
            self._client.log_batch(self._run, params=new[start : start + 100], synchronous=True)
        commit = (record.get("git") or {}).get("commit")
        own = {name: record.get(name) for name in ("run_id", "mode", "status")} | {"folder": str(self._folder)}
        self._tag({f"codex_ml.{name}": str(value) for name, value in own.items()} | self.tags)
        self._tag({"mlflow.source.git.commit": commit} if commit else {})

    def _tag(self, tags: Mapping[str, str]) -> None:
        from mlflow.entities import RunTag

        if tags:
            listed = [RunTag(name, str(value)[:_TAG]) for name, value in tags.items()]
            self._client.log_batch(self._run, tags=listed, synchronous=True)

    def _send(self) -> None:
        while self._waiting:
            self._client.log_batch(self._run, metrics=self._waiting[:_BATCH], synchronous=True)
            del self._waiting[:_BATCH]
        self._sent = time.time()


def _client(uri: str) -> Any:
    # Read when MLflow is imported.
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    try:
        from mlflow import MlflowClient
    except ImportError as error:
        raise ImportError(f"plugin 'mlflow' needs mlflow ({error}): pip install 'codex-ml[mlflow]'") from error
    # They tell of each table of a new file.
    for teller in ("mlflow.store.db.utils", "alembic.runtime.migration"):
        logging.getLogger(teller).setLevel(logging.WARNING)
    return MlflowClient(tracking_uri=uri, registry_uri=uri)


def _beside(folder: Path) -> str:
    try:
        from sqlalchemy import URL
    except ImportError as error:
        raise ImportError(f"plugin 'mlflow' needs sqlalchemy ({error}): pip install 'codex-ml[mlflow]'") from error
    return URL.create("sqlite", database=str(folder.parent.absolute() / "mlflow.db")).render_as_string()


def _end_tags(record: Mapping[str, Any]) -> dict[str, str]:
    tags = {"codex_ml.status": str(record.get("status"))}
    if record.get("resumed_from"):
        tags["codex_ml.resumed_from"] = ", ".join(map(str, record["resumed_from"]))
    if record.get("error"):
        tags["codex_ml.error"] = str(record["error"].get("message"))
    return tags


def _name(name: str) -> str:
    return re.sub(r"[^\w.\- :/]", "_", name)[:_NAME]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)
