import logging
import multiprocessing
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from codex_ml.errors import ConfigError
from codex_ml.launch import cache_folder as module
from codex_ml.launch.cache_folder import cache_folder, publish, staged_folder


@pytest.fixture(autouse=True)
def _clean(monkeypatch, tmp_path):
    for name in ("CODEX_ML_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(module, "_warned", set())


def private(tmp_path: Path) -> Path:
    return tmp_path / f"codex-ml-cache-{os.getuid()}"


def test_the_own_variable_comes_first(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("CODEX_ML_CACHE_DIR", str(tmp_path / "own" / "deep"))
    assert cache_folder() == tmp_path / "own" / "deep"
    assert (tmp_path / "own" / "deep").is_dir()
    assert not (tmp_path / "xdg").exists()


def test_then_xdg_then_home(monkeypatch, tmp_path):
    assert cache_folder() == tmp_path / "home" / ".cache" / "codex-ml"
    monkeypatch.setenv("CODEX_ML_CACHE_DIR", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "codex-ml"


def test_a_relative_xdg_folder_is_ignored(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_folder() == tmp_path / "home" / ".cache" / "codex-ml"


def test_a_relative_folder_of_ones_own_is_made_absolute(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CODEX_ML_CACHE_DIR", "here")
    assert cache_folder() == tmp_path / "here"


def test_what_cannot_be_written_is_replaced_by_a_private_folder_with_one_warning(monkeypatch, tmp_path, caplog):
    (tmp_path / "file").touch()
    monkeypatch.setenv("CODEX_ML_CACHE_DIR", str(tmp_path / "file" / "cache"))
    with caplog.at_level(logging.WARNING):
        assert [cache_folder(), cache_folder()] == [private(tmp_path)] * 2
    assert private(tmp_path).stat().st_mode & 0o777 == 0o700
    (warning,) = caplog.messages
    assert str(tmp_path / "file" / "cache") in warning
    assert "CODEX_ML_CACHE_DIR" in warning


def test_no_home_means_the_private_folder(monkeypatch, tmp_path):
    def no_home():
        raise RuntimeError("no home")

    monkeypatch.setattr(Path, "home", no_home)
    assert cache_folder() == private(tmp_path)


@pytest.mark.parametrize("kind", ["open to others", "a link", "a file"])
def test_a_folder_that_others_may_have_prepared_is_refused(monkeypatch, tmp_path, kind):
    (tmp_path / "file").touch()
    (tmp_path / "other").mkdir(mode=0o700)
    monkeypatch.setenv("CODEX_ML_CACHE_DIR", str(tmp_path / "file" / "cache"))
    taken = private(tmp_path)
    if kind == "open to others":
        taken.mkdir()
        taken.chmod(0o770)
    elif kind == "a link":
        taken.symlink_to(tmp_path / "other")
    else:
        taken.touch()
    with pytest.raises(ConfigError, match="CODEX_ML_CACHE_DIR"):
        cache_folder()


def test_importing_it_and_its_neighbours_is_cheap():
    code = (
        "import sys, codex_ml.launch.cache_folder, codex_ml.launch.digests, codex_ml.launch.sample_files, "
        "codex_ml.launch.token_cache; print({'torch', 'numpy', 'hydra', 'omegaconf'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_folder_is_published_with_its_content(tmp_path):
    target = tmp_path / "deep" / "target"
    with staged_folder(target) as staged:
        (staged / "file").write_text("content")
        assert not target.exists()
        publish(staged, target, Path.is_dir)
    assert (target / "file").read_text() == "content"
    assert os.listdir(target.parent) == ["target"]


def test_a_staged_folder_that_fails_leaves_nothing(tmp_path):
    def fail():
        with staged_folder(tmp_path / "target") as staged:
            (staged / "file").touch()
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert os.listdir(tmp_path) == []


def test_the_first_published_stays(tmp_path):
    target = tmp_path / "target"
    for text in ("first", "second"):
        with staged_folder(target) as staged:
            (staged / "file").write_text(text)
            publish(staged, target, Path.is_dir)
    assert (target / "file").read_text() == "first"
    assert os.listdir(tmp_path) == ["target"]


def test_a_target_that_is_not_whole_is_replaced(tmp_path):
    target = tmp_path / "target"
    target.mkdir()
    (target / "broken").touch()
    with staged_folder(target) as staged:
        (staged / "file").write_text("new")
        publish(staged, target, lambda folder: (folder / "file").exists())
    assert os.listdir(target) == ["file"]
    assert os.listdir(tmp_path) == ["target"]


def _stage_and_die(target: Path) -> None:
    with staged_folder(target) as staged:
        (staged / "half").touch()
        os.kill(os.getpid(), 9)


def test_what_a_killed_process_left_is_removed_and_what_a_living_one_stages_stays(tmp_path):
    target = tmp_path / "target"
    process = multiprocessing.get_context("spawn").Process(target=_stage_and_die, args=(target,))
    process.start()
    process.join()
    (left,) = tmp_path.iterdir()
    with staged_folder(target) as living, staged_folder(target) as other:
        assert not left.exists()
        assert sorted(tmp_path.iterdir()) == sorted([living, other])
