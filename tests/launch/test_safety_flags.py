"""Flags, search paths and everything that is done with a config besides running it."""

import pickle

import pytest
import yaml
from test_safety_controls import assert_refused, make_folder

EVIL = "# @package _global_\nhydra: {callbacks: {x: {_target_: canary.Callback}}}\nmodel: {_target_: canary.call}\n"
PACKAGES = [
    "pkg://canary",
    "structured://canary",
    "pkg://canary/conf",
    "codex://canary",
    "project:///tmp",
    "PKG://canary",
]


@pytest.fixture
def folder(tmp_path, tmp_path_factory, monkeypatch):
    made = make_folder(tmp_path, tmp_path_factory, monkeypatch)
    made.write("conf/experiment/evil.yaml", EVIL)
    return made


@pytest.mark.parametrize(
    "flags",
    [
        [],
        ["--cfg", "job"],
        ["--cfg", "hydra"],
        ["--cfg", "all", "--resolve"],
        ["--cfg", "job", "--package", "model"],
        ["--help"],
        ["--hydra-help"],
        ["--info", "all"],
        ["--info", "searchpath"],
        ["--multirun"],
        ["mode=check"],
    ],
    ids=" ".join,
)
def test_a_config_that_names_code_is_refused_with(flags, folder):
    assert_refused(folder, folder.run("experiment=evil", *flags))


def test_completion_runs_nothing(folder, monkeypatch):
    for line in (
        "experiment=evil model.",
        "hydra.searchpath=[pkg://canary] mod",
        "+x._target_=canary.",
        "hydra/launcher=",
    ):
        monkeypatch.setenv("COMP_LINE", f"codex-run {line}")
        done = folder.run("--shell-completion", "query=bash")
        assert "Traceback" not in done.err
    assert folder.run("--config-dir", "pkg://canary", "--shell-completion", "query=bash").code == 2
    assert folder.songs() == []


@pytest.mark.parametrize("path", PACKAGES)
@pytest.mark.parametrize("flag", ["--config-path", "--config-dir", "-cp", "-cd", "--config-d"])
def test_a_flag_may_name_only_a_folder(flag, path, folder):
    assert_refused(folder, folder.run(flag, path), path)


@pytest.mark.parametrize("path", PACKAGES[:3])
def test_a_search_path_may_name_only_folders(path, folder):
    folder.write("mine/evil.yaml", f"defaults: [config, _self_]\nhydra: {{searchpath: ['{path}']}}\n")
    folder.write("mine/hidden.yaml", f"defaults: [config, _self_]\nh: {{searchpath: ['{path}']}}\nhydra: ${{h}}\n")
    overrides = (
        f"hydra.searchpath=[{path}]",
        f"++hydra={{searchpath:['{path}']}}",
        f"+hydra.searchpath=['{path}',conf]",
    )
    for override in overrides:
        assert_refused(folder, folder.run(override), path)
    assert_refused(folder, folder.run("--multirun", "seed=1,2", overrides[0]), path)
    assert_refused(folder, folder.run("--multirun", f"hydra.searchpath=[{path}],[conf]"))
    swept = {"hydra": {"sweeper": {"params": {"hydra.searchpath": f"['{path}']"}}}}
    folder.write("mine/swept.yaml", yaml.safe_dump({"defaults": ["config", "_self_"], **swept}))
    assert_refused(folder, folder.run("--multirun", "--config-dir", "mine", "--config-name", "swept"), path)
    assert_refused(folder, folder.run("--config-dir", "mine", "--config-name", "evil"), path)
    assert_refused(folder, folder.run("--config-dir", "mine", "--config-name", "hidden"), path)


def test_an_environment_variable_brings_no_search_path_in(folder, monkeypatch):
    monkeypatch.setenv("WHERE", "pkg://canary")
    folder.write("mine/evil.yaml", "defaults: [config, _self_]\nhydra: {searchpath: ['${oc.env:WHERE}']}\n")
    assert_refused(folder, folder.run("--config-dir", "mine", "--config-name", "evil"), "pkg://canary")


@pytest.mark.parametrize("flag", ["--experimental-rerun", "--experimental-re", "--experimental-rerun=evil.pickle"])
def test_a_pickle_is_never_run_again(flag, folder):
    class Evil:
        def __reduce__(self):
            return eval, ("__import__('canary').call()",)

    (folder.path / "evil.pickle").write_bytes(pickle.dumps(Evil()))
    assert_refused(folder, folder.run(flag, *([] if "=" in flag else ["evil.pickle"])), "unpickles")


@pytest.mark.parametrize(
    "tag", ["apply:canary.call []", "new:canary.Plugin []", "/name:canary.call ''", "/module:canary ''"]
)
def test_a_yaml_tag_is_refused(tag, folder):
    tagged = f"!!python/object/{tag}".replace("object//", "")
    folder.write("conf/experiment/tagged.yaml", f"# @package _global_\nvars:\n  x: {tagged}\n")
    folder.write("mine/tagged.yaml", f"defaults: [config, _self_]\nvars:\n  x: {tagged}\n")
    assert_refused(folder, folder.run("experiment=tagged"), "constructor")
    assert_refused(folder, folder.run("--multirun", "experiment=none,tagged"), "constructor")
    assert_refused(folder, folder.run("--config-dir", "mine", "--config-name", "tagged"), "constructor")


@pytest.mark.parametrize("recursive", ["vars: &x [*x]", "vars: &x {a: *x}", "vars: {a: '${vars.b}', b: '${vars.a}'}"])
def test_a_config_that_holds_itself_is_refused(recursive, folder):
    folder.write("conf/experiment/recursive.yaml", f"# @package _global_\n{recursive}\n")
    assert_refused(folder, folder.run("experiment=recursive"))


@pytest.mark.parametrize(
    "override",
    ["++hydra.sweeper.params.seed=1", "+hydra.sweeper.params={seed:1}", "hydra.job.env_copy=[NOT_SET_AT_ALL]"],
)
def test_what_hydra_stumbles_over_is_one_message(override, folder):
    assert_refused(folder, folder.run(override))


@pytest.mark.parametrize(
    "command",
    [
        ["experiment=evil"],
        ["--multirun", "experiment=none,evil"],
        ["hydra.launcher._target_=canary.call"],
        ["hydra.job_logging.handlers.console.class=canary.Handler"],
        ["hydra.searchpath=[pkg://canary]"],
        ["--config-path", "pkg://canary"],
        ["--hydra-help", "experiment=evil"],
    ],
    ids=" ".join,
)
def test_the_program_itself_refuses(command, folder):
    assert_refused(folder, folder.spawn("-m", "codex_ml", *command))


def test_the_program_has_the_canary_on_its_path(folder):
    folder.spawn("-c", "import canary")
    assert folder.songs() == ["import"]
