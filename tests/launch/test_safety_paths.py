"""A config is named by its place in its group: no path leads to a file elsewhere, which would count as shipped."""

import pytest
import yaml
from test_safety_controls import assert_refused, make_folder

EVIL = {
    "version": 1,
    "handlers": {"console": {"class": "canary.Handler"}},
    "root": {"level": "INFO", "handlers": ["console"]},
}
FORMS = [
    [],
    ["mode=check"],
    ["--cfg", "all"],
    ["--help"],
    ["--hydra-help"],
    ["--info", "all"],
    ["--multirun", "seed=1", "mode=check"],
]
GROUPS = ["hydra/hydra_logging", "hydra/job_logging"]


@pytest.fixture
def folder(tmp_path, tmp_path_factory, monkeypatch):
    made = make_folder(tmp_path, tmp_path_factory, monkeypatch)
    made.write("evil/log.yaml", yaml.safe_dump(EVIL))
    made.write("evil/target.yaml", "_target_: canary.call\n")
    made.write("conf/experiment/sub/a.yaml", "# @package _global_\nseed: 7\n")
    return made


def climbing(folder, name="log"):
    """From any folder up to the root, and down to a file."""
    return f"{'../' * 20}{str(folder.path).lstrip('/')}/evil/{name}"


def assert_one(folder, outcome, source):
    assert_refused(folder, outcome, "is refused: a config is named by its place in its group")
    (line,) = outcome.err.splitlines()
    assert line.startswith(f"codex-run: {source}: ")


@pytest.mark.parametrize("form", FORMS, ids=" ".join)
@pytest.mark.parametrize("group", GROUPS)
def test_a_choice_may_not_climb(group, form, folder):
    assert_one(folder, folder.run(f"{group}={climbing(folder)}", *form), f"{group}={climbing(folder)}")


@pytest.mark.parametrize("form", FORMS, ids=" ".join)
@pytest.mark.parametrize("group", GROUPS)
def test_an_experiment_s_choice_may_not_climb(group, form, folder):
    text = f"# @package _global_\ndefaults:\n  - override /{group}: {climbing(folder)}\n"
    folder.write("conf/experiment/evil.yaml", text)
    assert_one(folder, folder.run("experiment=evil", *form), "conf/experiment/evil.yaml:3")


@pytest.mark.parametrize(
    "choice",
    [
        "override /hydra/job_logging: CLIMBING",
        "override /hydra/job_logging: ABSOLUTE",
        "override /hydra/launcher: ../../evil/target",
        "override /model: ../../evil/target",
        "/../../evil@hydra.job_logging: log",
        "/hydra/../../evil@hydra.job_logging: [log]",
        "/metric@hydra.callbacks: [f1, ../evil/target]",
        "optional /hydra/callbacks: ../../evil/target",
    ],
)
def test_no_form_of_a_defaults_list_may_climb(choice, folder):
    group, _, option = choice.replace("ABSOLUTE", f"{folder.path}/evil/log").partition(": ")
    option = option.replace("CLIMBING", climbing(folder))
    folder.write("conf/experiment/evil.yaml", f"# @package _global_\ndefaults:\n  - {group}: {option}\n")
    folder.write("mine/evil.yaml", f"defaults:\n  - config\n  - {group}: {option}\n")
    assert_one(folder, folder.run("experiment=evil"), "conf/experiment/evil.yaml:3")
    assert_one(folder, folder.run("--multirun", "experiment=none,evil"), "conf/experiment/evil.yaml:3")
    own = folder.run("--config-dir", "mine", "--config-name", "evil")
    assert_one(folder, own, "mine/evil.yaml:3")


def test_neither_a_config_in_a_defaults_list_nor_an_interpolation_may_climb(folder):
    for item in ("/hydra/../../evil/log@hydra.job_logging", "../../evil/target@hydra.launcher"):
        folder.write("conf/experiment/evil.yaml", f"# @package _global_\ndefaults:\n  - {item}\n")
        assert_one(folder, folder.run("experiment=evil"), "conf/experiment/evil.yaml:3")
    for made in ("${oc.env:WHERE}", "${oc.decode:'${oc.env:WHERE}'}"):
        folder.write(
            "conf/experiment/evil.yaml", f'# @package _global_\ndefaults: [{{override /hydra/job_logging: "{made}"}}]\n'
        )
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("WHERE", climbing(folder))
            assert_refused(folder, folder.run("experiment=evil"))


@pytest.mark.parametrize(
    "override",
    [
        "hydra/job_logging=ABSOLUTE",
        "hydra/job_logging=./codex",
        "hydra/hydra_logging=../job_logging/codex",
        "hydra/job_logging=x//codex",
        "hydra/sweeper=/x",
        "hydra/launcher=../../evil/target",
        "model=../../evil/target",
        "experiment=sub/../sub/a",
        "experiment=sub\\\\a",
        "experiment=C:/a",
    ],
)
def test_only_names_are_names(override, folder):
    override = override.replace("ABSOLUTE", f"{folder.path}/evil/log")
    assert_refused(folder, folder.run(override), "is refused: a config is named by its place")
    assert_refused(folder, folder.run("--multirun", override, "seed=1"), "is refused: a config is named by its place")


@pytest.mark.parametrize("override", ["metric=[f1,../x]", "+hydra/job_logging@hydra.hydra_logging=CLIMBING"])
def test_neither_a_list_nor_a_package_may_climb(override, folder):
    outcome = folder.run(override.replace("CLIMBING", climbing(folder)))
    assert_refused(folder, outcome, "is refused: a config is named by its place")


def test_no_value_of_a_sweep_may_climb(folder):
    swept = {"hydra": {"sweeper": {"params": {"experiment": "none,../../evil/target"}}}}
    folder.write("mine/swept.yaml", yaml.safe_dump({"defaults": ["config", "_self_"], **swept}))
    refused = "is refused: a config is named by its place"
    assert_refused(folder, folder.run("--multirun", "experiment=none,../../evil/target"), refused)
    assert_refused(folder, folder.run("--multirun", f"hydra/job_logging=default,{climbing(folder)}"), refused)
    own = ["--config-dir", "mine", "--config-name", "swept"]
    assert_refused(folder, folder.run("--multirun", *own), refused)


@pytest.mark.parametrize("name", ["../evil/target", "CLIMBING", "ABSOLUTE"])
def test_a_primary_config_may_not_climb(name, folder):
    name = name.replace("CLIMBING", climbing(folder)).replace("ABSOLUTE", f"{folder.path}/evil/target")
    assert_one(folder, folder.run("--config-name", name), f"--config-name {name}")


def test_completion_does_not_climb(folder, monkeypatch):
    monkeypatch.setenv("COMP_LINE", f"codex-run hydra/hydra_logging={climbing(folder)} model.")
    folder.run("--shell-completion", "query=bash")
    assert folder.songs() == []


def test_an_experiment_may_lie_in_a_folder_of_its_group(folder):
    folder.write("conf/experiment/b.yaml", "# @package _global_\ndefaults: [sub/a, /experiment/sub/a@vars]\n")
    for name in ("sub/a", "b"):
        done = folder.run(f"experiment={name}", "mode=check")
        assert done.code == 0, done.err
