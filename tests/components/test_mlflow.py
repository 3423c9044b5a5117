"""What the plugin writes, read back by MLflow's own client."""

# The cases are attributes that an author fills with a list.
# ruff: noqa: RUF012

from __future__ import annotations

import json
import sys

import pytest
from tracked_run import STEPS, Trap, after, logged, record_of, tracked

from codex_ml.plugins.mlflow import Mlflow
from codex_ml.testing import PluginTests

pytest.importorskip("mlflow", reason="MLflow is not installed: pip install 'codex-ml[mlflow]'")
pytest.importorskip("sqlalchemy", reason="sqlalchemy is not installed: pip install 'codex-ml[mlflow]'")


class TestConformance(PluginTests):
    name = "mlflow"
    options = {"experiment": "kit", "tags": {"team": "a"}}
    bad_options = [{"experiment": " "}, {"tracking_uri": ""}, {"tags": {"team": [1]}}, {"run_name": ""}]


def store(folder):
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=f"sqlite:///{folder.parent}/mlflow.db")


def runs(folder, experiment="codex-ml"):
    client = store(folder)
    found = client.get_experiment_by_name(experiment)
    return [] if found is None else client.search_runs([found.experiment_id])


def only(folder):
    (run,) = runs(folder)
    return run


def histories(folder):
    client, run = store(folder), only(folder)
    return {
        name: sorted((each.step, each.value) for each in client.get_metric_history(run.info.run_id, name))
        for name in run.data.metrics
    }


def expected(folder):
    result = {name: [(STEPS, value)] for name, value in record_of(folder)["metrics"].items()}
    return logged(folder) | result


@pytest.fixture(scope="module")
def continued(tmp_path_factory):
    root = tmp_path_factory.mktemp("continued") / "root"
    root.mkdir()
    tracked(Mlflow, root, "kill:10", "stop:11", "whole")
    return root


@pytest.fixture(scope="module")
def restarted(tmp_path_factory):
    root = tmp_path_factory.mktemp("restarted") / "root"
    root.mkdir()
    tracked(Mlflow, root, "early", "fail:3", "whole", options={"tags": {"team": "a"}})
    return root


def test_metrics_are_there_by_step_and_the_result_at_the_last(restarted):
    folder = after(restarted, 3)
    assert record_of(folder)["metrics"].keys() == {"accuracy"}
    assert histories(folder) == expected(folder)
    assert [step for step, _ in histories(folder)["loss"]] == list(range(1, STEPS + 1))


def test_parameters_and_tags_say_what_was_run(restarted):
    folder = after(restarted, 3)
    data, info = only(folder).data, only(folder).info
    assert data.params["trainer.lr"] == "0.05"
    assert data.params["task"] == "classification"
    assert data.params["data.train"].endswith("train.jsonl")
    assert data.tags["codex_ml.run_id"] == "abc123"
    assert data.tags["codex_ml.status"] == "completed"
    assert data.tags["team"] == "a"
    assert (info.status, info.run_name) == ("FINISHED", "run")


def test_the_record_is_an_artifact(restarted, tmp_path):
    folder = restarted / "outputs" / "run"
    path = store(folder).download_artifacts(only(folder).info.run_id, "run.json", str(tmp_path))
    with open(path, encoding="utf-8") as file:
        assert json.load(file) == record_of(folder)


def test_a_run_that_fails_is_marked(restarted):
    for attempt, told in {1: "nothing will come of this", 2: "the machine is on fire"}.items():
        run = only(after(restarted, attempt))
        assert run.info.status == "FAILED"
        assert run.data.tags["codex_ml.status"] == "failed"
        assert told in run.data.tags["codex_ml.error"]


def test_a_killed_run_has_what_it_logged_up_to_its_checkpoint(continued):
    folder = after(continued, 1)
    assert only(folder).info.status == "RUNNING"
    assert histories(folder)["loss"][:8] == logged(folder)["loss"][:8]


def test_an_interrupted_run_is_marked_until_it_is_done(continued):
    assert only(after(continued, 2)).info.status == "KILLED"
    assert only(after(continued, 3)).info.status == "FINISHED"


def test_a_continued_run_is_the_same_one_without_a_step_twice(continued):
    folder = after(continued, 3)
    assert histories(folder) == expected(folder)
    assert only(folder).data.tags["codex_ml.resumed_from"] == "8, 11"
    assert only(folder).info.run_id == only(after(continued, 1)).info.run_id


def test_nothing_is_sent_anywhere(tmp_path):
    with Trap() as trap:
        tracked(Mlflow, tmp_path, "whole", environment={**trap.environment, "FENCE_LOG": str(tmp_path / "log")})
    assert trap.visits == 0
    assert not (tmp_path / "log").exists()
    assert only(tmp_path / "outputs" / "run").info.status == "FINISHED"


def test_a_server_that_is_named_is_asked_and_its_failure_is_not_the_runs(tmp_path):
    with Trap() as trap:
        done = tracked(Mlflow, tmp_path, "whole", options={"tracking_uri": trap.address})
    assert trap.visits
    folder = tmp_path / "outputs" / "run"
    assert record_of(folder)["status"] == "completed"
    assert "left out of the rest of the run" in done.stderr
    assert not (folder.parent / "mlflow.db").exists()


def test_another_store_and_experiment_can_be_named(tmp_path):
    from mlflow import MlflowClient

    uri = f"sqlite:///{tmp_path / 'elsewhere.db'}"
    plugin = Mlflow(tracking_uri=uri, experiment="mine", run_name="first")
    (tmp_path / "run").mkdir()
    plugin.on_run_start({"run_id": "abc", "folder": str(tmp_path / "run"), "status": "running"})
    plugin.on_log(3, {"share [%]": 0.5, "loss": float("nan")})
    plugin.on_run_end({"status": "completed", "metrics": {"f1": None}})
    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("mine")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.run_name == "first"
    assert run.data.metrics["share ___"] == pytest.approx(0.5)
    assert run.data.metrics["loss"] != run.data.metrics["loss"]
    assert "f1" not in run.data.metrics
    assert not (tmp_path / "mlflow.db").exists()


def begun(folder, run_id="abc"):
    folder.mkdir(parents=True, exist_ok=True)
    plugin = Mlflow()
    plugin.on_run_start({"run_id": run_id, "folder": str(folder), "status": "running"})
    plugin.on_run_end({"status": "completed"})


def test_runs_of_one_root_share_a_store_whatever_the_folder_is_called(tmp_path):
    root = tmp_path / "a b?c%20#d"
    for name in ("one", "two"):
        begun(root / name)
    assert (root / "mlflow.db").exists()
    from mlflow import MlflowClient
    from sqlalchemy import URL

    client = MlflowClient(tracking_uri=URL.create("sqlite", database=str(root / "mlflow.db")).render_as_string())
    experiment = client.get_experiment_by_name("codex-ml")
    assert experiment is not None
    assert {run.info.run_name for run in client.search_runs([experiment.experiment_id])} == {"one", "two"}


def test_another_run_in_the_folder_and_a_run_deleted_from_the_store_begin_anew(tmp_path):
    begun(tmp_path / "run")
    begun(tmp_path / "run", run_id="other")
    assert len(runs(tmp_path / "run")) == 2
    for run in runs(tmp_path / "run"):
        store(tmp_path / "run").delete_run(run.info.run_id)
    begun(tmp_path / "run", run_id="other")
    assert len(runs(tmp_path / "run")) == 1


def test_more_values_than_a_request_may_hold_all_arrive(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    plugin = Mlflow()
    plugin.on_run_start({"run_id": "abc", "folder": str(folder)})
    plugin.on_log(1, {f"metric {number}": number for number in range(1203)})
    plugin.on_run_end({"status": "completed"})
    assert only(folder).data.metrics == {f"metric {number}": number for number in range(1203)}


@pytest.mark.parametrize("library", ["mlflow", "sqlalchemy"])
def test_without_the_library_the_extra_is_named(library, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ImportError, match=r"pip install 'codex-ml\[mlflow\]'"):
        Mlflow().on_run_start({"run_id": "abc", "folder": str(tmp_path / "run")})
