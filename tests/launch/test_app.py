"""The command line as a whole: flags, exit codes, odd places to run in."""

import os
import shlex
import subprocess
import sys
from importlib import metadata

import pytest
import yaml

from plugin_package import write_plugin


def process(*arguments, cwd=None, **environment):
    return subprocess.run(
        [sys.executable, "-m", "codex_ml", *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        cwd=cwd,
        env={**os.environ, **environment},
    )


def test_the_version_is_this_projects(codex_run):
    ended = codex_run("--version")
    assert ended.code == 0
    assert ended.out.startswith(f"codex-run {metadata.version('codex-ml')} (Hydra {metadata.version('hydra-core')}")


def test_the_search_path_is_shown_in_its_order(codex_run, project):
    (project / "conf").mkdir()
    out = codex_run("--info", "searchpath").out
    assert out.index(f"project://{project}/conf") < out.index("pkg://codex_ml.conf") < out.index("codex://registries")


@pytest.mark.parametrize("what", ["all", "config", "defaults", "defaults-tree", "plugins", "searchpath"])
def test_everything_that_hydra_tells_of_itself_can_be_asked(codex_run, what):
    ended = codex_run("--info", what)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out


def test_hydras_own_help_is_there(codex_run):
    ended = codex_run("--hydra-help")
    assert ended.code == 0
    assert "--multirun" in ended.out


def test_the_job_config_is_yaml_without_hydra(codex_run):
    config = yaml.safe_load(codex_run("--cfg", "job", "trainer.lr=0.5").out)
    assert config["trainer"]["lr"] == 0.5
    assert config["trainer"]["factory"] == "${codex.factory:trainers,${.name}}"
    assert "hydra" not in config


def test_the_hydra_config_is_hydra_alone(codex_run):
    assert [*yaml.safe_load(codex_run("--cfg", "hydra").out)] == ["hydra"]


def test_the_whole_config_is_both(codex_run):
    assert {"hydra", "trainer"} <= {*yaml.safe_load(codex_run("--cfg", "all").out)}


def test_a_resolved_config_has_values_for_interpolations_and_no_factory(codex_run):
    config = yaml.safe_load(codex_run("--cfg", "job", "--resolve", "vars.n=3", "seed=${vars.n}").out)
    assert config["seed"] == 3
    assert config["metric"] == {"accuracy": {"name": "accuracy"}, "f1": {"name": "f1", "average": "macro"}}
    assert "factory" not in config["trainer"]


def test_a_config_that_cannot_be_resolved_is_one_line(codex_run):
    for override in ("seed=${nope}", "trainer.lr=${nope}"):
        ended = codex_run("--cfg", "job", "--resolve", override)
        assert (ended.code, ended.problems) == (2, ["--resolve: Interpolation key 'nope' not found"])


@pytest.mark.parametrize(
    ("package", "out"),
    [
        ("trainer.lr", "# @package trainer.lr\n5e-05\n"),
        ("metric.f1", None),
        ("objective", "# @package objective\nnull\n"),
    ],
)
def test_a_part_of_the_config_can_be_shown(codex_run, package, out):
    ended = codex_run("--cfg", "job", "--package", package)
    assert ended.code == 0
    assert ended.out.startswith(f"# @package {package}\n")
    assert ended.out.endswith("\n")
    assert out in (None, ended.out)


def test_a_part_that_is_not_there_is_told(codex_run):
    for key in ("nope", "trainer.nope", "trainer.lr.nope", "vars.x"):
        assert codex_run("--cfg", "job", "--package", key).problems == [
            f"--package {key}: there is no such key in the config"
        ]


def test_a_config_with_mistakes_can_be_shown(codex_run, site):
    modules = {"needy_app": "def needy(config, *, file: str): ..."}
    write_plugin(site, "needy", modules=modules, entry_points={"tokenizers": {"needy": "needy_app:needy"}})
    ended = codex_run("--cfg", "job", "trainer.lr=fast", "tokenizer=needy")
    assert ended.code == 0
    config = yaml.safe_load(ended.out)
    assert (config["trainer"]["lr"], config["tokenizer"]["file"]) == ("fast", "???")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--resolve"], "--resolve: goes with --cfg"),
        (["--run", "--multirun"], "only one of these at a time: --run, --multirun"),
        (["--config-dir", "nope"], "--config-dir nope: there is no folder {cwd}/nope"),
        (["--config-path", "nope"], "--config-path nope: there is no folder {cwd}/nope"),
        (["-sc"], "Expecting one subcommand from ['install', 'uninstall', 'query'] to be set"),
    ],
)
def test_flags_that_make_no_sense_are_one_line(codex_run, project, arguments, told):
    ended = codex_run(*arguments)
    assert (ended.code, ended.problems) == (2, [told.format(cwd=project)])


def test_an_unknown_flag_ends_with_2(codex_run):
    ended = codex_run("--nope")
    assert ended.code == 2
    assert ended.err.splitlines()[-1] == "codex-run: error: unrecognized arguments: --nope"


def test_a_config_dir_adds_options(codex_run, tmp_path):
    folder = tmp_path / "more configs" / "experiment"
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_text("# @package _global_\nseed: 7\n")
    ended = codex_run("--config-dir", str(folder.parent), "--cfg", "job", "--package", "seed", "experiment=mine")
    assert ended.out == "# @package seed\n7\n"


def test_another_primary_config_has_the_shipped_groups_below_it(codex_run, tmp_path):
    folder = tmp_path / "primary"
    folder.mkdir()
    defaults = "[_self_, task: classification, model: minilm, data_loader: jsonl, data: files, trainer: functional]"
    (folder / "mine.yaml").write_text(f"defaults: {defaults}\nseed: 8\n")
    ended = codex_run("--config-path", str(folder), "--config-name", "mine", "--cfg", "job")
    config = yaml.safe_load(ended.out)
    assert (config["seed"], config["model"]["name"]) == (8, "minilm")


def test_a_mistake_in_another_primary_config_is_told_with_its_line(codex_run, project):
    (project / "mine").mkdir()
    (project / "mine" / "config.yaml").write_text("defaults: [_self_, trainer: functionl]\nseed: x\n")
    problems = codex_run("--config-path", "mine").problems
    assert "mine/config.yaml:1: there is no trainer 'functionl'; did you mean 'functional'?" in problems
    assert "mine/config.yaml:2: 'seed' must be int, not 'x'" in problems


def test_a_sound_config_is_checked_without_making_anything(codex_run, project, records):
    before = sorted(project.iterdir())
    ended = codex_run("mode=check", *records)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("The config is sound: it would run in outputs/classification-minilm-")
    assert sorted(project.iterdir()) == before


def test_a_traceback_is_shown_to_who_asks_for_it(project):
    asked = process("model=nope", HYDRA_FULL_ERROR="1")
    assert asked.returncode == 1
    assert "Traceback" in asked.stderr
    assert "ConfigError: model=nope: there is no model 'nope'" in asked.stderr
    not_asked = process("model=nope")
    assert not_asked.returncode == 2
    assert "Traceback" not in not_asked.stderr


@pytest.mark.parametrize("arguments", ["--help", "--cfg all", "--cfg job", "--info all", "--version", "mode=check"])
def test_a_reader_that_leaves_early_causes_no_traceback(project, arguments):
    reading, writing = os.pipe()
    os.close(reading)
    ended = _process(arguments, stdout=writing)
    os.close(writing)
    assert ended.stderr == ""
    assert ended.returncode in (0, 1)


@pytest.mark.parametrize("arguments", ["--help", "--cfg job", "--version"])
def test_output_that_cannot_be_written_is_told(project, arguments):
    with open("/dev/full", "w") as full:
        ended = _process(arguments, stdout=full)
    assert ended.stderr.startswith("codex-run: ")
    assert "No space left on device" in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert ended.returncode == 1


def _process(arguments, stdout):
    # Buffered, as it is where nobody asks for something else; what is left in the buffer is written at the exit.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    command = [sys.executable, "-m", "codex_ml", *shlex.split(arguments)]
    return subprocess.run(
        command, check=False, stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=60, env=environment
    )


def test_the_module_is_the_command(project):
    ended = process("--help")
    assert ended.returncode == 0
    assert ended.stdout.startswith("codex-run: ")


def test_a_folder_with_spaces_and_other_scripts_in_its_name_is_no_trouble(tmp_path):
    folder = tmp_path / "mein Ordner ü 文"
    (folder / "conf" / "experiment").mkdir(parents=True)
    (folder / "conf" / "experiment" / "a b.yaml").write_text("# @package _global_\nseed: x\n")
    ended = process("experiment=a b", cwd=folder)
    assert ended.stderr == "codex-run: conf/experiment/a b.yaml:2: 'seed' must be int, not 'x'\n"
    shown = process("--cfg", "job", "experiment=a b", "--package", "seed", cwd=folder)
    assert shown.stdout == "# @package seed\nx\n"


def test_nothing_is_written_where_nothing_may_be(codex_run, project, records):
    # Not even root may write below /proc.
    ended = codex_run("run.root=/proc/nowhere", *records)
    assert ended.code == 2
    assert len(ended.problems) == 1
    assert "run.root=<folder>" in ended.problems[0]


def test_a_working_directory_that_nobody_may_write_is_enough_to_look_around(codex_run, monkeypatch):
    monkeypatch.chdir("/proc")
    assert codex_run("--help").code == 0
    assert codex_run("--cfg", "job").code == 0
    assert codex_run("model=minlm").code == 2
