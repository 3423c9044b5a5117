"""The example packages, built and installed by pip as a user would, into an environment of their own."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import site
import subprocess
import sys
import venv
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples" / "plugins"
# Package → what it offers.
PACKAGES = {
    "cohen_kappa": ["metric=cohen_kappa"],
    "custom_accuracy": ["metric=custom_accuracy"],
    "custom_callbacks": ["plugin=custom_callbacks"],
    "custom_format": ["data_loader=custom_format"],
    "custom_trainer": ["trainer=custom"],
    "multi_label": ["task=multi_label"],
    "text_cnn": ["model=text_cnn"],
    "utf8_bytes": ["tokenizer=utf8_bytes"],
}
DISTRIBUTIONS = {package: f"codex-example-{package.replace('_', '-')}" for package in PACKAGES}
OPTIONS = [option for options in PACKAGES.values() for option in options]


class Environment:
    """A virtual environment that sees, besides its own packages, those of this one."""

    def __init__(self, folder: Path) -> None:
        venv.create(folder)
        scripts = "Scripts" if os.name == "nt" else "bin"
        self.python = folder / scripts / "python"
        self.folder = folder
        purelib = self.run("-c", "import sysconfig; print(sysconfig.get_path('purelib'))").stdout.strip()
        # addsitedir, as this environment may hold codex-ml by a .pth file of its own.
        lines = "".join(f"import site; site.addsitedir({each!r})\n" for each in site.getsitepackages())
        (Path(purelib) / "parent.pth").write_text(lines, encoding="utf-8")

    def run(self, *arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        command = [self.python, *arguments]
        return subprocess.run(command, cwd=cwd or self.folder, capture_output=True, text=True, check=False)

    def pip(self, *arguments: str | Path) -> None:
        result = self.run("-m", "pip", "-q", "--disable-pip-version-check", *arguments)
        assert result.returncode == 0, result.stdout + result.stderr


@pytest.fixture(scope="session")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copies, as building leaves files behind."""
    folder = tmp_path_factory.mktemp("sources")
    for package in PACKAGES:
        shutil.copytree(EXAMPLES / package, folder / package)
    return folder


@pytest.fixture(scope="session")
def wheels(sources: Path) -> list[Path]:
    folder = sources / "wheels"
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-index", "--no-build-isolation"]
    subprocess.run([*command, "-w", folder, *(sources / package for package in PACKAGES)], check=True)
    return sorted(folder.glob("*.whl"))


@pytest.fixture(scope="session")
def environment(wheels: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment with all of them."""
    made = Environment(tmp_path_factory.mktemp("installed"))
    made.pip("install", "--no-deps", "--no-index", *wheels)
    return made


def options_of(environment: Environment, folder: Path) -> set[str]:
    """What can be chosen, as the help page lists it."""
    shown = environment.run("-m", "codex_ml", "--help", cwd=folder)
    assert shown.returncode == 0, shown.stderr
    # A long list goes on in the next line.
    page = re.sub(r",\n +", ", ", shown.stdout)
    groups = [line.split(":") for line in page.splitlines() if re.match("  [a-z_]+: +", line)]
    return {f"{group.strip()}={name.strip()}" for group, names in groups for name in names.split(",")}


def test_every_package_here_is_tested():
    assert sorted(path.parent.name for path in EXAMPLES.glob("*/pyproject.toml")) == sorted(PACKAGES)


def test_the_table_and_each_readme_name_what_there_is():
    table = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    for package, options in PACKAGES.items():
        readme = (EXAMPLES / package / "README.md").read_text(encoding="utf-8")
        assert f"| `{package}` |" in table
        assert f"examples/plugins/{package}" in readme
        assert f"pip uninstall {DISTRIBUTIONS[package]}" in readme
        assert all(option.partition("=")[2] in readme for option in options)


def test_their_own_tests_pass_as_installed(environment: Environment, sources: Path):
    folders = [sources / package / "tests" for package in PACKAGES]
    options = ["-q", "-p", "no:cacheprovider", "--import-mode=importlib"]
    result = environment.run("-m", "pytest", *options, *folders, cwd=sources)
    assert result.returncode == 0, result.stdout + result.stderr


def test_installed_they_are_options_and_uninstalled_they_are_not(wheels: list[Path], tmp_path: Path):
    made = Environment(tmp_path / "environment")
    before = options_of(made, tmp_path)
    made.pip("install", "--no-deps", "--no-index", *wheels)
    assert options_of(made, tmp_path) == before | set(OPTIONS)
    made.pip("uninstall", "-y", DISTRIBUTIONS["custom_accuracy"])
    assert options_of(made, tmp_path) == before | set(OPTIONS) - {"metric=custom_accuracy"}
    made.pip("uninstall", "-y", *DISTRIBUTIONS.values())
    assert options_of(made, tmp_path) == before
    gone = made.run("-m", "codex_ml", "model=text_cnn", cwd=tmp_path)
    assert gone.returncode == 2
    assert "there is no model 'text_cnn'" in gone.stderr


def test_their_options_are_typed(environment: Environment, tmp_path: Path):
    wrong = environment.run(
        *("-m", "codex_ml", "metric=[cohen_kappa,custom_accuracy]", "metric.custom_accuracy.ignore=[a]"),
        *(
            "metric.cohen_kappa.weights=cubic",
            "model=text_cnn",
            "model.lengths=[1,x]",
            "trainer=custom",
            "trainer.lr=low",
        ),
        cwd=tmp_path,
    )
    assert wrong.returncode == 2
    for told in (
        "'metric.custom_accuracy.ignore' must be str or null",
        "'metric.cohen_kappa.weights' must be one of linear, quadratic",
        "'model.lengths[1]' must be int",
        "'trainer.lr' must be float",
    ):
        assert told in wrong.stderr


@pytest.mark.parametrize(
    "readme", [EXAMPLES, *(EXAMPLES / package for package in PACKAGES)], ids=lambda path: path.name
)
def test_the_command_in_each_readme_composes(environment: Environment, readme: Path, tmp_path: Path):
    text = (readme / "README.md").read_text(encoding="utf-8").replace("\\\n", " ")
    (command,) = [line.strip() for line in text.splitlines() if line.startswith("    codex-run ")]
    composed = environment.run("-m", "codex_ml", *shlex.split(command)[1:], "--cfg", "job", cwd=tmp_path)
    assert composed.returncode == 0, composed.stderr


def write_records(path: Path, count: int) -> None:
    """Texts about sport, tech, both or neither."""
    words = {"sport": ["ball", "goal", "team"], "tech": ["chip", "code", "disk"]}
    records = []
    for number in range(count):
        labels = [label for bit, label in enumerate(words) if number >> bit & 1]
        text = " ".join(["the", *(words[label][number // 4 % 3] for label in labels), "today"])
        records.append(f"# record {number}\ntext: {text}\nlabels: {', '.join(labels)}\n")
    path.write_text("\n".join(records), encoding="utf-8")


def test_a_run_of_all_seven_kinds(environment: Environment, tmp_path: Path):
    write_records(tmp_path / "train.txt", 48)
    write_records(tmp_path / "validation.txt", 12)
    result = environment.run(
        *("-m", "codex_ml", "task=multi_label", "task.max_length=32", "model=text_cnn", "tokenizer=utf8_bytes"),
        *("data_loader=custom_format", "data=files", "data.train=train.txt", "data.validation=validation.txt"),
        *("trainer=custom", "trainer.epochs=30", "trainer.batch_size=8", "trainer.lr=0.3"),
        *("metric=[custom_accuracy,cohen_kappa]", "plugin=[hello,custom_callbacks]"),
        "plugin.custom_callbacks.patience=3",
        cwd=tmp_path,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    (path,) = tmp_path.glob("outputs/*/run.json")
    record = json.loads(path.read_text(encoding="utf-8"))
    assert record["status"] == "completed"
    components = record["components"]
    used = [components.pop("metric"), components.pop("plugin"), list(components.values())]
    assert {each["distribution"] for kind in used for each in kind} == {*DISTRIBUTIONS.values(), "codex-ml"}
    assert record["metrics"]["custom_accuracy"] > 0.9
    assert f"hello, world: this is run {record['run_id']}" in result.stdout + result.stderr
    lines = (tmp_path / "evaluations.txt").read_text(encoding="utf-8").splitlines()
    # One an epoch, and the last one for the best weights; it stopped early, as nothing is better than 1.
    assert 5 <= len(lines) <= 30
    assert lines[-1].startswith(f"{record['run_id']} step ")
