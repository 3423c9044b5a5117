"""A run that is killed at any moment goes on, and ends as if it had never been."""

import json
import os
import random
import shutil
import signal
import time
from dataclasses import replace

import pytest
from safetensors.torch import load_file
from tiny_run import FUNCTIONAL, assembly, component, lines, read

from codex_ml.errors import CodexError, RunInterrupted
from codex_ml.launch.checkpoints import Checkpoints, is_complete
from codex_ml.launch.execute import execute
from codex_ml.launch.folders import resumable
from codex_ml.launch.versions import version_of
from codex_ml.trainers.functional import functional
from codex_ml.trainers.hf_trainer import hf_trainer

OPTIONS = {**FUNCTIONAL.options, "epochs": 30, "batch_size": 4, "log_steps": 1, "accumulate_steps": 2}
OPTIONS |= {"save_steps": 7, "eval_steps": 10}


@pytest.fixture(params=["functional", "hf_trainer"])
def trainer(request):
    """Makes a trainer with options."""
    factory = {"functional": functional, "hf_trainer": hf_trainer}[request.param]
    plain = component("trainer", request.param, factory, distribution="codex-ml", meta={"checkpoints": True})
    return lambda **options: replace(plain, options={**OPTIONS, **options})


def parts(folder, chosen):
    folder.mkdir(exist_ok=True)
    return assembly(folder, trainer=chosen)


def run(tmp_path, name, chosen):
    folder = tmp_path / name
    folder.mkdir(exist_ok=True)
    return execute(parts(tmp_path / "data", chosen), folder=folder, run_id="abc123")


def in_a_child(work):
    """The id of a process that does it; 0 as exit status where it went well."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return child


def ended(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def outcome(folder):
    record = read(folder)
    weights = load_file(folder / "model" / "model.safetensors")
    return record["metrics"], record["best"], lines(folder), {name: each.tolist() for name, each in weights.items()}


def checkpoints(folder):
    """Those that are complete, the newest last."""
    return [path for _, path in reversed(Checkpoints(folder).all()) if is_complete(path)]


@pytest.fixture
def whole(tmp_path, token_cache_folder, trainer):
    """What the run gives that nobody interrupts."""
    run(tmp_path, "whole", trainer())
    return outcome(tmp_path / "whole")


def test_a_run_that_is_killed_again_and_again_ends_as_one_that_never_was(tmp_path, whole, trainer):
    draw, folder, kills = random.Random(0), tmp_path / "killed", 0
    log = folder / "metrics.jsonl"
    while kills < 20:
        before = log.stat().st_mtime_ns if log.exists() else 0
        child = in_a_child(lambda: run(tmp_path, "killed", trainer()))
        while not (log.exists() and log.stat().st_mtime_ns != before) and os.waitpid(child, os.WNOHANG)[0] == 0:
            time.sleep(0.001)
        # Some steps on, in the middle of one, of a save or of a measurement.
        time.sleep(draw.uniform(0, 0.15))
        os.kill(child, signal.SIGKILL)
        kills += ended(child) == -signal.SIGKILL
        if read(folder)["status"] == "completed":
            assert outcome(folder) == whole
            shutil.rmtree(folder)
    assert ended(in_a_child(lambda: run(tmp_path, "killed", trainer()))) == 0
    assert outcome(folder) == whole


def test_what_is_resumed_is_told(tmp_path, whole, trainer, caplog):
    child = in_a_child(lambda: run(tmp_path, "killed", trainer()))
    folder = tmp_path / "killed"
    while not checkpoints(folder):
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    ended(child)
    step = int(checkpoints(folder)[-1].name.partition("-")[2])
    assert read(folder)["status"] == "running"
    assert resumable(folder, "abc123")
    assert not resumable(folder, "another")
    caplog.set_level("INFO")
    final = run(tmp_path, "killed", trainer())
    assert final["resumed_from"] == [step]
    assert f"continued from step {step}" in caplog.text
    assert outcome(folder) == whole
    assert [path.name for path in (folder / "checkpoints").iterdir()] == ["best"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_run_that_is_told_to_stop_saves_and_says_so(tmp_path, whole, trainer, number):
    folder = tmp_path / "stopped"

    def work():
        signal.signal(signal.SIGINT, signal.default_int_handler)
        with pytest.raises(RunInterrupted, match="goes on from its last checkpoint"):
            run(tmp_path, "stopped", trainer(save_steps=None))

    child = in_a_child(work)
    while not (folder / "metrics.jsonl").exists() or not (folder / "metrics.jsonl").stat().st_size:
        time.sleep(0.01)
    os.kill(child, number)
    assert ended(child) == 0
    assert read(folder)["status"] == "interrupted"
    # Without save_steps: it is the signal that saved.
    assert resumable(folder, "abc123")
    run(tmp_path, "stopped", trainer(save_steps=None))
    assert outcome(folder) == whole


@pytest.fixture
def cut_off(tmp_path, token_cache_folder, trainer):
    """A run with three checkpoints, killed behind the last."""
    chosen = trainer(keep_last=3)
    child = in_a_child(lambda: run(tmp_path, "cut", chosen))
    folder = tmp_path / "cut"
    while len(checkpoints(folder)) < 3:
        time.sleep(0.005)
    os.kill(child, signal.SIGKILL)
    ended(child)
    return folder, lambda: run(tmp_path, "cut", chosen)


@pytest.mark.parametrize("damage", ["cut short", "lost", "no marker", "spoilt marker"])
def test_a_broken_checkpoint_is_passed_over(cut_off, damage, caplog, tmp_path, trainer):
    folder, again = cut_off
    *_, before, newest = checkpoints(folder)
    files = {"cut short": "state.safetensors", "lost": "state.json"}
    path = newest / files.get(damage, "complete.json")
    if damage in ("cut short", "spoilt marker"):
        path.write_bytes(path.read_bytes()[:-9])
    else:
        path.unlink()
    final = again()
    assert f"{newest} is not complete and is passed over" in caplog.text
    assert final["resumed_from"] == [int(before.name.partition("-")[2])]
    run(tmp_path, "whole", trainer())
    assert outcome(folder)[1:] == outcome(tmp_path / "whole")[1:]


def test_without_any_whole_checkpoint_the_run_starts_anew(cut_off, tmp_path, trainer):
    folder, again = cut_off
    for path in checkpoints(folder):
        (path / "complete.json").unlink()
    assert again()["resumed_from"] == []
    run(tmp_path, "whole", trainer())
    assert outcome(folder)[1:] == outcome(tmp_path / "whole")[1:]


def test_another_run_starts_anew_where_one_was_cut_off(cut_off, tmp_path, trainer):
    folder, _ = cut_off
    final = execute(parts(tmp_path / "data", trainer()), folder=folder, run_id="another")
    assert final["resumed_from"] == []


def test_kept_checkpoints_stay_when_the_run_is_done(tmp_path, token_cache_folder, trainer):
    run(tmp_path, "kept", trainer(keep_last=2))
    assert len(checkpoints(tmp_path / "kept")) == 2


def test_a_full_disk_fails_the_save_and_not_the_run(tmp_path, whole, trainer, monkeypatch, caplog):
    from codex_ml.launch import resumption

    def full(folder, state):
        (folder / "state.json").write_text("{")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(resumption, "write_state", full)
    final = run(tmp_path, "full", trainer())
    assert final["status"] == "completed"
    assert "No space left on device; the run goes on" in caplog.text
    assert [path.name for path in (tmp_path / "full" / "checkpoints").iterdir()] == ["best"]
    assert outcome(tmp_path / "full") == whole


def test_other_surroundings_are_a_warning(cut_off, caplog):
    folder, again = cut_off
    path = checkpoints(folder)[-1] / "state.json"
    told = path.read_text()
    here = json.dumps(["the version of torch", version_of("torch")])
    assert here in told
    path.write_text(told.replace(here, json.dumps(["the version of torch", "9" * len(version_of("torch"))])))
    again()
    assert "the version of torch was 9" in caplog.text


def test_a_metrics_log_that_was_cut_is_told(cut_off):
    folder, again = cut_off
    (folder / "metrics.jsonl").write_bytes(b"")
    with pytest.raises(CodexError, match=r"metrics.jsonl is shorter than it was .*run\.resume=never"):
        again()
