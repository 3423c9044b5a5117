"""transformers' Trainer makes the same steps as the project's own loop, to the bit."""

import logging
from dataclasses import fields, replace

import pytest
from safetensors.torch import load_file
from tiny_run import FUNCTIONAL, Recorder, component, lines

from codex_ml.errors import CodexError
from codex_ml.trainers.hf_trainer import HfTrainerOptions, hf_trainer
from codex_ml.trainers.options import TrainerOptions

HF = component("trainer", "hf_trainer", hf_trainer, distribution="codex-ml", meta={"checkpoints": True})
COMMON = {**FUNCTIONAL.options, "epochs": 3, "batch_size": 4, "log_steps": 1}


def both(run, tmp_path, **options):
    """What each trainer leaves: metrics, log lines, weights, and what the plugins were told."""
    found = []
    for name, chosen in (("own", FUNCTIONAL), ("hf", HF)):
        recorder = Recorder()
        trainer = replace(chosen, options={**COMMON, **options}, meta={"checkpoints": True})
        final = run(name, trainer=trainer, callbacks=[recorder])
        weights = load_file(tmp_path / name / "model" / "model.safetensors")
        told = [event for event in recorder.events if event[0] not in ("on_run_start", "on_run_end")]
        plain = {each: value.tolist() for each, value in weights.items()}
        found.append((final["metrics"], final["best"], lines(tmp_path / name), plain, told))
    return found


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"accumulate_steps": 3},
        {"max_steps": 7, "schedule": "cosine", "warmup_steps": 2},
        {"epochs": 0.5, "max_grad_norm": None, "weight_decay": 0.3},
        {"max_grad_norm": 0.01, "eval_steps": 4},
        {"length_buckets": True, "workers": 1},
        {"patience": 1, "eval_steps": 1},
        {"precision": "bf16"},
        {"save_steps": 3, "keep_last": 2},
    ],
    ids=str,
)
def test_both_trainers_end_with_the_same_weights_and_say_the_same(run, tmp_path, options):
    own, hf = both(run, tmp_path, **options)
    assert own == hf


def test_its_options_are_those_of_the_other_and_args():
    own = {each.name: each.default for each in fields(TrainerOptions)}
    hf = {each.name: each.default for each in fields(HfTrainerOptions)}
    assert set(hf) - set(own) == {"args"}
    assert all(hf[name] == default for name, default in own.items())


@pytest.mark.parametrize(
    ("args", "told"),
    [
        ({"push_to_hub": True}, r"trainer\.args\.push_to_hub cannot be set"),
        ({"report_to": "wandb"}, r"trainer\.args\.report_to cannot be set"),
        ({"deepspeed": "x.json"}, r"trainer\.args\.deepspeed cannot be set"),
        ({"learning_rate": 1}, r"trainer\.args\.learning_rate cannot be set"),
        (
            {"adam_beta_1": 1},
            r"trainer\.args\.adam_beta_1: TrainingArguments has no such argument; do you mean adam_beta1",
        ),
    ],
)
def test_arguments_that_are_taken_or_unknown_are_refused(run, args, told):
    with pytest.raises(CodexError, match=told):
        run(trainer=replace(HF, options={**COMMON, "args": args}))


def test_another_argument_is_passed_on(run, tmp_path, monkeypatch):
    from codex_ml.trainers import hf_loop

    seen = []
    original = hf_loop._Loop.train

    def train(self, **options):
        seen.append(self.args.torch_empty_cache_steps)
        return original(self, **options)

    monkeypatch.setattr(hf_loop._Loop, "train", train)
    run(trainer=replace(HF, options={**COMMON, "max_steps": 1, "args": {"torch_empty_cache_steps": 5}}))
    assert seen == [5]


def test_it_is_quiet(run, capfd, caplog):
    caplog.set_level(logging.INFO)
    run(trainer=replace(HF, options={**COMMON, "max_steps": 3}))
    assert capfd.readouterr().out == ""
    assert "Running training" not in caplog.text


@pytest.mark.parametrize("option", [{"precision": "fp16"}, {"gradient_checkpointing": True}])
def test_what_device_or_model_cannot_do_is_told(run, option):
    for trainer in (HF, FUNCTIONAL):
        with pytest.raises(
            CodexError, match=r"trainer\.(precision=fp16 needs a GPU|gradient_checkpointing: this model)"
        ):
            run(trainer=replace(trainer, options={**COMMON, **option}))
