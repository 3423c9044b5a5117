import json
import os
import subprocess
import sys

import pytest

from codex_ml.errors import CodexError
from codex_ml.launch import provenance, record
from codex_ml.launch.record import MetricsLog, RunRecord


def test_a_record_says_running_until_it_is_finished(tmp_path):
    run = RunRecord.start(tmp_path, run_id="abc", seed=3)
    first = record.read(tmp_path)
    final = run.finish("completed", metrics={"f1": 0.5})
    assert first
    assert (first["status"], first["run_id"], first["duration_s"]) == ("running", "abc", None)
    assert record.read(tmp_path) == final
    assert final["status"] == "completed"
    assert final["metrics"] == {"f1": 0.5}
    assert final["seed"] == 3
    assert final["started"].endswith("+00:00")
    assert final["duration_s"] >= 0
    assert final["resumed_from"] == []


def test_a_failed_write_leaves_the_earlier_record_whole_and_nothing_beside_it(tmp_path, monkeypatch):
    run = RunRecord.start(tmp_path, run_id="abc")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CodexError, match=r"run\.json.*No space left"):
        run.finish("completed")
    monkeypatch.undo()
    assert (record.read(tmp_path) or {})["status"] == "running"
    assert os.listdir(tmp_path) == ["run.json"]


def test_numbers_that_json_lacks_are_null_with_a_note(tmp_path):
    import numpy as np

    run = RunRecord.start(tmp_path)
    run.finish("completed", metrics={"ppl": float("inf"), "f1": np.float32(0.5)}, seed=np.int64(2), folder=tmp_path)
    text = (tmp_path / "run.json").read_text()
    read = json.loads(text, parse_constant=pytest.fail)
    assert read["metrics"] == {"ppl": None, "f1": 0.5}
    assert read["seed"] == 2
    assert read["folder"] == str(tmp_path)
    assert read["non_finite"] == {"metrics.ppl": "inf"}


def test_reading_tells_a_missing_record_from_a_corrupt_one(tmp_path):
    assert record.read(tmp_path) is None
    assert record.read(tmp_path / "nowhere") is None
    for content in (b'{"status": "comp', b"", b"[1]", b"{}", b"\xff\xfe"):
        (tmp_path / "run.json").write_bytes(content)
        with pytest.raises(CodexError, match=r"run\.json is no"):
            record.read(tmp_path)


def test_an_unknown_status_is_refused(tmp_path):
    with pytest.raises(ValueError, match="done"):
        RunRecord.start(tmp_path).finish("done")


def test_the_metrics_log_starts_anew_and_is_whole_after_every_line(tmp_path):
    (tmp_path / "metrics.jsonl").write_text('{"step": 99}\n')
    log = MetricsLog(tmp_path)
    log.write(1, {"loss": float("nan")})
    log.write(2, {"loss": 0.5})
    assert (tmp_path / "metrics.jsonl").read_text() == '{"step":1,"loss":null}\n{"step":2,"loss":0.5}\n'
    log.close()
    log.close()


@pytest.fixture
def repository(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]

    def git(*arguments):
        subprocess.run(["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True)

    git("init")
    (tmp_path / "code.py").write_text("1")
    git("add", "code.py")
    return tmp_path, git


def test_git_tells_commit_and_whether_tracked_files_were_changed(repository):
    folder, git = repository
    before = provenance.git_record(folder)
    git("commit", "-m", "first")
    (folder / "untracked").write_text("")
    clean = provenance.git_record(folder)
    (folder / "code.py").write_text("2")
    changed = provenance.git_record(folder)
    assert before
    assert before["commit"] is None
    assert clean
    assert len(clean["commit"]) == 40
    assert clean["dirty"] is False
    assert clean["root"] == str(folder.resolve())
    assert changed
    assert changed["dirty"] is True


def test_git_never_fails_a_run(tmp_path, monkeypatch):
    assert provenance.git_record(tmp_path) is None
    assert provenance.git_record(tmp_path / "nowhere") is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert provenance.git_record(tmp_path) is None


def test_git_starts_no_program_that_the_work_tree_names(repository):
    folder, git = repository
    git("commit", "-m", "first")
    git("config", "core.fsmonitor", f"touch {folder}/ran; true")
    assert provenance.git_record(folder)
    assert not (folder / "ran").exists()


def printed(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_the_environment_is_told_without_importing_the_libraries():
    tell = "print(bool(p.environment_record()['libraries']['torch']), 'torch' in sys.modules)"
    assert printed(f"import sys; from codex_ml.launch import provenance as p; {tell}") == "True False"


def test_importing_what_runs_a_run_imports_nothing_heavy_and_no_component():
    modules = (
        "best blame building callbacks context evaluation examples execute export provenance record seeding splits "
        "termination trial"
    )
    names = ", ".join(f"codex_ml.launch.{name}" for name in modules.split())
    kinds = ("tasks", "models", "trainers", "metrics", "data_loaders", "tokenizers", "plugins")
    refused = ("torch", "numpy", "transformers", "safetensors", "hydra", *(f"codex_ml.{kind}" for kind in kinds))
    assert printed(f"import sys, {names}; print([name for name in {refused} if name in sys.modules])") == "[]"
