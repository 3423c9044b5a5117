"""A config sets variables that tune a run, and none that could name code."""

import re
from pathlib import Path

import pytest
import yaml
from test_safety_controls import assert_refused, make_folder

from codex_ml.launch import safe_environment

# What came through a list of dangerous names, and what such a list had.
REFUSED = [
    *("TORCH_LOGS", "TORCH_ADDR2LINE_BINARY", "TORCH_SYMBOLIZE_MODE", "TORCH_SHOW_CPP_STACKTRACES", "LD_PRELOAD"),
    *("LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONSTARTUP", "PATH", "HOME"),
    *("HYDRA_FULL_ERROR", "CODEX_ML_PLUGINS_ALLOW", "GIT_SSH_COMMAND", "BASH_ENV", "OMP_TOOL_LIBRARIES"),
    *("NCCL_NET_PLUGIN", "NCCL_DEBUG_FILE", "HF_HOME", "HF_ENDPOINT", "HTTPS_PROXY"),
    *("SSL_CERT_FILE", "DATA_PATH", "NUMBER", "omp_num_threads"),
]
TOLD = "is refused: a config may set only variables that tune a run"


@pytest.fixture
def folder(tmp_path, tmp_path_factory, monkeypatch):
    return make_folder(tmp_path, tmp_path_factory, monkeypatch)


def experiment(folder, variables, **job):
    tree = {"hydra": {"job": {"env_set": variables, **job}}}
    folder.write("conf/experiment/mine.yaml", "# @package _global_\n" + yaml.safe_dump(tree))
    return "experiment=mine"


def test_every_other_variable_is_refused_with_a_message_of_its_own(folder):
    by_file = folder.run(experiment(folder, dict.fromkeys(REFUSED, "canary")))
    by_override = folder.run(*(f"+hydra.job.env_set.{name}=canary" for name in REFUSED))
    by_mapping = folder.run(f"+hydra.job.env_set={{{','.join(f'{name}:canary' for name in REFUSED)}}}")
    for done in (by_file, by_override, by_mapping):
        assert done.code == 2
        told = done.err.splitlines()
        assert len(told) == len(REFUSED)
        assert all(any(f"env_set.{name}' {TOLD}" in line for line in told) for name in REFUSED)
        assert all(line.endswith("set it in the shell") for line in told)
    assert folder.songs() == []


@pytest.mark.parametrize(
    "form", [["mode=check"], ["--cfg", "hydra"], ["--help"], ["--hydra-help"], ["--info", "all"]], ids=" ".join
)
def test_a_variable_is_refused_with(form, folder):
    for choice in (experiment(folder, {"TORCH_LOGS": "+canary.x"}), "+hydra.job.env_set.TORCH_LOGS=canary"):
        done = folder.run(choice, *form)
        assert_refused(folder, done, TOLD)
        assert len(done.err.splitlines()) == 1


def test_a_variable_is_refused_in_a_sweep(folder):
    experiment(folder, {"TORCH_LOGS": "+canary.x"})
    for values in ("+hydra.job.env_set.TORCH_LOGS=a,+canary.x", "experiment=none,mine", "experiment=mine"):
        assert_refused(folder, folder.run("--multirun", "seed=1", values), TOLD)


def test_a_variable_that_tunes_a_run_may_be_set(folder):
    names = sorted(safe_environment._ALLOWED)
    done = folder.run(experiment(folder, dict.fromkeys(names, "1")), "mode=check")
    assert done.code == 0, done.err
    done = folder.run("mode=check", *(f"+hydra.job.env_set.{name}=1" for name in names))
    assert done.code == 0, done.err


def test_what_is_there_already_may_be_kept_for_a_job_elsewhere(folder, monkeypatch):
    monkeypatch.setenv("MINE", "x")
    assert folder.run("mode=check", "hydra.job.env_copy=[PATH,MINE]").code == 0
    assert_refused(folder, folder.run("hydra.job.env_copy=[PATH]", "+hydra.job.env_set.MINE=y"), TOLD)
    # It would be another value by the time that it is set.
    monkeypatch.setenv("MINE", "${vars.x}")
    assert_refused(folder, folder.run("hydra.job.env_copy=[MINE]", "+vars.x=canary"), TOLD)


def test_the_docs_list_what_may_be_set():
    page = Path(__file__).parents[2] / "docs" / "safety.md"
    listed = set(re.findall(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b|\bTZ\b|\bCOLUMNS\b", page.read_text(encoding="utf-8")))
    assert listed >= safe_environment._ALLOWED
