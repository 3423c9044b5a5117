"""What the rules let through: launchers, sweepers, callbacks, logging and variables that people use."""

import json
import pickle
from pathlib import Path

import pytest
import yaml
from test_safety_controls import Outcome, make_folder

TINY = [
    "model.model_name=tiny",
    "model.pretrained=false",
    "trainer.max_steps=1",
    "trainer.threads=1",
    "metric=accuracy",
]
LOGGER = "hydra.experimental.callbacks.LogJobReturnCallback"
PICKLER = "hydra.experimental.callbacks.PickleJobInfoCallback"
SLURM = "hydra_plugins.hydra_submitit_launcher.submitit_launcher.SlurmLauncher"


@pytest.fixture
def folder(tmp_path, tmp_path_factory, monkeypatch):
    return make_folder(tmp_path, tmp_path_factory, monkeypatch)


@pytest.fixture
def tiny(folder):
    """The folder with a model of a few hundred weights."""
    from tiny_run import make_tokenizer
    from transformers import BertConfig

    tokenizer = make_tokenizer()
    sizes = {"num_hidden_layers": 1, "hidden_size": 8, "num_attention_heads": 1, "intermediate_size": 8}
    BertConfig(vocab_size=len(tokenizer), **sizes).save_pretrained(folder.path / "tiny")
    tokenizer.save_pretrained(folder.path / "tiny")
    return folder


def assert_sound(folder, outcome: Outcome):
    assert outcome.code == 0, outcome.err
    assert folder.songs() == []


def jobs(folder):
    return sorted(json.loads(path.read_text())["status"] for path in folder.path.glob("sweep/*/run.json"))


def test_a_sweep_by_hydra_s_own_launcher_and_sweeper_with_its_callbacks(tiny):
    tiny.write(
        "conf/hydra/callbacks/both.yaml", yaml.safe_dump({"a": {"_target_": LOGGER}, "b": {"_target_": PICKLER}})
    )
    flags = ["hydra/callbacks=[both]", "hydra/job_logging=default", "hydra.job_logging.root.level=DEBUG"]
    flags += ["hydra.verbose=true", "+hydra.job.env_set.OMP_NUM_THREADS=1", "hydra.sweeper.max_batch_size=1"]
    done = tiny.run(*TINY, *flags, "--multirun", "hydra.sweep.dir=sweep", "seed=1,2")
    assert_sound(tiny, done)
    assert jobs(tiny) == ["completed", "completed"]
    assert "Succeeded with return value" in (tiny.path / "sweep/1/codex-run.log").read_text()
    assert (tiny.path / "sweep/1/.hydra/job_return.pickle").is_file()


def test_a_sweep_by_joblib(tiny):
    flags = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "hydra.launcher.pre_dispatch='1.5*n_jobs'"]
    assert_sound(tiny, tiny.run(*TINY, *flags, "--multirun", "hydra.sweep.dir=sweep", "seed=1"))
    assert jobs(tiny) == ["completed"]


def test_a_sweep_keeps_interpolations_in_overrides(tiny):
    flags = ["+vars.word=sport", "+vars.mine='${vars.word}s'", "hydra.sweep.subdir='${vars.word}-${hydra.job.num}'"]
    assert_sound(tiny, tiny.run(*TINY, *flags, "--multirun", "hydra.sweep.dir=sweep", "seed=1"))
    assert [path.name for path in (tiny.path / "sweep").iterdir() if path.is_dir()] == ["sport-0"]


@pytest.mark.parametrize("option", ["codex", "default", "stdout", "none", "disabled"])
def test_a_run_with_each_shipped_way_of_logging(option, tiny):
    assert_sound(tiny, tiny.run(*TINY, f"hydra/job_logging={option}", "hydra.run.dir=run"))


def test_a_model_s_folder_brings_no_code(tiny):
    class Evil:
        def __reduce__(self):
            return eval, ("__import__('canary').call()",)

    tiny.write("tiny/evil.py", "import canary\nfrom transformers import BertForSequenceClassification as Evil")
    config = json.loads((tiny.path / "tiny/config.json").read_text())
    auto = {"AutoConfig": "evil.Evil", "AutoModelForSequenceClassification": "evil.Evil", "AutoTokenizer": "evil.Evil"}
    (tiny.path / "tiny/pytorch_model.bin").write_bytes(pickle.dumps(Evil()))
    for change in ({"auto_map": auto}, {"auto_map": auto, "model_type": "evil"}):
        tiny.write("tiny/config.json", json.dumps(config | change))
        tiny.run(*TINY, "run.root=runs")
    tiny.write("tiny/config.json", json.dumps(config))
    assert tiny.run(*TINY, "model.pretrained=true").code == 1
    assert tiny.run(*TINY, "model.pretrained=true", "model.allow_pickle=true").code == 1
    assert tiny.songs() == []


def test_a_model_s_config_asks_for_no_kernel_from_the_hub(tiny):
    config = json.loads((tiny.path / "tiny/config.json").read_text())
    tiny.write("tiny/config.json", json.dumps(config | {"attn_implementation": "somebody/kernel"}))
    refused = tiny.run(*TINY)
    assert refused.code == 1
    assert "'somebody/kernel'" in refused.err


@pytest.mark.parametrize(
    "text",
    [
        "vars: {class: foo, a: 'class: canary.Handler', b: {factory: mine, name: x}, c: 'ext://canary.x'}",
        "vars: {a: 'the key _target_ is not one', b: '_target_: canary.call', c: [_target_]}",
        "vars: {a: 1, b: '${vars.a}', c: '${vars.${vars.d}}', d: a, e: '${oc.env:HOME}', f: '${oc.decode:\"3\"}'}",
        "vars: {a: &a {x: 1}, b: {<<: *a, y: 2}}",
        "hydra: {job_logging: {root: {level: '${oc.env:NOT_SET_AT_ALL,WARNING}'}}}",
        "hydra: {job_logging: {root: {level: 10}, handlers: {console: {level: ERROR}}}}",
        "hydra: {hydra_logging: {root: {level: WARNING}}}",
        "hydra: {job: {env_set: {OMP_NUM_THREADS: '${trainer.threads}', HF_HUB_OFFLINE: '1', WANDB_MODE: offline}}}",
        "hydra: {job: {env_set: {CUDA_VISIBLE_DEVICES: '${hydra.job.num}', TZ: UTC}, env_copy: [PATH]}}",
        "hydra: {sweeper: {max_batch_size: '${vars.n}', params: {seed: '1,2'}}}\nvars: {n: 2}",
        "hydra: {callbacks: {x: {_target_: hydra.experimental.callbacks.LogJobReturnCallback}}}",
        "hydra: {run: {dir: 'runs/${task.name}-${now:%H}'}, sweep: {dir: '${run.root}/x'}, verbose: true}",
    ],
)
def test_a_harmless_experiment_passes(text, folder):
    folder.write("conf/experiment/fine.yaml", f"# @package _global_\n{text}\n")
    assert_sound(folder, folder.run("experiment=fine", "mode=check"))


@pytest.mark.parametrize(
    "name",
    [
        *(
            "a.log",
            "logs/a.log",
            "${hydra.runtime.output_dir}/x.log",
            "${hydra.runtime.output_dir}/${vars.x}/${seed}.log",
        ),
        *("/var/tmp/${hydra.job.name}.log", "./${vars.x}.log", "C:/logs/x.log", "Run-${hydra.job.name}.log"),
    ],
)
def test_a_log_may_go_to_a_file_of_the_user_s_choice(name, folder):
    path = "hydra.job_logging.handlers.file.filename"
    assert_sound(folder, folder.run("mode=check", "+vars.x=y", f"{path}='{name}'"))


@pytest.mark.parametrize("shipped", ["default", "stdout", "none", "disabled"])
def test_a_copy_of_a_shipped_way_of_logging_passes(shipped, folder):
    import hydra.conf

    text = Path(hydra.conf.__path__[0], f"hydra/job_logging/{shipped}.yaml").read_text(encoding="utf-8")
    folder.write("conf/hydra/job_logging/mine.yaml", text.replace("level: INFO", "level: DEBUG"))
    assert_sound(folder, folder.run("mode=check", "hydra/job_logging=mine"))
    assert_sound(folder, folder.run("mode=check", f"hydra/job_logging={shipped}", "hydra/hydra_logging=hydra_debug"))


def test_commands_for_a_cluster_may_be_typed(folder):
    folder.write(
        "conf/hydra/launcher/mine.yaml", yaml.safe_dump({"_target_": SLURM, "partition": "gpu", "setup": None})
    )
    typed = ["hydra.launcher.setup=['module load cuda','export X=\\${HOME}']", "+hydra.launcher.teardown=[sync]"]
    typed += [
        "+hydra.launcher.additional_parameters.mail-type=END",
        "hydra.launcher.partition='${vars.p}'",
        "+vars.p=cpu",
    ]
    shown = folder.run("hydra/launcher=mine", *typed, "--cfg", "hydra")
    assert_sound(folder, shown)
    launcher = yaml.safe_load(shown.out)["hydra"]["launcher"]
    assert launcher["setup"] == ["module load cuda", "export X=\\${HOME}"]
    assert launcher["partition"] == "cpu"


def test_a_folder_of_configs_may_be_added(folder):
    folder.write("more/experiment/there.yaml", "# @package _global_\nseed: 7\n")
    folder.write("mine/own.yaml", "defaults: [config, _self_]\nhydra: {searchpath: [file://more]}\n")
    for flags in (
        ["hydra.searchpath=[more]"],
        [f"hydra.searchpath=[file://{folder.path}/more]"],
        ["--config-dir", "more"],
    ):
        assert_sound(folder, folder.run("mode=check", "experiment=there", *flags))
    own = ["--config-dir", "mine", "--config-name", "own"]
    assert_sound(folder, folder.run("mode=check", "experiment=there", *own))
