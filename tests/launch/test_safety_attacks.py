"""No string of a config names code: every place that could, by every way that a config comes in."""

import pytest
import yaml
from test_safety_controls import LIVE, LIVE_IN_A_SWEEP, as_overrides, assert_refused, flat, make_folder, written

LOGGER = "hydra.experimental.callbacks.LogJobReturnCallback"
EVIL = {"_target_": "canary.call"}


def hydra(**parts):
    return {"hydra": parts}


def handler(**options):
    return {"handlers": {"console": options}}


ATTACKS = {name: tree for name, (tree, _) in {**LIVE, **LIVE_IN_A_SWEEP}.items() if name != "a resolver"} | {
    "a resolver": {"vars": {"x": "${codex.factory:models,minilm}"}},
    "a resolver put together": {"vars": {"a": "codex", "x": "${${vars.a}.factory:models,minilm}"}},
    "a _target_ deep in an option": {"model": {"config": {"a": [{"b": EVIL}]}}},
    "a _target_ among the user's own values": {"vars": {"mine": EVIL}},
    "a _target_ of another registry's": {"trainer": {"_target_": "${codex.factory:models,minilm}"}},
    "a metric's factory": {"metric": {"f1": {"factory": "canary.call"}}},
    "a metric's name": {"metric": {"f1": {"name": "canary.call"}}},
    "a metric of no registry": {"metric": {"canary": {"name": "canary", "factory": "canary.call"}}},
    "a plugin of no registry": {"plugin": {"canary": EVIL}},
    "a launcher": hydra(launcher=EVIL),
    "a launcher that is a list": hydra(launcher={"_target_": ["canary.call"]}),
    "a sweeper": hydra(sweeper=EVIL),
    "a callback's argument": hydra(callbacks={"x": {"_target_": LOGGER, "_args_": [EVIL]}}),
    "a callback's option": hydra(callbacks={"x": {"_target_": LOGGER, "y": {"z": EVIL}}}),
    "a callback that is null": hydra(callbacks={"x": None}),
    "a callback that is a list": hydra(callbacks={"x": [1]}),
    "a callback that is a text": hydra(callbacks={"x": "canary.Callback"}),
    "a callback without a target": hydra(callbacks={"x": {"y": EVIL}}),
    "a callback's call put off": hydra(callbacks={"x": {"_target_": LOGGER, "_partial_": True}}),
    "a launcher's call put off": hydra(launcher={"_partial_": True}),
    "a launcher's arguments": hydra(launcher={"_args_": [1]}),
    "a sweeper's arguments": hydra(sweeper={"_args_": [1]}),
    "a sweeper's call put off": hydra(sweeper={"_partial_": True}),
    "a place of Hydra's that calls nothing": hydra(help={"x": EVIL}),
    "a formatter's class": hydra(job_logging={"formatters": {"plain": {"class": "canary.Formatter"}}}),
    "a handler more": hydra(job_logging={"handlers": {"level": {"class": "canary.Handler"}}}),
    "a handler's queue": hydra(job_logging=handler(queue="canary.call", listener="canary.call")),
    "a handler's file where it has none": hydra(job_logging=handler(filename="x.log")),
    "an ext:// level": hydra(job_logging={"root": {"level": "ext://canary.x"}}),
    "a level that is a mapping": hydra(job_logging={"root": {"level": {"class": "canary.Handler"}}}),
    "a file of Hydra's": hydra(hydra_logging={"handlers": {"console": {"filename": "ext://canary.x"}}}),
    "a filter of Hydra's": hydra(hydra_logging={"filters": {"x": {"class": "canary.Filter"}}}),
    "another version of the format": hydra(job_logging={"version": 2}),
    "an incremental change of logging": hydra(job_logging={"incremental": True}),
    "a variable of the loader's": hydra(job={"env_set": {"LD_PRELOAD": "evil.so"}}),
    "the path": hydra(job={"env_set": {"PATH": "."}}),
    "a variable of this project's": hydra(job={"env_set": {"CODEX_ML_CACHE_DIR": "evil"}}),
}
FACTORIES = {
    "a handler": {"handlers": {"x": {"()": "canary.Handler"}}},
    "a formatter": {"formatters": {"x": {"()": "canary.Formatter"}}},
    "a filter": {"filters": {"x": {"()": "canary.Filter"}}},
    "a handler's property": {"handlers": {"console": {".": {"x": "ext://canary.call"}}}},
}


@pytest.fixture
def folder(tmp_path, tmp_path_factory, monkeypatch):
    return make_folder(tmp_path, tmp_path_factory, monkeypatch)


def by_override(folder, tree):
    return as_overrides(tree)


def by_mapping(folder, tree):
    """`++hydra={callbacks:{...}}`."""
    return [f"++{key}={written(value)}" for key, value in tree.items()]


def by_experiment(folder, tree):
    folder.write("conf/experiment/evil.yaml", "# @package _global_\n" + yaml.safe_dump(tree))
    return ["experiment=evil"]


def by_primary_config(folder, tree):
    folder.write("mine/evil.yaml", yaml.safe_dump({"defaults": ["config", "_self_"], **tree}))
    return ["--config-dir", "mine", "--config-name", "evil"]


def by_config_path(folder, tree):
    folder.write("mine/evil.yaml", yaml.safe_dump({"defaults": ["config", "_self_"], **tree}))
    return ["--config-path", "mine", "--config-name", "evil"]


def by_job(folder, tree):
    """One of the values that a sweep goes through."""
    by_experiment(folder, tree)
    return ["--multirun", "experiment=evil,none"]


def by_job_values(folder, tree):
    """`model._target_=canary.call,1`."""
    return ["--multirun", *(f"++{path}={written(value)},1" for path, value in flat(tree))]


def by_sweeper_params(folder, tree):
    by_experiment(folder, tree)
    folder.write("mine/sweep.yaml", "defaults: [config, _self_]\nhydra: {sweeper: {params: {experiment: 'none,evil'}}}")
    return ["--multirun", "--config-dir", "mine", "--config-name", "sweep"]


def by_project_group(folder, tree):
    """A data set of the project's own that says more than its group is for."""
    folder.write("conf/data/evil.yaml", "# @package _global_\n" + yaml.safe_dump(tree))
    return ["data=evil"]


EVERYWHERE = (by_override, by_experiment, by_job)
ELSEWHERE = (by_mapping, by_primary_config, by_config_path, by_job_values, by_sweeper_params, by_project_group)
SOME = ("a _target_", "a callback", "an ext:// file")


def refused(folder, carrier, attack):
    assert_refused(folder, folder.run(*carrier(folder, ATTACKS[attack])))


@pytest.mark.parametrize("carrier", EVERYWHERE, ids=lambda carrier: carrier.__name__)
@pytest.mark.parametrize("attack", ATTACKS)
def test_a_config_may_not_hold(attack, carrier, folder):
    refused(folder, carrier, attack)


@pytest.mark.parametrize("carrier", ELSEWHERE, ids=lambda carrier: carrier.__name__)
@pytest.mark.parametrize("attack", SOME)
def test_no_way_into_the_config_is_left_out_for(attack, carrier, folder):
    refused(folder, carrier, attack)


@pytest.mark.parametrize("form", [[], ["--cfg", "hydra"], ["--hydra-help"], ["--multirun", "seed=1"]], ids=" ".join)
@pytest.mark.parametrize(
    "override",
    [
        "+hydra.callbacks.x=null",
        "+hydra.callbacks.x=[1]",
        "+hydra.callbacks.x=canary.Callback",
        "+hydra.callbacks.x={}",
        "+hydra.callbacks.x=${vars}",
        "+hydra.callbacks.x._target_=null",
        f"+hydra.callbacks.x={{_target_:{LOGGER},_partial_:true}}",
        f"+hydra.callbacks.x={{_target_:{LOGGER},_args_:[1]}}",
        "+hydra.launcher._partial_=true",
        "+hydra.sweeper._args_=[1]",
        "hydra.launcher=null",
        "hydra.sweeper=null",
    ],
)
def test_what_hydra_calls_is_named_and_called_as_it_is_meant_to_be(override, form, folder):
    done = folder.run(override, *form)
    assert_refused(folder, done, f"codex-run: {override}: ")
    assert len(done.err.splitlines()) == 1


@pytest.mark.parametrize("name", ["job_logging", "hydra_logging"])
@pytest.mark.parametrize("attack", FACTORIES)
def test_a_logging_option_may_not_call(attack, name, folder):
    evil = {"defaults": ["default", "_self_"], **FACTORIES[attack]}
    folder.write(f"conf/hydra/{name}/evil.yaml", yaml.safe_dump(evil))
    assert_refused(folder, folder.run(f"hydra/{name}=evil"), f"hydra.{name}")
    assert_refused(folder, folder.run("--multirun", f"hydra/{name}=default,evil"), f"hydra/{name}")


@pytest.mark.parametrize("group", ["callbacks", "launcher", "sweeper"])
def test_an_option_of_a_project_may_not_name_code(group, folder):
    target = {"x": EVIL} if group == "callbacks" else EVIL
    folder.write(f"conf/hydra/{group}/evil.yaml", yaml.safe_dump(target))
    choice = f"hydra/{group}=evil" if group != "callbacks" else "hydra/callbacks=[evil]"
    assert_refused(folder, folder.run("--multirun", "seed=1", choice), "canary.call")
