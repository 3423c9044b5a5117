"""The canary that the safety tests listen for, and proof that it sings where nothing guards against an attack."""

import contextlib
import gc
import io
import logging
import os
import pickle
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from hydra.core.hydra_config import HydraConfig

CANARY = """
import logging, os

def sing(what):
    with open(os.environ["CANARY_FILE"], "a") as file:
        file.write(what + "\\n")

sing("import")

def call(*args, **options):
    sing("call")

class Handler(logging.StreamHandler):
    def __init__(self, *args, **options):
        sing("handler")
        super().__init__()

class Formatter(logging.Formatter):
    def __init__(self, *args, **options):
        sing("formatter")
        super().__init__()

class Filter(logging.Filter):
    def __init__(self, *args, **options):
        sing("filter")
        super().__init__()

class Callback:
    def __init__(self, *args, **options):
        sing("callback")

class Plugin(dict):
    def __init__(self, *args, **options):
        sing("plugin")
"""

# What somebody without the rules would write.
BARE = """
import subprocess, sys
import hydra
from hydra.utils import get_method, instantiate
from omegaconf import OmegaConf

OmegaConf.register_new_resolver("codex.factory", lambda module, name: get_method(f"{module}.{name}")())

@hydra.main(version_base="1.3", config_path=None)
def main(cfg):
    OmegaConf.resolve(cfg)
    for node in cfg.values():
        instantiate(node)
        for key in ("factory", "name"):
            if key in node:
                get_method(node[key])()
    subprocess.run([sys.executable, "-c", "pass"])

main()
"""


@dataclass
class Outcome:
    code: int
    out: str
    err: str


class Folder:
    """A working directory with a canary, some records, and a command line."""

    def __init__(self, path: Path, cache: Path):
        self.path, self.song = path, path / "song.txt"
        self.environment = {"CANARY_FILE": str(self.song), "CODEX_ML_CACHE_DIR": str(cache)}
        self.write("canary.py", CANARY)
        self.write("records.jsonl", "".join(f'{{"text": "the ball {n}", "label": {n % 2}}}\n' for n in range(8)))

    def write(self, name, text):
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return str(path)

    def songs(self):
        return self.song.read_text().split() if self.song.exists() else []

    def spawn(self, *command):
        environment = {**os.environ, **self.environment, "PYTHONDONTWRITEBYTECODE": "1"}
        options = {"cwd": self.path, "env": environment, "capture_output": True, "text": True, "timeout": 120}
        done = subprocess.run([sys.executable, *command], check=False, **options)
        return Outcome(done.returncode, done.stdout, done.stderr)

    def run(self, *arguments):
        """The command line in this process, which is faster, leaving it as it was."""
        from codex_ml.launch.app import main

        handlers, level, out, err = logging.root.handlers[:], logging.root.level, io.StringIO(), io.StringIO()
        # Composing makes so many objects that a third of the time of these hundreds of runs went into collecting them.
        gc.disable()
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = main(["data=files", "data.train=records.jsonl", *arguments])
        except SystemExit as exit_:
            code = exit_.code
        finally:
            gc.enable()
            sys.modules.pop("canary", None)
            HydraConfig.instance().cfg = None
            logging.root.handlers[:], logging.root.level = handlers, level
        return Outcome(code, out.getvalue(), err.getvalue())


def make_folder(tmp_path, tmp_path_factory, monkeypatch):
    folder = Folder(tmp_path, tmp_path_factory.getbasetemp() / "codex-cache")
    for name, value in folder.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return folder


def assert_refused(folder, outcome, *told):
    assert folder.songs() == []
    assert outcome.code == 2, outcome
    lines = outcome.err.splitlines()
    assert 1 <= len(lines) <= 4, outcome.err
    assert all(line.startswith("codex-run: ") and len(line) < 500 for line in lines), outcome.err
    for text in told:
        assert text in outcome.err


def flat(tree, path=""):
    """The leaves of a tree, as dotted paths."""
    for key, value in tree.items():
        where = f"{path}.{key}" if path else key
        if isinstance(value, dict) and value:
            yield from flat(value, where)
        else:
            yield where, value


def written(value):
    """A value in the grammar of overrides."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{written(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(written(item) for item in value) + "]"
    return f"'{value}'" if isinstance(value, str) else str(value)


def as_overrides(tree):
    return [f"++{path}={written(value)}" for path, value in flat(tree)]


@pytest.fixture
def folder(tmp_path, tmp_path_factory, monkeypatch):
    made = make_folder(tmp_path, tmp_path_factory, monkeypatch)
    made.write("bare.py", BARE)
    made.write("inject/sitecustomize.py", f"import sys; sys.path.append({str(tmp_path)!r}); import canary")
    return made


CONSOLE = {"version": 1, "root": {"level": "INFO", "handlers": ["x"]}}
LIVE = {
    "a _target_": ({"model": {"_target_": "canary.call"}}, "call"),
    "a factory": ({"model": {"factory": "canary.call"}}, "call"),
    "a name": ({"model": {"name": "canary.call"}}, "call"),
    "a resolver": ({"model": {"x": "${codex.factory:canary,call}"}}, "call"),
    "a callback": ({"hydra": {"callbacks": {"x": {"_target_": "canary.Callback"}}}}, "callback"),
    "a handler": ({"hydra": {"job_logging": {"handlers": {"console": {"class": "canary.Handler"}}}}}, "handler"),
    "an ext:// stream": ({"hydra": {"job_logging": {"handlers": {"console": {"stream": "ext://canary.x"}}}}}, "import"),
    "an ext:// file": ({"hydra": {"job_logging": {"handlers": {"file": {"filename": "ext://canary.x"}}}}}, "import"),
    "a variable": ({"hydra": {"job": {"env_set": {"PYTHONPATH": "inject"}}}}, "import"),
    "a search path": ({"hydra": {"searchpath": ["pkg://canary"]}}, "import"),
    "a structured search path": ({"hydra": {"searchpath": ["structured://canary"]}}, "import"),
}
LIVE_IN_A_SWEEP = {
    "a launcher's part": ({"hydra": {"launcher": {"x": {"_target_": "canary.Plugin"}}}}, "plugin"),
    "a sweeper's part": ({"hydra": {"sweeper": {"x": {"_target_": "canary.Plugin"}}}}, "plugin"),
    "a handler of Hydra's": (
        {"hydra": {"hydra_logging": {"handlers": {"console": {"class": "canary.Handler"}}}}},
        "handler",
    ),
}


@pytest.mark.parametrize("attack", LIVE)
def test_plain_hydra_runs_the_canary_for(attack, folder):
    tree, song = LIVE[attack]
    overrides = [line.replace("++hydra.searchpath", "hydra.searchpath") for line in as_overrides(tree)]
    folder.spawn("bare.py", *overrides)
    assert song in folder.songs()


@pytest.mark.parametrize("attack", LIVE_IN_A_SWEEP)
def test_plain_hydra_runs_the_canary_in_a_sweep_for(attack, folder):
    tree, song = LIVE_IN_A_SWEEP[attack]
    folder.spawn("bare.py", "--multirun", *as_overrides(tree), "+seed=1")
    assert song in folder.songs()


@pytest.mark.parametrize(
    ("section", "song"), [("handlers", "handler"), ("formatters", "formatter"), ("filters", "filter")]
)
def test_plain_hydra_calls_the_factories_of_a_logging_file(section, song, folder):
    logged = {"version": 1, section: {"x": {"()": f"canary.{song.title()}"}}, "root": {"level": "INFO"}}
    folder.write("conf/hydra/job_logging/evil.yaml", yaml.safe_dump(logged))
    folder.spawn("bare.py", "--config-dir", "conf", "hydra/job_logging=evil")
    assert song in folder.songs()


def test_plain_hydra_runs_the_canary_for_the_flags(folder):
    class Evil:
        def __reduce__(self):
            return eval, ("__import__('canary').call()",)

    (folder.path / "evil.pickle").write_bytes(pickle.dumps(Evil()))
    folder.spawn("bare.py", "--config-path", "pkg://canary")
    assert folder.songs() == ["import"]
    folder.spawn("bare.py", "--experimental-rerun", "evil.pickle")
    assert folder.songs()[1:] == ["import", "call"]


def test_an_unsafe_yaml_loader_runs_the_canary_for_a_tag(folder):
    folder.write("evil.yaml", "!!python/object/apply:canary.call []")
    folder.spawn("-c", "import yaml; yaml.unsafe_load(open('evil.yaml'))")
    assert folder.songs() == ["import", "call"]
