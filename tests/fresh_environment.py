"""An environment of its own for a test, with all that this one has: what is installed there is nowhere else."""

import os
import site
import subprocess
import venv
from pathlib import Path

_COMMANDS = {
    "codex-ml": "from codex_ml.__main__ import manage as main",
    "codex-run": "from codex_ml.__main__ import main",
    "pip": "from pip._internal.cli.main import main",
    "pytest": "from pytest import console_main as main",
}
# No network, and a build with the setuptools that is here.
_PIP = {"PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1", "PIP_NO_BUILD_ISOLATION": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


class FreshEnvironment:
    """A virtual environment in a folder."""

    def __init__(self, folder):
        self.bin = folder / "bin"
        venv.create(folder, symlinks=True)
        (purelib,) = (folder / "lib").glob("python*/site-packages")
        # addsitedir, as codex-ml may be in there by a .pth file of its own.
        lines = "".join(f"import site; site.addsitedir({each!r})\n" for each in site.getsitepackages())
        (purelib / "parent.pth").write_text(lines, encoding="utf-8")
        for name, statement in _COMMANDS.items():
            script = self.bin / name
            script.write_text(f"#!{self.bin / 'python'}\nimport sys\n{statement}\nsys.exit(main())\n", encoding="utf-8")
            script.chmod(0o755)

    def run(self, script, *, cwd):
        """Runs a bash script, which ends at the first command that fails; what it printed, and its exit code."""
        environment = {**os.environ, **_PIP, "PATH": f"{self.bin}{os.pathsep}{os.environ['PATH']}"}
        environment["PYTEST_ADDOPTS"] = "-p no:cacheprovider"
        environment.pop("PYTHONPATH", None)
        command = ["bash", "-euo", "pipefail", "-c", script]
        return subprocess.run(
            command,
            cwd=Path(cwd),
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
