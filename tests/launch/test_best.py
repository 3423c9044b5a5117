import json
import logging
import os
from dataclasses import replace

import pytest
import torch
from safetensors import safe_open
from tiny_run import component


def scores(values, **meta):
    left = iter(values)
    return component("metric", "score", lambda predictions, labels: next(left), meta=meta)


def kept(run):
    with safe_open(run.best.path, "pt") as file:
        return json.loads(file.metadata()["codex"])


@pytest.mark.parametrize(
    ("values", "meta", "step"),
    [
        ([0.1, 0.5, 0.5, 0.2], {}, 1),
        ([0.5, 0.1, 0.1, 0.2], {"greater_is_better": False}, 1),
        ([float("nan"), 0.1, float("nan"), 0.05], {}, 1),
    ],
)
def test_the_best_weights_are_kept(context, values, meta, step):
    run = context(metrics=(scores(values, **meta),))
    for number, _ in enumerate(values):
        with torch.no_grad():
            run.model.head.bias.fill_(number)
        run.evaluate(step=number)
    assert kept(run) == {"step": step, "metric": "score", "value": values[step]}
    assert run.best.restore(run.model)
    assert run.model.head.bias.tolist() == [step, step]


def test_the_objective_decides_which_metric_is_followed(context):
    second = replace(scores([0.1, 0.9]), key="second")
    run = context(metrics=(scores([0.9, 0.1]), second), objective="second")
    for step in range(2):
        run.evaluate(step=step)
    assert run.best.step == 1


def test_nan_alone_keeps_nothing(context):
    run = context(metrics=(scores([float("nan")]),))
    run.evaluate(step=1)
    assert run.best.step is None
    assert not run.best.restore(run.model)


def test_a_full_disk_is_a_warning_and_the_earlier_best_stays(context, monkeypatch, caplog):
    run = context(metrics=(scores([0.1, 0.9]),))
    run.evaluate(step=1)
    before = run.best.path.read_bytes()

    def full(_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        run.evaluate(step=2)
    assert run.best.path.read_bytes() == before
    assert run.best.step == 1
    assert [each.levelno for each in caplog.records] == [logging.WARNING]
    assert "No space left" in caplog.text
    assert "those of step 1 stay" in caplog.text
    assert os.listdir(run.best.path.parent) == ["model.safetensors"]


def test_the_best_of_an_earlier_attempt_is_not_taken_for_this_one_s(context):
    run = context(metrics=(scores([0.1]),))
    run.evaluate(step=1)
    assert not context().best.path.exists()
