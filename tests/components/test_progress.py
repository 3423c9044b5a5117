from __future__ import annotations

import os
import pickle
import pty
import re
import subprocess
import sys
import termios
from contextlib import suppress
from itertools import permutations

import pytest

from codex_ml.plugins import progress
from codex_ml.plugins.progress import Progress

TRAINING = """
import sys, time
from codex_ml.plugins.progress import Progress
bar = Progress(refresh_per_second=20)
bar.on_train_start(20)
for step in range(1, 21):
    time.sleep(0.02)
    bar.on_step(step, 16, {"loss": 2 / step, "lr": 0.1})
    if step % 10 == 0:
        bar.on_evaluate(step, "validation", {"f1": 0.5 + step / 100, "[bold]": 1.0})
print("on stdout")
END
"""


def on_a_terminal(code, **environment):
    """Runs code with stderr on a pseudo-terminal; returns stdout, what the terminal got, whether it is as before."""
    mine, theirs = pty.openpty()
    before = termios.tcgetattr(theirs)
    plain = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS")}
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=theirs,
        env={**plain, "TERM": "xterm", "COLUMNS": "120", **environment},
    )
    written = b""
    os.set_blocking(mine, False)
    while process.poll() is None:
        with suppress(BlockingIOError):
            written += os.read(mine, 65536)
    with suppress(BlockingIOError):
        written += os.read(mine, 1 << 20)
    assert process.stdout is not None
    out = process.stdout.read().decode()
    same = termios.tcgetattr(theirs) == before
    os.close(mine)
    os.close(theirs)
    return out, written.decode(), same


@pytest.mark.parametrize("end", ["bar.on_train_end()", "bar.on_run_end({})"])
def test_on_a_terminal_a_bar_is_drawn_and_the_cursor_given_back(end):
    out, written, same = on_a_terminal(TRAINING.replace("END", end))
    assert out == "on stdout\n"
    assert same
    assert written.count("\x1b[?25l") == written.count("\x1b[?25h") == 1
    assert written.rindex("\x1b[?25h") > written.rindex("\x1b[?25l")
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", written)
    last = text.rstrip().replace("\r", "\n").splitlines()[-1]
    assert "20/20" in last
    assert "loss 0.1" in last
    assert "records/s" in last
    assert text.count("step 10: validation: f1 0.6, [bold] 1") == 1
    assert text.count("step 20: validation: f1 0.7, [bold] 1") == 1


def test_an_error_in_training_still_gives_the_terminal_back():
    code = TRAINING.replace("END", "bar.on_train_end()").replace("time.sleep(0.02)", "if step == 7: break")
    _, written, same = on_a_terminal(code)
    assert same
    assert written.endswith("\x1b[?25h") or written.rindex("\x1b[?25h") > written.rindex("\x1b[?25l")


def test_a_dumb_terminal_gets_plain_lines():
    _, written, _ = on_a_terminal(TRAINING.replace("END", "bar.on_train_end()"), TERM="dumb")
    assert "\x1b" not in written
    assert "step 2 of 20, loss 1, " in written


@pytest.mark.parametrize("environment", [{}, {"FORCE_COLOR": "1"}])
def test_without_a_terminal_there_are_plain_lines(environment):
    done = subprocess.run(
        [sys.executable, "-c", TRAINING.replace("END", "bar.on_train_end()")],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        check=True,
    )
    lines = done.stderr.splitlines()
    assert done.stdout == "on stdout\n"
    assert "\x1b" not in done.stderr
    assert lines[0] == "training for 20 steps"
    assert re.fullmatch(r"step 2 of 20, loss 1, [\d.e+]+ records/s, 0:0\d left", lines[1])
    assert [line for line in lines if "validation" in line] == [
        "step 10: validation: f1 0.6, [bold] 1",
        "step 20: validation: f1 0.7, [bold] 1",
    ]
    assert len(lines) == 1 + 10 + 2


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 100.0

        def monotonic(self):
            return self.now

    ticking = Clock()
    monkeypatch.setattr(progress, "time", ticking)
    return ticking


def test_a_slow_run_speaks_every_ten_seconds(clock, capsys):
    bar = Progress()
    bar.on_train_start(10_000)
    for step in range(1, 13):
        clock.now += 4
        bar.on_step(step, 2, {"loss": 0.5})
    assert capsys.readouterr().err.splitlines() == [
        "training for 10000 steps",
        "step 3 of 10000, loss 0.5, 0.5 records/s, 11:06:28 left",
        "step 6 of 10000, loss 0.5, 0.5 records/s, 11:06:16 left",
        "step 9 of 10000, loss 0.5, 0.5 records/s, 11:06:04 left",
        "step 12 of 10000, loss 0.5, 0.5 records/s, 11:05:52 left",
    ]


def test_a_run_that_continues_counts_only_its_own_steps(clock, capsys):
    bar = Progress()
    bar.on_train_start(100)
    for step in range(51, 61):
        clock.now += 1
        bar.on_step(step, 0, {})
    assert capsys.readouterr().err.splitlines()[-1] == "step 60 of 100, 1 steps/s, 0:40 left"


CALLS = [
    lambda bar: bar.on_train_start(3),
    lambda bar: bar.on_step(1, 4, {"loss": float("nan")}),
    lambda bar: bar.on_evaluate(1, "test", {}),
    lambda bar: bar.on_train_end(),
    lambda bar: bar.on_run_end({}),
]


@pytest.mark.parametrize("order", list(permutations(range(5))))
def test_any_order_of_calls_is_safe(order, capsys):
    bar = Progress()
    for position in order:
        CALLS[position](bar)
    bar.on_step(0, 0, {})
    bar.on_train_start(0)
    bar.on_step(1, 0, {})
    bar.on_train_end()
    bar.on_train_end()
    assert "test: no metrics" in capsys.readouterr().err


def test_a_closed_stderr_does_not_end_the_training():
    code = TRAINING.replace("END", "bar.on_train_end()").replace("bar =", "sys.stderr.close()\nbar =")
    assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True).stdout == b"on stdout\n"


def test_a_reader_that_went_away_does_not_end_the_training():
    mine, theirs = os.pipe()
    os.close(mine)
    code = TRAINING.replace("END", "bar.on_train_end()")
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=theirs, check=False)
    os.close(theirs)
    assert done.stdout == b"on stdout\n"


def test_pickles_before_use():
    assert pickle.loads(pickle.dumps(Progress(refresh_per_second=2))).refresh_per_second == 2


@pytest.mark.parametrize("rate", [0, -1, 61, float("nan"), True, "4", None])
def test_a_wrong_refresh_rate_is_refused(rate):
    with pytest.raises(ValueError, match="refresh_per_second"):
        Progress(refresh_per_second=rate)


def test_declares_that_it_changes_no_result():
    assert Progress.__codex_api__ == "v1"
    assert Progress.__codex_meta__["observer"] is True
