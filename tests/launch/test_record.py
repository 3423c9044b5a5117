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


def hook(folder):
    (folder / ".git" / "hooks" / "post-index-change").write_text(f"#!/bin/sh\ntouch {folder}/ran\n")
    (folder / ".git" / "hooks" / "post-index-change").chmod(0o755)


def fetch(folder, git, **settings):
    """Lets the tree lack an object that it says another repository has."""
    tree = subprocess.run(["git", "rev-parse", "HEAD^{tree}"], cwd=folder, capture_output=True, text=True, check=True)
    name = tree.stdout.strip()
    (folder / ".git" / "objects" / name[:2] / name[2:]).unlink()
    (folder / ".git" / "index").unlink()
    for key, value in {"promisor": "true", **settings}.items():
        git("config", f"remote.o.{key}", value)
    git("config", "extensions.partialClone", "o")
    git("config", "core.repositoryFormatVersion", "1")


def include(folder, git, ran, key="include.path", file="config"):
    git("config", "--file", ".git/more", "filter.x.clean", ran)
    git("config", "--file", f".git/{file}", key, "more")


def worktree(folder, git, ran):
    git("config", "extensions.worktreeConfig", "true")
    include(folder, git, ran, file="config.worktree")


PROGRAMS = {
    "fsmonitor": lambda folder, git, ran: git("config", "core.fsmonitor", ran),
    "a hook": lambda folder, git, ran: hook(folder),
    "a folder of hooks": lambda folder, git, ran: (hook(folder), git("config", "core.hooksPath", ".git/hooks")),
    "a filter": lambda folder, git, ran: git("config", "filter.x.clean", ran),
    "a filter's process": lambda folder, git, ran: git("config", "filter.x.process", ran),
    "a filter in a file": include,
    "a filter in a file for this folder": lambda folder, git, ran: include(
        folder, git, ran, f"includeIf.gitdir:{folder}/.path"
    ),
    "a filter for one work tree": worktree,
    "a program for fetching": lambda folder, git, ran: fetch(folder, git, url=str(folder), uploadpack=ran),
    "a protocol to fetch by": lambda folder, git, ran: (
        fetch(folder, git, url=f"ext::touch {folder}/ran"),
        git("config", "protocol.ext.allow", "always"),
    ),
    "a shell to fetch by": lambda folder, git, ran: (
        fetch(folder, git, url="ssh://a/b"),
        git("config", "core.sshCommand", ran),
    ),
    "a pager": lambda folder, git, ran: (git("config", "core.pager", ran), git("config", "pager.status", ran)),
    "an alias": lambda folder, git, ran: git("config", "alias.status", f"!{ran}"),
    "a way to compare": lambda folder, git, ran: (
        git("config", "diff.external", ran),
        git("config", "diff.x.textconv", ran),
    ),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_git_starts_no_program_that_the_work_tree_names(name, repository):
    folder, git = repository
    (folder / ".gitattributes").write_text("*.py filter=x diff=x\n")
    git("add", ".gitattributes")
    git("commit", "-m", "first")
    (folder / "code.py").write_text("2")
    PROGRAMS[name](folder, git, f"touch {folder}/ran; cat")
    told = provenance.git_record(folder)
    assert not (folder / "ran").exists()
    assert told
    assert len(told["commit"]) == 40
    untold = "filter" in name or "fetch" in name
    assert told["dirty"] is (None if untold else True)


def test_git_starts_no_program_that_a_submodule_names(repository):
    folder, git = repository
    (folder / "sub").mkdir()
    for command in (["init"], ["add", "."], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-m", "first"]):
        (folder / "sub" / "code.py").write_text("1")
        (folder / "sub" / ".gitattributes").write_text("*.py filter=x\n")
        subprocess.run(["git", *command], cwd=folder / "sub", check=True, capture_output=True)
    git("add", ".")
    git("commit", "-m", "first")
    (folder / "sub" / "code.py").write_text("2")
    git("-C", "sub", "config", "filter.x.clean", f"touch {folder}/ran; cat")
    assert (provenance.git_record(folder) or {})["dirty"] is False
    assert not (folder / "ran").exists()


def test_a_filter_of_the_user_s_own_is_no_reason_for_not_telling(repository, monkeypatch, tmp_path_factory):
    folder, git = repository
    settings = tmp_path_factory.mktemp("home") / "gitconfig"
    settings.write_text('[filter "x"]\nclean = cat\n')
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    (folder / ".gitattributes").write_text("*.py filter=x\n")
    git("commit", "-m", "first")
    (folder / "code.py").write_text("2")
    assert (provenance.git_record(folder) or {})["dirty"] is True
    git("config", "lfs.extension.x.clean", "cat")
    assert (provenance.git_record(folder) or {})["dirty"] is None


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
