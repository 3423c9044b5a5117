"""Tiny runs with a tracker, in processes of their own, that can be cut off on their way."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from dataclasses import replace
from importlib import import_module
from pathlib import Path

TRAINER = {"epochs": 3, "batch_size": 16, "log_steps": 1, "eval_steps": 3, "save_steps": 4, "lr": 0.05, "threads": 1}
STEPS = 12


def tracked(tracker, root, *attempts, options=None, environment=None, wait=True):
    """Runs the same run once for each attempt, in `root/outputs/run`, each in a process of its own.

    Args:
        tracker: The tracker's class.
        root: A folder that is there; what it holds after each attempt is in `root-1`, `root-2`, ...
        *attempts: What happens: `whole`, `early` (an error before training), or what at which step: `kill:10`
            (SIGKILL), `stop:10` (SIGTERM), `fail:10` (an error).
        options: The tracker's.
        environment: Variables besides.
        wait: Whether to wait for the end.

    Returns:
        The ended process; where it isn't waited for, the running one.
    """
    told = [f"{tracker.__module__}:{tracker.__name__}", str(root), json.dumps(options or {}), *attempts]
    # MLflow says nothing to anybody under these, which would be no proof.
    silencing = ("CI", "GITHUB_ACTIONS", "PYTEST_CURRENT_TEST", "CODEX_ML_CACHE_DIR")
    inherited = {name: value for name, value in os.environ.items() if name not in silencing}
    command = [sys.executable, __file__, *told]
    given = {**inherited, "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", **(environment or {})}
    if not wait:
        return subprocess.Popen(command, env=given, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    done = subprocess.run(command, env=given, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done


def after(root, attempt):
    """The run's folder as it was after an attempt, the first is 1."""
    return Path(f"{root}-{attempt}") / "outputs" / "run"


def logged(folder):
    """What `metrics.jsonl` says: name to [(step, value)]."""
    found = {}
    for line in (folder / "metrics.jsonl").read_text().splitlines():
        values = json.loads(line)
        step = values.pop("step")
        for name, value in values.items():
            found.setdefault(name, []).append((step, value))
    return found


def record_of(folder):
    return json.loads((folder / "run.json").read_text())


class Trap:
    """A server that takes no part in anything but counts who comes."""

    def __enter__(self):
        self.visits = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._listen, daemon=True).start()
        return self

    def _listen(self):
        while True:
            try:
                visitor, _ = self._socket.accept()
            except OSError:
                return
            self.visits += 1
            visitor.close()

    def __exit__(self, *_):
        self._socket.close()

    @property
    def environment(self):
        """Leads whoever asks the environment, or a proxy, here."""
        proxies = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), self.address)
        lower = {name.lower(): value for name, value in proxies.items()}
        wandb = {"WANDB_MODE": "online", "WANDB_BASE_URL": self.address, "WANDB_API_KEY": "x" * 40}
        mlflow = {"MLFLOW_TRACKING_URI": self.address, "MLFLOW_REGISTRY_URI": self.address}
        chatty = {"WANDB_ERROR_REPORTING": "true", "MLFLOW_DISABLE_TELEMETRY": "false", "DO_NOT_TRACK": "false"}
        return {**proxies, **lower, **wandb, **mlflow, **chatty, "NO_PROXY": "", "no_proxy": "", "FENCED": "1"}


class CutOff:
    """What happens to a run, told after its plugins."""

    def __init__(self, attempt):
        self.how, _, step = attempt.partition(":")
        self.step = int(step or 0)

    def on_run_start(self, record):
        if self.how == "early":
            raise ValueError("nothing will come of this")

    def on_log(self, step, values):
        if step != self.step:
            return
        if self.how == "fail":
            raise ValueError("the machine is on fire")
        os.kill(os.getpid(), signal.SIGKILL if self.how == "kill" else signal.SIGTERM)


def _fence():
    """From here on nobody in this process reaches further than this machine's own sockets."""
    connect = socket.socket.connect

    def fenced(self, address):
        if self.family != socket.AF_UNIX:
            Path(os.environ["FENCE_LOG"]).write_text(f"connect {address}")
            raise OSError("the network is fenced off")
        return connect(self, address)

    def lookup(*arguments, **options):
        Path(os.environ["FENCE_LOG"]).write_text(f"look-up {arguments}")
        raise OSError("the network is fenced off")

    socket.socket.connect = fenced
    socket.socket.connect_ex = fenced
    socket.getaddrinfo = lookup


def _attempt(component, root, attempt):
    from codex_ml.errors import CodexError
    from codex_ml.launch.execute import execute
    from codex_ml.testing.tiny_run import tiny_assembly

    folder = root / "outputs" / "run"
    folder.mkdir(parents=True, exist_ok=True)
    parts = tiny_assembly(root, plugins=(component,) if component else ())
    parts = replace(parts, trainer=replace(parts.trainer, options={**parts.trainer.options, **TRAINER}))
    try:
        execute(parts, folder=folder, run_id="abc123", callbacks=[CutOff(attempt)])
    except CodexError as error:
        print(f"{attempt}: {error}")


def main(target, root, options, *attempts):
    import torch  # noqa: F401, once for all attempts

    from codex_addons.component import meta_of
    from codex_ml.testing.tiny_run import by_hand

    root = Path(root)
    os.environ["CODEX_ML_CACHE_DIR"] = str(root / "cache")
    if "FENCED" in os.environ:
        _fence()
    module, _, name = target.partition(":")
    factory = getattr(import_module(module), name)
    component = replace(by_hand("plugin", factory), meta=meta_of(factory), options=json.loads(options))
    for number, attempt in enumerate(attempts, 1):
        child = os.fork()
        if child == 0:
            code = 1
            try:
                _attempt(component, root, attempt)
                code = 0
            finally:
                sys.stdout.flush()
                # With what a library does at the end of a process.
                sys.exit(code)
        ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert ended == (-signal.SIGKILL if attempt.startswith("kill") else 0), (attempt, ended)
        shutil.copytree(root, f"{root}-{number}", symlinks=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
