"""What the plugin writes, read back by W&B's own reader of its files."""

# The cases are attributes that an author fills with a list.
# ruff: noqa: RUF012

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest
from tracked_run import STEPS, Trap, after, logged, record_of, tracked

from codex_ml.plugins.wandb import Wandb
from codex_ml.testing import PluginTests

pytest.importorskip("wandb", reason="wandb is not installed: pip install 'codex-ml[wandb]'")


class TestConformance(PluginTests):
    name = "wandb"
    options = {"tags": ["kit"], "group": "kits"}
    bad_options = [{"mode": "disabled"}, {"project": ""}, {"tags": 3}]


def read(folder, *options):
    """What `wandb leet inspect` says of the one file of a run."""
    (written,) = (folder / "wandb").glob("offline-run-*")
    command = [sys.executable, "-m", "wandb", "leet", "inspect", "--json", *options, str(written)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return [json.loads(line) for line in done.stdout.splitlines() if line.strip()] if not options else done.stdout


def values(folder):
    """Name to [(step, value)]; of a step that stands there twice, both."""
    found = {}
    for each in read(folder):
        if each["type"] == "history":
            for name, value in each["history"]["item"].items():
                if not name.startswith("_"):
                    found.setdefault(name, []).append((each["history"]["step"]["num"], value))
    return found


def summary(folder):
    told = {}
    for each in read(folder):
        if each["type"] == "summary":
            told |= each["summary"]["update"]
    return told


def config(folder):
    (run, *_) = [each["run"] for each in read(folder) if each["type"] == "run"]
    return run["config"]["update"]


def exit_code(folder):
    codes = [each["exit"].get("exit_code", 0) for each in read(folder) if each["type"] == "exit"]
    return codes[0] if codes else None


def own_id(folder):
    return json.loads((folder / "wandb.json").read_text())["id"]


@pytest.fixture(scope="module")
def continued(tmp_path_factory):
    root = tmp_path_factory.mktemp("continued") / "root"
    root.mkdir()
    tracked(Wandb, root, "kill:10", "stop:11", "whole")
    return root


@pytest.fixture(scope="module")
def restarted(tmp_path_factory):
    root = tmp_path_factory.mktemp("restarted") / "root"
    root.mkdir()
    tracked(Wandb, root, "early", "fail:3", "whole", options={"project": "mine", "run_name": "first"})
    return root


def test_all_that_was_logged_is_there_by_step_and_the_result_in_the_summary(restarted):
    folder = after(restarted, 3)
    assert values(folder) == logged(folder)
    assert [step for step, _ in values(folder)["loss"]] == list(range(1, STEPS + 1))
    assert summary(folder)["accuracy"] == record_of(folder)["metrics"]["accuracy"]
    assert summary(folder)["status"] == "completed"
    assert exit_code(folder) == 0


def test_the_hyperparameters_and_names_are_there(restarted):
    folder = after(restarted, 3)
    assert config(folder)["trainer.lr"] == pytest.approx(0.05)
    assert config(folder)["task"] == "classification"
    (run, *_) = [each["run"] for each in read(folder) if each["type"] == "run"]
    assert (run["project"], run["display_name"], run["run_id"]) == ("mine", "first", own_id(folder))


def test_a_run_that_fails_is_marked(restarted):
    for attempt, told in {1: "nothing will come of this", 2: "the machine is on fire"}.items():
        folder = after(restarted, attempt)
        assert exit_code(folder) == 1
        assert summary(folder)["status"] == "failed"
        assert told in summary(folder)["error"]
    assert [step for step, _ in values(after(restarted, 2))["loss"]] == [1, 2, 3]


def test_an_interrupted_run_is_marked_until_it_is_done(continued):
    assert exit_code(after(continued, 2)) == 130
    assert summary(after(continued, 2))["status"] == "interrupted"
    assert exit_code(after(continued, 3)) == 0
    assert summary(after(continued, 3))["status"] == "completed"


def test_a_continued_run_is_the_same_one_with_every_step_once(continued):
    for attempt in (2, 3):
        folder = after(continued, attempt)
        assert values(folder) == logged(folder)
        assert own_id(folder) == own_id(after(continued, 1))
    assert record_of(after(continued, 3))["resumed_from"] == [8, 11]


def test_behind_an_upload_it_goes_on_where_that_ended(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    tracked(Wandb, root, "stop:9")
    folder = root / "outputs" / "run"
    (first,) = (folder / "wandb").glob("offline-run-*")
    # The mark that `wandb sync` leaves.
    (first / f"run-{own_id(folder)}.wandb.synced").touch()
    uploaded = values(folder)
    time.sleep(1)
    root = root.rename(tmp_path / "other")
    tracked(Wandb, root, "whole")
    folder = root / "outputs" / "run"
    first = folder / "wandb" / first.name
    assert first.exists()
    first.rename(tmp_path / "kept")
    assert {name: uploaded.get(name, []) + rest for name, rest in values(folder).items()} == logged(folder)
    assert [step for step, _ in values(folder)["loss"]] == list(range(10, STEPS + 1))


def test_nothing_is_sent_anywhere(tmp_path):
    with Trap() as trap:
        environment = {**trap.environment, "FENCE_LOG": str(tmp_path / "log")}
        tracked(Wandb, tmp_path, "whole", options={"system": True}, environment=environment)
    assert trap.visits == 0
    assert not (tmp_path / "log").exists()
    assert exit_code(tmp_path / "outputs" / "run") == 0


def test_on_line_the_server_is_asked(tmp_path):
    with Trap() as trap:
        run = tracked(
            *(Wandb, tmp_path, "whole"),
            options={"mode": "online"},
            environment={"WANDB_BASE_URL": trap.address, "WANDB_API_KEY": "x" * 40},
            wait=False,
        )
        try:
            for _ in range(600):
                if trap.visits:
                    break
                time.sleep(0.1)
        finally:
            run.kill()
            run.wait()
    assert trap.visits


def test_the_machine_is_described_only_when_that_is_asked_for(restarted, tmp_path):
    tracked(Wandb, tmp_path, "whole", options={"system": True})
    kinds = [{each["type"] for each in read(folder)} for folder in (tmp_path / "outputs" / "run", after(restarted, 3))]
    assert ["environment" in each for each in kinds] == [True, False]


def test_what_it_cannot_write_does_not_fail_the_run(tmp_path):
    folder = tmp_path / "outputs" / "run"
    folder.mkdir(parents=True)
    (folder / "wandb.json").mkdir()
    done = tracked(Wandb, tmp_path, "whole")
    assert record_of(folder)["status"] == "completed"
    assert "left out of the rest of the run" in done.stderr


def test_without_the_library_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    plugin = Wandb()
    plugin.on_run_start({"run_id": "abc", "folder": str(tmp_path)})
    with pytest.raises(ImportError, match=r"pip install 'codex-ml\[wandb\]'"):
        plugin.on_train_start(3)
