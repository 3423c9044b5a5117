import os
import signal
import subprocess
import sys
import threading

import pytest
from tiny_run import Recorder, component, lines, read

from codex_ml.errors import RunInterrupted


def interrupted_by(number):
    def trainer(context):
        context.begin(2)
        context.log({"loss": 0.5}, step=1)
        os.kill(os.getpid(), number)
        raise AssertionError("the signal did not arrive")

    return component("trainer", "t", trainer)


@pytest.mark.parametrize(("number", "name"), [(signal.SIGINT, "Ctrl-C"), (signal.SIGTERM, "SIGTERM")])
def test_an_interrupted_run_says_so_and_its_files_are_whole(run, tmp_path, number, name):
    recorder = Recorder()
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(RunInterrupted, match=name):
        run(trainer=interrupted_by(number), callbacks=[recorder])
    assert signal.getsignal(signal.SIGTERM) is before
    assert read(tmp_path / "run")["status"] == "interrupted"
    assert lines(tmp_path / "run") == [{"step": 1, "loss": 0.5}]
    assert recorder.names()[-2:] == ["on_train_end", "on_run_end"]


def test_sigterm_passes_an_observer_that_catches_everything(run, tmp_path):
    class Careless:
        def on_log(self, *_):
            try:
                os.kill(os.getpid(), signal.SIGTERM)
            except Exception:
                pytest.fail("swallowed")

    careless = component("plugin", "careless", Careless, meta={"observer": True})
    with pytest.raises(RunInterrupted):
        run(plugins=(careless,))
    assert read(tmp_path / "run")["status"] == "interrupted"


def test_a_run_works_in_another_thread(run):
    done = []
    thread = threading.Thread(target=lambda: done.append(run()))
    thread.start()
    thread.join()
    assert done[0]["status"] == "completed"


def test_what_a_cut_off_attempt_left_is_started_anew(run, tmp_path):
    with pytest.raises(RunInterrupted):
        run(trainer=interrupted_by(signal.SIGINT))
    run()
    assert {"step": 1, "loss": 0.5} not in lines(tmp_path / "run")
    assert read(tmp_path / "run")["status"] == "completed"


SCRIPT = """
import sys, pathlib, time
sys.path.insert(0, {tests!r})
import tiny_run
from codex_ml.launch.execute import execute
folder = pathlib.Path({folder!r})
(folder / "run").mkdir()
def slow(context):
    context.log({{"x": 1.0}}, step=1)
    print("ready", flush=True)
    time.sleep(60)
trainer = tiny_run.component("trainer", "t", slow)
execute(tiny_run.assembly(folder, trainer=trainer), folder=folder / "run", run_id="x")
"""


def test_a_process_told_to_stop_leaves_a_whole_record(tmp_path):
    script = SCRIPT.format(tests=os.path.dirname(__file__), folder=str(tmp_path))
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert process.stdout.readline().strip() == "ready"
    process.terminate()
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "RunInterrupted" in errors
    assert read(tmp_path / "run")["status"] == "interrupted"
    assert lines(tmp_path / "run") == [{"step": 1, "x": 1.0}]
