"""The example packages, built and installed by pip as a user would, each into a folder of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples" / "plugins"


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("installed")
    source = folder / "source"
    shutil.copytree(EXAMPLES / "custom_accuracy", source)
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--no-build-isolation"]
    subprocess.run([*pip, "--target", str(folder / "site"), str(source)], check=True)
    return folder / "site"


def run(command: list[str], site: Path | None, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(site or "")}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


def test_its_own_tests_pass_as_installed(installed: Path, tmp_path: Path):
    tests = EXAMPLES / "custom_accuracy" / "tests"
    result = run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tests)], installed, tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr


def test_installed_it_is_an_option_and_uninstalled_it_is_not(installed: Path, tmp_path: Path):
    command = [sys.executable, "-m", "codex_ml", "metric=[custom_accuracy]"]
    there = run([*command, "metric.custom_accuracy.ignore=other", "--cfg", "job"], installed, tmp_path)
    assert there.returncode == 0, there.stderr
    assert "ignore: other" in there.stdout
    wrong = run([*command, "metric.custom_accuracy.ignore=[a]"], installed, tmp_path)
    assert wrong.returncode == 2
    assert "'metric.custom_accuracy.ignore' must be str or null" in wrong.stderr
    gone = run(command, None, tmp_path)
    assert gone.returncode == 2
    assert "there is no metric 'custom_accuracy'" in gone.stderr
