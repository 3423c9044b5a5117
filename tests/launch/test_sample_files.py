import multiprocessing
import os
import re
import time

import pytest

from codex_ml.errors import ConfigError
from codex_ml.launch.sample_files import sample_file


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("CODEX_ML_CACHE_DIR", str(tmp_path))
    return tmp_path


def small(folder):
    (folder / "train.jsonl").write_text("{}\n")
    (folder / "more").mkdir()
    (folder / "more" / "test.jsonl").write_text("{}\n{}\n")


def test_a_sample_is_made_once(cache):
    calls = []

    def factory(folder):
        calls.append(folder)
        small(folder)

    first = sample_file("tiny", factory, "1.0", "train.jsonl")
    second = sample_file("tiny", factory, "1.0", "more/test.jsonl")
    assert first == cache / "samples" / "tiny-1.0" / "train.jsonl"
    assert (first.read_text(), second.read_text()) == ("{}\n", "{}\n{}\n")
    assert len(calls) == 1
    assert os.listdir(cache / "samples") == ["tiny-1.0"]


def test_another_version_is_made_anew():
    old = sample_file("tiny", small, "1.0", "train.jsonl")
    new = sample_file("tiny", small, "1.1", "train.jsonl")
    assert old != new
    assert old.exists()


def test_a_file_that_is_not_there_lists_those_that_are():
    for _ in range(2):
        with pytest.raises(ConfigError, match=re.escape("no file 'trian.jsonl'; it has more/test.jsonl, train.jsonl")):
            sample_file("tiny", small, "1.0", "trian.jsonl")


def test_a_factory_that_writes_nothing_or_fails_leaves_nothing(cache):
    def broken(folder):
        (folder / "train.jsonl").touch()
        raise ImportError("pip install something")

    with pytest.raises(ConfigError, match="wrote no files"):
        sample_file("tiny", lambda folder: None, "1.0", "train.jsonl")
    with pytest.raises(ImportError, match="pip install something"):
        sample_file("tiny", broken, "1.0", "train.jsonl")
    assert os.listdir(cache / "samples") == []


@pytest.mark.parametrize("file", ["../other/x", "/etc/passwd", "", "a/../../x"])
def test_a_file_outside_the_sample_is_refused(file):
    with pytest.raises(ConfigError, match="does not name a file"):
        sample_file("tiny", small, "1.0", file)


@pytest.mark.parametrize(("name", "version"), [("../up", "1"), ("a/b", "1"), ("", "1"), ("tiny", "../1"), ("..", "1")])
def test_a_name_that_is_a_path_is_refused(name, version):
    with pytest.raises(ConfigError, match="plain words"):
        sample_file(name, small, version, "train.jsonl")


def _slow(folder):
    (folder / "who").write_text(str(os.getpid()))
    time.sleep(0.3)
    (folder / "end").write_text(str(os.getpid()))


def _ask(barrier, queue):
    barrier.wait()
    path = sample_file("slow", _slow, "1", "end")
    queue.put((path.read_text(), path.with_name("who").read_text()))


def test_processes_that_ask_at_once_get_the_same_whole_sample(cache):
    context = multiprocessing.get_context("spawn")
    barrier, queue = context.Barrier(3), context.Queue()
    processes = [context.Process(target=_ask, args=(barrier, queue)) for _ in range(3)]
    for process in processes:
        process.start()
    seen = {queue.get(timeout=60) for _ in processes}
    for process in processes:
        process.join()
    assert len(seen) == 1
    assert len(set(seen.pop())) == 1
    assert os.listdir(cache / "samples") == ["slow-1"]
