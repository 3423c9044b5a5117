"""Detours to code: values that change after the check, made-up mappings, packages, shadowing, launchers' options."""

import pytest
import yaml
from test_safety_controls import assert_refused, make_folder

LOGGER = "hydra.experimental.callbacks.LogJobReturnCallback"
SLURM = "hydra_plugins.hydra_submitit_launcher.submitit_launcher.SlurmLauncher"
RAY = "hydra_plugins.hydra_ray_launcher.ray_launcher.RayLauncher"
JOBLIB = "hydra_plugins.hydra_joblib_launcher.joblib_launcher.JoblibLauncher"
EVIL = {"_target_": "canary.call"}
# Something else before a sweep's job has its number than after.
LATER = "${oc.select:vars.before${oc.select:hydra.job.num,''},${vars.after}}"


@pytest.fixture
def folder(tmp_path, tmp_path_factory, monkeypatch):
    return make_folder(tmp_path, tmp_path_factory, monkeypatch)


def experiment(folder, tree, *flags, header="# @package _global_\n"):
    folder.write("conf/experiment/evil.yaml", header + (tree if isinstance(tree, str) else yaml.safe_dump(tree)))
    return folder.run("experiment=evil", *flags)


def launcher(folder, target, *flags, **options):
    folder.write("conf/hydra/launcher/mine.yaml", yaml.safe_dump({"_target_": target, **options}))
    return folder.run("hydra/launcher=mine", *flags)


def test_what_is_checked_is_what_runs(folder):
    target = "${oc.select:'vars.known${hydra.run.dir}',canary.call}"
    tree = {"vars": {"known": LOGGER, "before": "INFO", "after": "ext://canary.x", "n": 2}}
    tree["hydra"] = {"callbacks": {"x": {"_target_": target}}, "job_logging": {"root": {"level": LATER}}}
    tree["hydra"]["sweeper"] = {"max_batch_size": "${vars.n}"}
    shown = yaml.safe_load(experiment(folder, tree, "--cfg", "hydra").out)["hydra"]
    assert shown["callbacks"]["x"]["_target_"] == LOGGER
    assert shown["job_logging"]["root"]["level"] == "INFO"
    assert shown["sweeper"]["max_batch_size"] == 2


@pytest.mark.parametrize(
    "place",
    [
        {"job_logging": {"handlers": {"file": {"filename": LATER}}}},
        {"job": {"env_set": LATER}},
        {"job": {"env_set": "${vars.variables}"}},
        {"job": LATER},
        {"job_logging": "${vars.logging}"},
        {"job_logging": {"handlers": "${vars.logging}"}},
        {"callbacks": {"x": {"_target_": "${hydra.job.num}"}}},
        {"callbacks": {"x": {"_target_": "${hydra:job.name}"}}},
        {"launcher": {"_target_": "${oc.env:HOME}"}},
        {"callbacks": {"x": {"_target_": "canary.${now:%Y}"}}},
    ],
    ids=str,
)
def test_a_value_that_may_change_after_the_check_is_refused(place, folder):
    own = {"before": "a.log", "after": "ext://canary.x", "variables": {"LD_PRELOAD": "x"}, "logging": {"version": 1}}
    assert_refused(folder, experiment(folder, {"vars": own, "hydra": place}, "--multirun", "seed=1"))


@pytest.mark.parametrize(
    "made",
    [
        "${oc.create:{_target_:canary.call}}",
        "${oc.decode:'{_target_:canary.call}'}",
        "${oc.decode:'{_${vars.t}_:canary.call}'}",
        "${oc.decode:${vars.whole}}",
        "${oc.create:{z:{_target_:canary.call}}}",
        "${..made}",
    ],
)
@pytest.mark.parametrize("place", ["callbacks.x", "callbacks.x.y", "sweeper.x", "launcher"])
def test_a_mapping_made_by_a_resolver_is_looked_at(place, made, folder):
    node = {"made": "${oc.create:{_target_:canary.call}}"} if made == "${..made}" else {}
    tree = {"vars": {"t": "target", "whole": "{_target_: canary.call}"}, "hydra": node}
    *parents, last = place.split(".")
    for part in parents:
        node = node.setdefault(part, {})
    if place == "callbacks.x.y":
        node["_target_"] = LOGGER
    node[last] = made
    assert_refused(folder, experiment(folder, tree))


@pytest.mark.parametrize(
    ("header", "text"),
    [
        ("# @package hydra.callbacks.x\n", "_target_: canary.call"),
        ("# @package hydra.launcher\n", "_target_: canary.call"),
        ("# @package hydra\n", "callbacks: {x: {_target_: canary.call}}"),
        ("# @package hydra.job_logging\n", "handlers: {console: {class: canary.Handler}}"),
        ("# @package model\n", "_target_: canary.call"),
        ("# @package _global_\n", "vars: {a: &a {_target_: canary.call}}\nhydra: {callbacks: {x: {<<: *a}}}"),
        ("# @package _global_\n", "vars: {a: &a {handlers: {console: {class: x}}}}\nhydra: {job_logging: {<<: *a}}"),
        ("# @package _global_\n", "defaults: [{override /hydra/launcher: evil}]"),
        ("# @package _global_\n", "defaults: [{optional /hydra/callbacks: evil}]"),
        ("# @package _global_\n", "defaults: [/hydra/callbacks/evil@hydra.callbacks.x]"),
        ("# @package _global_\n", "vars: {}\n--- \nhydra: {}"),
    ],
    ids=str,
)
def test_neither_packages_nor_defaults_nor_anchors_hide_code(header, text, folder):
    folder.write("conf/hydra/launcher/evil.yaml", yaml.safe_dump(EVIL))
    folder.write("conf/hydra/callbacks/evil.yaml", yaml.safe_dump({"x": EVIL}))
    assert_refused(folder, experiment(folder, text, header=header))


@pytest.mark.parametrize(
    "overrides",
    [
        ["+experiment@hydra=place"],
        ["+experiment@hydra.callbacks=callbacks"],
        ["+hydra/launcher@hydra.callbacks.x=evil"],
        ["hydra/job_logging=evil"],
        ["hydra/job_logging=codex", "+hydra/job_logging@hydra.job_logging.handlers=evil"],
        ["hydra.job.config_name=evil", "experiment=evil"],
        ["hydra.overrides.task=['+model._target_=canary.call']", "--multirun"],
        ["hydra.overrides.hydra=['hydra.searchpath=[pkg://canary]']", "--multirun", "seed=1"],
        ["--multirun", "hydra/launcher=basic,evil"],
        ["--config-dir", "conf/hydra", "--config-name", "../evil"],
        ["model=../../evil"],
        ["data.train=sample://../canary/x"],
        ["data.train=sample://bbc_news/../../x"],
        ["data.train=sample://canary.call/x"],
        ["run.root=.", "hydra.job_logging.handlers.file.filename=torch.py"],
    ],
    ids=" ".join,
)
def test_no_other_way_to_name_a_config_leads_to_code(overrides, folder):
    folder.write("conf/experiment/place.yaml", yaml.safe_dump({"callbacks": {"x": EVIL}}))
    folder.write("conf/experiment/callbacks.yaml", yaml.safe_dump({"x": EVIL}))
    folder.write("conf/experiment/evil.yaml", "# @package _global_\n" + yaml.safe_dump({"model": EVIL}))
    folder.write("conf/hydra/launcher/evil.yaml", yaml.safe_dump(EVIL))
    folder.write("conf/hydra/job_logging/evil.yaml", yaml.safe_dump({"x": {"()": "canary.Handler"}}))
    folder.write("conf/evil.yaml", yaml.safe_dump({"defaults": ["config", "_self_"], "model": EVIL}))
    assert_refused(folder, folder.run(*overrides))


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("linked", [False, True])
@pytest.mark.parametrize("name", ["launcher/basic", "sweeper/basic", "job_logging/codex"])
def test_a_file_named_like_a_shipped_option_is_no_better(name, linked, folder):
    folder.write(f"{'elsewhere' if linked else 'conf'}/hydra/{name}.yaml", yaml.safe_dump({"version": 1, **EVIL}))
    if linked:
        (folder.path / "conf").symlink_to("elsewhere", target_is_directory=True)
    assert_refused(folder, folder.run())


@pytest.mark.parametrize(
    ("target", "options"),
    [
        (SLURM, {"setup": ["touch x"]}),
        (SLURM, {"teardown": ["touch x"]}),
        (SLURM, {"srun_args": ["--task-prolog=x"]}),
        (SLURM, {"additional_parameters": {"wrap": "touch x"}}),
        (SLURM, {"setup": "${vars.commands}"}),
        (SLURM, {"partition": "a\ntouch x"}),
        (SLURM, {"partition": "${vars.lines}"}),
        (SLURM, {"name": "${hydra.job.name}", "x": "${oc.decode:'[1]'}", "comment": "${vars.lines}"}),
        (SLURM, {"more": "${oc.create:{setup:[evil]}}"}),
        (RAY, {"ray": {"init": {"runtime_env": {"worker_process_setup_hook": "canary.call"}}}}),
        (RAY, {"ray": {"remote": {"runtime_env": {"py_modules": ["x"]}}}}),
        (RAY, {"ray": {"init": {"_tracing_startup_hook": "canary:call"}}}),
        (RAY, {"ray": {"init": {"address": "ray://elsewhere:10001"}}}),
        (RAY, {"ray": {"init": {"job_config": {"code_search_path": ["x"]}}}}),
        (RAY, {"ray": "${oc.create:{init:{runtime_env:{pip:[x]}}}}"}),
        (JOBLIB, {"pre_dispatch": "__import__('canary')"}),
        (JOBLIB, {"pre_dispatch": "${vars.code}"}),
    ],
    ids=str,
)
def test_yaml_sets_no_launcher_option_that_becomes_a_command(target, options, folder):
    folder.write("conf/experiment/own.yaml", '# @package _global_\nvars: {commands: [x], lines: "a\\nx", code: call()}')
    assert_refused(folder, launcher(folder, target, "experiment=own", **options), "hydra.launcher.")


def test_a_command_is_typed_and_not_fetched_from_a_file(folder):
    folder.write("conf/experiment/own.yaml", "# @package _global_\nvars: {commands: [touch x], one: touch x}\n")
    for value in ("${vars.commands}", "['${vars.one}']", "['module load x','${vars.one}']"):
        flags = ("experiment=own", f"++hydra.launcher.setup={value}")
        assert_refused(folder, launcher(folder, SLURM, *flags), "hydra.launcher.setup")


@pytest.mark.parametrize(
    "name",
    [
        *(
            "torch.py",
            "${hydra.runtime.output_dir}/conf.yaml",
            "${hydra.runtime.output_dir}/x.pth",
            "/home/somebody/.bashrc",
        ),
        *("./requirements.txt", "${hydra.runtime.output_dir}/x.txt", "./CMakeLists.txt", "./x.out", "./x.log.txt"),
        *(
            "ext://canary.x",
            "ext://canary.log",
            "cfg://handlers.log",
            "${vars.x}.log",
            "${vars.x}/a.log",
            "e${vars.x}.log",
        ),
        *(
            "ext:/${vars.x}.log",
            "ext:${vars.x}.log",
            "${oc.env:HOME}/a.log",
            "${hydra.runtime.output_dir}${vars.x}.log",
            "",
        ),
    ],
)
def test_a_log_file_is_nothing_that_is_imported_or_run(name, folder):
    folder.write("conf/experiment/own.yaml", "# @package _global_\nvars: {x: 't://canary'}\n")
    assert_refused(
        folder, folder.run("experiment=own", f"hydra.job_logging.handlers.file.filename='{name}'"), "filename"
    )
