"""Which folder a run gets, and that nothing of anybody else's is in it."""

import json

import pytest

from codex_ml.errors import ConfigError
from codex_ml.launch import folders

ID = "abc123"


def choose(folder, *, resume="auto", given=True, make=True):
    return folders.choose(folder, ID, resume, given=given, make=make)


def held(folder, run_id=ID, status="completed"):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "run.json").write_text(json.dumps({"run_id": run_id, "status": status}))


@pytest.mark.parametrize("make", [True, False])
@pytest.mark.parametrize("given", [True, False])
def test_a_folder_with_somebody_s_files_is_refused(tmp_path, given, make):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "thesis.txt").write_text("precious")
    with pytest.raises(ConfigError, match="holds model, and no run: a run gets a folder of its own"):
        choose(tmp_path, given=given, make=make)
    assert (tmp_path / "model" / "thesis.txt").read_text() == "precious"


def test_so_it_is_with_run_resume_never(tmp_path):
    (tmp_path / "notes.txt").write_text("precious")
    with pytest.raises(ConfigError, match=r"holds notes\.txt"):
        choose(tmp_path, resume="never")


@pytest.mark.parametrize(
    "begun",
    [(), (".lock",), (".lock", "run.log", ".hydra", "multirun.yaml", ".run.json.12-ab", ".trial-3", "codex-run.log")],
)
def test_an_empty_folder_will_do_and_what_a_killed_run_had_begun(tmp_path, begun):
    for name in begun:
        (tmp_path / name).touch()
    assert choose(tmp_path) == tmp_path


def test_a_folder_of_this_run_is_its_own_and_another_run_s_is_not(tmp_path):
    held(tmp_path)
    (tmp_path / "metrics.jsonl").touch()
    assert choose(tmp_path) == tmp_path
    held(tmp_path, "other")
    with pytest.raises(ConfigError, match="holds another run"):
        choose(tmp_path)


def test_never_takes_the_next_free_number(tmp_path):
    held(tmp_path / "a")
    held(tmp_path / "a-2")
    assert choose(tmp_path / "a", resume="never") == tmp_path / "a-3"
