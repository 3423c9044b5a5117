import json
import logging
import os
import shutil
import signal
import sys
import tempfile
from dataclasses import dataclass

import pytest
from hydra.core.global_hydra import GlobalHydra

from codex_addons.entry_points import installed
from codex_ml.registries import GROUPS


def pytest_configure():
    # A shell that starts the tests in the background has them, and what they start, take no notice of Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # Before any test module imports torch, and for the processes that tests start.
    os.environ.update(HF_HUB_OFFLINE="1", OMP_NUM_THREADS="1", COLUMNS="120")
    # Whatever else is installed here, the options are this project's own.
    os.environ["CODEX_ML_PLUGINS_DENY"] = ",".join(sorted(_strangers()))
    os.environ["CODEX_ML_CACHE_DIR"] = tempfile.mkdtemp(prefix="codex-ml-tests-")


def _strangers():
    offered = (entry for group in GROUPS.values() for entry in installed(group))
    return {entry.distribution for entry in offered} - {"codex-ml"}


def pytest_unconfigure():
    shutil.rmtree(os.environ["CODEX_ML_CACHE_DIR"], ignore_errors=True)


@pytest.fixture(autouse=True)
def nothing_left_behind():
    """Hydra is one for a process, and its loggers write to the streams that it found when it began."""
    GlobalHydra.instance().clear()
    handlers, level = list(logging.root.handlers), logging.root.level
    yield
    GlobalHydra.instance().clear()
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    # absl, which rouge-score brings, closes the stream that it found unless it is still sys.stderr, when Hydra sets
    # logging up anew; and pytest has another one for each test.
    if absl := sys.modules.get("absl.logging"):
        absl.get_absl_handler().python_handler.stream = sys.__stderr__


@pytest.fixture
def site(tmp_path, monkeypatch):
    """An empty folder at the front of the import path; what was imported from it is forgotten afterwards."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    yield folder
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def problems(self):
        return [line.removeprefix("codex-run: ") for line in self.err.splitlines()]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """An empty working directory."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def codex_run(project, capsys):
    """Runs `codex-run` in this process, in a working directory of its own."""
    from codex_ml.launch.app import main

    def run(*arguments):
        capsys.readouterr()
        code = main(arguments)
        return Ended(code, *capsys.readouterr())

    return run


@pytest.fixture
def records(project):
    """Twelve records on two topics in the working directory; the overrides that read them."""
    topics = {"sport": "ball goal team", "tech": "chip code disk"}
    lines = [
        json.dumps({"text": f"the {topics[topic].split()[number % 3]} {number}", "label": topic})
        for number in range(6)
        for topic in topics
    ]
    (project / "train.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return ["data=files", "data.train=train.jsonl", "data.validation=train.jsonl"]
