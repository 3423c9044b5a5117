"""`codex-ml plugins new`: what it writes installs, passes its tests and runs; what it cannot write leaves nothing."""

import json
import subprocess
import sys

import pytest

from codex_ml import registries
from codex_ml.cli.main import main
from fresh_environment import FreshEnvironment

ALL = [argument for kind in registries.KINDS for argument in ("--kind", kind)]


def new(*arguments):
    return main(["plugins", "new", *map(str, arguments)])


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    """A package of all seven kinds as it is generated, installed as its README says."""
    folder = tmp_path_factory.mktemp("everything")
    assert new("my-parts", *ALL, "--folder", folder) == 0
    environment = FreshEnvironment(folder / "environment")
    ended = environment.run("pip install -q -e '.[dev]'", cwd=folder / "my-parts")
    assert ended.returncode == 0, ended.stderr
    return environment, folder / "my-parts"


def test_its_tests_pass_as_generated(everything):
    environment, package = everything
    ended = environment.run("pytest -q", cwd=package)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    counted = environment.run("pytest -q --collect-only", cwd=package).stdout
    for kind in registries.KINDS:
        assert f"tests/test_{kind}.py::Test" in counted
    assert "codex_ml/testing" not in counted


def test_its_tests_fail_when_a_component_is_broken(everything):
    environment, package = everything
    metric = package / "src" / "my_parts" / "metric.py"
    source = metric.read_text(encoding="utf-8")
    metric.write_text(source.replace("return wrong / len(labels)", "return wrong"), encoding="utf-8")
    try:
        ended = environment.run("pytest -q tests/test_metric.py", cwd=package)
    finally:
        metric.write_text(source, encoding="utf-8")
    assert ended.returncode == 1
    assert "metric 'my_parts' returns 1 of type int; it must return a float" in ended.stdout


def test_every_component_can_be_chosen_and_a_run_is_made_of_them(everything, tmp_path):
    environment, _ = everything
    blocks = [
        f"text: {'good' if number % 2 else 'bad'} film {number}\nrating: {number % 2 * 5}\n" for number in range(24)
    ]
    (tmp_path / "films.txt").write_text("\n".join(blocks), encoding="utf-8")
    chosen = (
        "codex-run task=my_parts task.threshold=3 model=my_parts model.width=8 tokenizer=my_parts tokenizer.size=100 "
        "data=files data.train=films.txt data.validation=films.txt data_loader=my_parts 'data_loader.separator=\":\"' "
        "trainer=my_parts trainer.epochs=3 'metric=[accuracy,my_parts]' 'plugin=[my_parts]' plugin.my_parts.patience=1"
    )
    shown = environment.run(f"{chosen} --cfg job", cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    for line in (
        "threshold: 3",
        "width: 8",
        "size: 100",
        "separator: ':'",
        "epochs: 3",
        "tolerance: 0.0",
        "patience: 1",
    ):
        assert f"  {line}\n" in shown.stdout
    ended = environment.run(chosen, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    (record,) = tmp_path.glob("outputs/*/run.json")
    assert json.loads(record.read_text())["metrics"].keys() == {"accuracy", "my_parts"}


def test_its_readme_names_each_option_and_how_to_install_and_test_it(everything):
    readme = (everything[1] / "README.md").read_text(encoding="utf-8")
    assert "```sh\npip install -e '.[dev]'\npytest\n```" in readme
    for kind in registries.KINDS:
        assert f"| `{kind}=my_parts` |" in readme
    assert "codex-run model=my_parts tokenizer=my_parts\n" in readme


def test_it_depends_on_codex_ml_for_its_tests_alone(everything):
    project = (everything[1] / "pyproject.toml").read_text(encoding="utf-8")
    assert 'dependencies = ["torch>=2.6"]\n' in project
    assert 'dev = ["codex-ml[train]", "pytest>=8.3"]\n' in project


def test_what_it_writes_is_tidy(everything):
    package = everything[1]
    check = [sys.executable, "-m", "ruff", "check", "--isolated", "--line-length=120", "--no-cache"]
    rules = "--select=A,B,C4,E,F,I,N,PERF,PT,RET,RUF,SIM,UP,W"
    assert subprocess.run([*check, rules, "--ignore=RUF012"], cwd=package, check=False).returncode == 0
    formats = [sys.executable, "-m", "ruff", "format", "--isolated", "--line-length=120", "--no-cache", "--check"]
    assert subprocess.run(formats, cwd=package, check=False).returncode == 0
    assert not [path for path in package.rglob("*.py") if "$" in path.read_text(encoding="utf-8")]


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("kind", registries.KINDS)
def test_a_package_of_one_kind_holds_that_kind_alone(tmp_path, kind, capsys):
    assert new("mine", "--kind", kind, "--folder", tmp_path, "--format", "json") == 0
    told = json.loads(capsys.readouterr().out)
    written = files(tmp_path / "mine")
    extra = ["src/mine/model_network.py"] if kind == "model" else []
    assert written == sorted(
        ["README.md", "pyproject.toml", "src/mine/__init__.py", f"src/mine/{kind}.py", f"tests/test_{kind}.py", *extra]
    )
    assert told["files"] == written
    assert told["folder"] == str(tmp_path / "mine")
    ((component),) = told["components"]
    assert (component["kind"], component["name"]) == (kind, "mine")
    target = component["target"]
    assert f'[project.entry-points."{registries.GROUPS[kind]}"]\nmine = "{target}"\n' in (
        tmp_path / "mine" / "pyproject.toml"
    ).read_text(encoding="utf-8")
    assert told["next"][:3] == [f"cd {tmp_path / 'mine'}", "pip install -e '.[dev]'", "pytest"]
    assert list(tmp_path.iterdir()) == [tmp_path / "mine"]


def test_the_table_says_what_was_written_and_what_to_do_next(project, capsys):
    assert new("My.Metrics", "--kind", "metric", "--kind", "metric") == 0
    assert capsys.readouterr().out.splitlines() == [
        "My.Metrics:",
        "  README.md",
        "  pyproject.toml",
        "  src/my_metrics/__init__.py",
        "  src/my_metrics/metric.py",
        "  tests/test_metric.py",
        "",
        "Next:",
        "  cd My.Metrics",
        "  pip install -e '.[dev]'",
        "  pytest",
        "  codex-run 'metric=[accuracy,my_metrics]' metric.my_metrics.tolerance=0",
    ]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "is none that pip takes"),
        ("my metric", "is none that pip takes"),
        ("-metric", "is none that pip takes"),
        ("../metric", "is none that pip takes"),
        ("métrique", "is none that pip takes"),
        ("2nd", "makes the package '2nd', which Python cannot import"),
        ("class", "makes the package 'class', which Python cannot import"),
        ("None", "makes the option 'none', which means something else in YAML"),
        ("json", "would hide another one of that name"),
        ("tests", "would hide another one of that name"),
        ("omegaconf", "is that of something installed already"),
        ("Codex_ML", "is that of something installed already"),
        ("hydra", "is that of something installed already"),
        ("f1", "there is a metric 'f1' already, of codex-ml"),
    ],
)
def test_a_name_that_will_not_do_is_refused(project, capsys, name, message):
    assert new("--kind=metric", "--", name) == 2
    assert message in capsys.readouterr().err
    assert list(project.iterdir()) == []


def test_all_that_is_wrong_with_a_name_is_told_at_once(project, capsys):
    assert new("true", "--kind", "metric") == 2
    assert "'true', which means something else in YAML" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["mine"], ["mine", "--kind", "metrics"], ["--kind", "metric"]])
def test_a_wrong_command_line_is_refused(project, capsys, arguments):
    assert new(*arguments) == 2
    assert "usage: codex-ml plugins new" in capsys.readouterr().err
    assert list(project.iterdir()) == []


@pytest.mark.parametrize("kind", ["folder", "file", "link"])
def test_what_is_there_is_left_alone(project, capsys, kind):
    there = project / "mine"
    {"folder": there.mkdir, "file": there.touch, "link": lambda: there.symlink_to("nowhere")}[kind]()
    assert new("mine", "--kind", "metric") == 2
    assert "mine is there already: choose another name, or another folder with --folder" in capsys.readouterr().err
    assert list(project.iterdir()) == [there]
    assert kind != "folder" or not list(there.iterdir())


def test_a_folder_that_is_not_there_is_refused(project, capsys):
    assert new("mine", "--kind", "metric", "--folder", "nowhere") == 2
    assert "there is no folder nowhere" in capsys.readouterr().err


def test_a_failure_leaves_nothing_half_written(project, capsys, monkeypatch):
    from pathlib import Path

    written = []

    def write(path, *arguments, **options):
        written.append(path)
        if len(written) == 3:
            raise OSError(28, "No space left on device")
        return plain(path, *arguments, **options)

    plain = Path.write_text
    monkeypatch.setattr(Path, "write_text", write)
    assert new("mine", "--kind", "metric") == 2
    assert "cannot write mine: No space left on device" in capsys.readouterr().err
    assert len(written) == 3
    assert list(project.iterdir()) == []
