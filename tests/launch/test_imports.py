"""What the commands that run nothing leave alone."""

import os
import subprocess
import sys

import pytest

HEAVY = ("torch", "transformers", "numpy", "sklearn", "pyarrow", "tokenizers", "scipy", "pandas", "sacrebleu")


def imported(arguments, *, preamble="", **environment):
    """The modules at the top that a `codex-run` has imported when it ends, and its exit code."""
    program = (
        "import atexit, sys\n"
        "atexit.register(lambda: print('MODULES', *sorted({name.partition('.')[0] for name in sys.modules})))\n"
        f"{preamble}\n"
        "from codex_ml.launch.app import main\n"
        "sys.exit(main())\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, **environment},
    )
    (line,) = [line for line in ended.stdout.splitlines() if line.startswith("MODULES")]
    return {*line.split()[1:]}, ended.returncode


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--help"], 0),
        (["--cfg", "job"], 0),
        (["--cfg", "job", "--resolve", "metric=[accuracy,f1]"], 0),
        (["--info", "all"], 0),
        (["mode=check"], 0),
        (["model=minlm", "trainer.lrr=1", "metric=[f2]"], 2),
    ],
)
def test_showing_and_checking_import_nothing_heavy(project, records, arguments, code):
    modules, returned = imported([*arguments, *records])
    assert returned == code
    assert not modules & {*HEAVY}
    assert "hydra" in modules


@pytest.mark.parametrize("line", ["codex-run model=", "codex-run trainer.", "codex-run trainer.schedule="])
def test_completing_imports_nothing_heavy(project, line):
    modules, returned = imported(["-sc", "query=bash"], COMP_LINE=line, COMP_POINT=str(len(line)))
    assert returned == 0
    assert not modules & {*HEAVY}


def test_a_heavy_import_would_be_seen(project):
    assert "numpy" in imported(["--help"], preamble="import numpy")[0]
