from __future__ import annotations

import math
from dataclasses import fields

import pytest
import torch
from torch.nn import functional as torch_functional
from transformers import get_scheduler

from codex_ml.errors import DataError, ModelError
from codex_ml.interfaces import Batch
from codex_ml.trainers.functional import functional
from codex_ml.trainers.optimizer import adamw
from codex_ml.trainers.options import TrainerOptions
from codex_ml.trainers.schedules import factor, warmup_length

WIDTH, CLASSES = 6, 3


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = torch.nn.Linear(WIDTH, 8)
        self.norm = torch.nn.LayerNorm(8)
        self.outer = torch.nn.Linear(8, CLASSES)

    def forward(self, features):
        return self.outer(self.norm(self.inner(features).tanh()))


class Flat:
    """Several targets a record, some ignored: the sum of their losses, as a task must give it."""

    def loss(self, model, batch):
        logits = model(**batch.inputs)
        return torch_functional.cross_entropy(
            logits.flatten(0, 1), batch.labels.flatten(), ignore_index=-100, reduction="sum"
        )


class Run:
    """A context over records of random features [4, WIDTH] and targets [4]."""

    def __init__(self, records=20, seed=0):
        generator = torch.Generator().manual_seed(seed)
        self.features = torch.randn(records, 4, WIDTH, generator=generator)
        self.targets = torch.randint(CLASSES, (records, 4), generator=generator)
        # Batches of unequal counts are what a mean of means gets wrong.
        self.targets[::3, 1:] = -100
        torch.manual_seed(seed)
        self.model = Net()
        self.task = Flat()
        self.train = range(records)
        self.device = "cpu"
        self.should_stop = self.interrupted = False
        self.best_step = None
        self.total = None
        self.events, self.rates, self.losses, self.weights = [], [], [], []

    def save(self, step, state, *, keep):
        self.events.append(("save", step))
        return True

    def restore(self):
        return None

    def batches(self, epoch, *, batch_size, start=0, by_length=False, workers=0):
        order = torch.randperm(len(self.train), generator=torch.Generator().manual_seed(epoch)).tolist()
        for first in range(start * batch_size, len(order), batch_size):
            rows = order[first : first + batch_size]
            labels = self.targets[rows]
            yield Batch(
                {"features": self.features[rows]}, labels, [f"r{row}" for row in rows], int((labels >= 0).sum())
            )

    def begin(self, total_steps):
        self.total = total_steps

    def advance(self, step, *, records=0, **values):
        assert self.model.training
        self.events.append(("step", step, records))
        self.rates.append(values["lr"])
        self.losses.append(values.get("loss"))
        self.weights.append([each.detach().clone() for each in self.model.parameters()])

    def log(self, values, *, step):
        self.events.append(("log", step, dict(values)))

    def evaluate(self, *, step):
        self.model.eval()
        self.events.append(("evaluate", step))
        return {"accuracy": 0.5}

    def at(self, kind):
        return [event[1] for event in self.events if event[0] == kind]


def state(model):
    return torch.cat([each.detach().flatten() for each in model.parameters()])


def by_hand(run, *, steps, batch_size, lr, weight_decay=0.0, clip=None):
    """A loop over whole batches with PyTorch's plain AdamW, the mean over all targets of a batch."""
    named = list(run.model.named_parameters())
    matrices = [each for name, each in named if name.endswith("weight") and "norm" not in name]
    others = [each for name, each in named if not any(each is other for other in matrices)]
    groups = [{"params": matrices, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=lr, foreach=False, fused=False)
    done, epoch = 0, 0
    while done < steps:
        for batch in run.batches(epoch, batch_size=batch_size):
            if done < steps:
                optimizer.zero_grad()
                logits = run.model(**batch.inputs).flatten(0, 1)
                torch_functional.cross_entropy(logits, batch.labels.flatten(), ignore_index=-100).backward()
                if clip:
                    torch.nn.utils.clip_grad_norm_(run.model.parameters(), clip)
                optimizer.step()
                done += 1
        epoch += 1


PLAIN = {"schedule": "constant", "warmup_steps": 0, "weight_decay": 0.0, "max_grad_norm": None, "lr": 0.01}


@pytest.mark.parametrize(("batch_size", "accumulate"), [(8, 1), (4, 2), (2, 4), (1, 8), (3, 4)])
def test_accumulated_batches_equal_one_large_batch(batch_size, accumulate):
    run, reference = Run(), Run()
    functional(run, epochs=3, batch_size=batch_size, accumulate_steps=accumulate, **PLAIN)
    whole = batch_size * accumulate
    by_hand(reference, steps=3 * math.ceil(20 / whole), batch_size=whole, lr=0.01)
    assert len(run.at("step")) == run.total == 3 * math.ceil(20 / whole)
    assert torch.allclose(state(run.model), state(reference.model), atol=1e-6, rtol=0)
    assert not torch.allclose(state(run.model), state(Run().model), atol=1e-3)


def test_decay_and_clipping_equal_the_hand_written_loop():
    run, reference = Run(), Run()
    functional(run, epochs=2, batch_size=5, **{**PLAIN, "weight_decay": 0.3, "max_grad_norm": 0.05})
    by_hand(reference, steps=8, batch_size=5, lr=0.01, weight_decay=0.3, clip=0.05)
    assert torch.allclose(state(run.model), state(reference.model), atol=1e-6, rtol=0)


def test_decay_leaves_biases_and_norms_alone():
    none, much = Run(), Run()
    functional(none, max_steps=1, **{**PLAIN, "weight_decay": 0.0})
    functional(much, max_steps=1, **{**PLAIN, "weight_decay": 10.0})
    moved = {
        name
        for (name, one), other in zip(none.model.named_parameters(), much.model.parameters(), strict=True)
        if not torch.equal(one, other)
    }
    assert moved == {"inner.weight", "outer.weight"}


def test_clipping_bounds_the_gradients():
    run = Run()
    functional(run, max_steps=1, **{**PLAIN, "max_grad_norm": 0.01})
    assert torch.cat([each.grad.flatten() for each in run.model.parameters()]).norm() == pytest.approx(0.01, rel=1e-3)


@pytest.mark.parametrize("schedule", ["linear", "cosine", "constant"])
@pytest.mark.parametrize("warmup", [0, 7])
def test_schedules_equal_those_of_transformers(schedule, warmup):
    name = "constant_with_warmup" if schedule == "constant" else schedule
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = get_scheduler(name, optimizer, num_warmup_steps=warmup, num_training_steps=40)
    for step in range(40):
        ours = factor(schedule, step, total_steps=40, warmup_steps=warmup)
        assert ours == pytest.approx(theirs.get_last_lr()[0], abs=1e-12)
        optimizer.step()
        theirs.step()


def test_the_rate_follows_the_schedule():
    run = Run()
    functional(run, epochs=2, batch_size=5, lr=1.0, warmup_steps=0.25, schedule="linear")
    assert run.rates == pytest.approx([0, 1 / 2, 1, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6])


@pytest.mark.parametrize(
    ("warmup", "total", "steps"), [(0.06, 100, 6), (0.06, 10, 1), (0.06, 1, 0), (0, 9, 0), (5, 3, 5)]
)
def test_warmup_is_a_fraction_or_a_number_of_steps(warmup, total, steps):
    assert warmup_length(warmup, total) == steps


@pytest.mark.parametrize(
    ("options", "steps"),
    [
        ({}, [4, 8]),
        ({"eval_steps": 3}, [3, 6, 8]),
        ({"eval_steps": 4}, [4, 8]),
        ({"eval_steps": 100}, [8]),
        ({"epochs": 1.5}, [4, 6]),
        ({"max_steps": 9}, [4, 8, 9]),
        ({"max_steps": 4}, [4]),
        ({"accumulate_steps": 3}, [2, 4]),
    ],
)
def test_evaluates_on_time_and_never_twice(options, steps):
    run = Run()
    functional(run, **{"epochs": 2, "batch_size": 5, **options})
    assert run.at("evaluate") == steps
    assert run.total == steps[-1]


def test_an_evaluation_leaves_the_model_training():
    run = Run()
    functional(run, epochs=3, batch_size=5)
    # Each step after an evaluation asserts the mode, too.
    assert len(run.at("evaluate")) == 3


def test_logs_the_mean_loss_per_target_since_the_last_line():
    run = Run()
    done = functional(run, epochs=2, batch_size=8, log_steps=4, lr=1e-12)
    lines = {event[1]: event[2] for event in run.events if event[0] == "log"}
    assert sorted(lines) == [4, 6]
    # The weights stand still, so three steps' mean is that of the whole set.
    logits = run.model(run.features).flatten(0, 1)
    mean = torch_functional.cross_entropy(logits, run.targets.flatten(), ignore_index=-100).item()
    assert lines[6]["epoch"] == 2
    short = Run()
    functional(short, epochs=1, batch_size=8, log_steps=100, lr=1e-12)
    assert [event[2]["loss"] for event in short.events if event[0] == "log"] == [pytest.approx(mean, abs=1e-6)]
    assert done == {"steps": 6, "epochs": 2.0, "records": 40}
    assert [event[2] for event in run.events if event[0] == "step"] == [8, 8, 4, 8, 8, 4]


@pytest.mark.parametrize(("epochs", "steps"), [(0.07, 7), (0.1, 10), (0.001, 1), (0.105, 11), (1, 100)])
def test_a_fraction_of_an_epoch_is_rounded_up(epochs, steps):
    run = Run(records=100)
    functional(run, epochs=epochs, batch_size=1)
    assert run.total == len(run.at("step")) == steps


def test_the_same_seed_gives_the_same_weights():
    one, two, other = Run(), Run(), Run(seed=1)
    for run in (one, two, other):
        functional(run, epochs=2, batch_size=3, accumulate_steps=2)
    assert torch.equal(state(one.model), state(two.model))
    assert one.losses == two.losses
    assert one.losses != other.losses


def test_training_lowers_the_loss():
    run = Run()
    functional(run, epochs=100, batch_size=10, lr=0.01)
    assert run.losses[-1] < 0.7 * run.losses[0]


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_stops_before_the_step(value):
    run = Run()
    run.features[3] = value
    with pytest.raises(ModelError) as caught:
        functional(run, batch_size=4, epochs=1)
    step = len(run.at("step")) + 1
    order = [batch.ids for batch in run.batches(0, batch_size=4)]
    assert f"step {step}: the loss is nan" in str(caught.value)
    assert "r3" in order[step - 1]
    assert ", ".join(order[step - 1]) in str(caught.value)
    assert all(each.isfinite().all() for each in run.model.parameters())


def test_gradients_that_are_not_finite_stop_before_the_step():
    run = Run()
    run.model.inner.weight.register_hook(lambda gradient: gradient * math.inf)
    with pytest.raises(ModelError, match=r"step 1: the gradients' norm is (nan|inf), in the batch of the records r"):
        functional(run, batch_size=4)
    assert torch.equal(state(run.model), state(Run().model))


def test_batches_without_targets_teach_nothing():
    run = Run()
    run.targets[:] = -100
    before = state(run.model)
    functional(run, epochs=2, batch_size=5, weight_decay=0.5)
    assert torch.equal(state(run.model), before)
    assert run.losses == [None] * 8
    assert all("loss" not in event[2] for event in run.events if event[0] == "log")


def test_a_batch_without_targets_changes_nothing_beside_others():
    run, reference = Run(), Run()
    empty = [f"r{row}" for row in range(4)]
    for each in (run, reference):
        each.targets[:4] = -100
    batches = reference.batches
    reference.batches = lambda epoch, batch_size, **_: (
        batch for batch in batches(epoch, batch_size=1) if batch.ids[0] not in empty
    )
    functional(run, epochs=1, batch_size=1, accumulate_steps=20, **PLAIN)
    functional(reference, epochs=1, batch_size=1, accumulate_steps=20, **PLAIN)
    assert torch.equal(state(run.model), state(reference.model))


def test_stops_between_steps_and_measures_what_there_is():
    run = Run()
    advance = run.advance

    def stopping(step, **values):
        advance(step, **values)
        run.should_stop = step == 3

    run.advance = stopping
    assert functional(run, epochs=5, batch_size=5)["steps"] == 3
    assert run.at("step") == [1, 2, 3]
    assert run.at("evaluate") == [3]
    assert run.at("log") == [3]


def test_stopped_before_the_first_step_measures_nothing():
    run = Run()
    run.should_stop = True
    assert functional(run) == {"steps": 0, "epochs": 0.0, "records": 0}
    assert run.events == []


def test_frozen_parameters_stay():
    run = Run()
    run.model.inner.requires_grad_(False)
    before = run.model.inner.weight.clone()
    functional(run, epochs=1, batch_size=5, lr=0.1)
    assert torch.equal(run.model.inner.weight, before)
    run.model.requires_grad_(False)
    with pytest.raises(ModelError, match="no parameter"):
        functional(run)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_trains_other_number_formats(dtype):
    run = Run()
    run.model.to(dtype)
    run.features = run.features.to(dtype)
    functional(run, epochs=20, batch_size=10, lr=0.01)
    assert run.losses[-1] < 0.8 * run.losses[0]


def test_no_records_is_an_error():
    with pytest.raises(DataError, match="no training records"):
        functional(Run(records=0))


@pytest.mark.parametrize(
    ("option", "value"),
    [
        (name, value)
        for name in ("batch_size", "accumulate_steps", "log_steps")
        for value in (0, -1, 1.5, True, None, "4")
    ]
    + [(name, value) for name in ("max_steps", "eval_steps", "threads") for value in (0, -1, 1.5)]
    + [(name, value) for name in ("epochs", "lr") for value in (0, -1, math.nan, math.inf, None, "1")]
    + [("max_grad_norm", 0), ("weight_decay", -1), ("warmup_steps", -1), ("warmup_steps", 1.5), ("schedule", "step")],
)
def test_an_option_out_of_range_is_named(option, value):
    with pytest.raises(ValueError, match=rf"^trainer\.{option} must be"):
        TrainerOptions(**{option: value})


def test_all_wrong_options_are_told_at_once():
    with pytest.raises(ValueError, match=r"trainer\.batch_size .*; trainer\.lr "):
        functional(Run(), batch_size=0, lr=-1)


def test_every_option_has_a_help_line():
    assert functional.__codex_api__ == "v1"
    assert functional.__codex_config__ is TrainerOptions
    assert all(each.metadata["help"] for each in fields(TrainerOptions))


def test_the_optimizer_is_fused_and_spares_biases_and_norms():
    model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.LayerNorm(2))
    optimizer = adamw(model, lr=5e-5, weight_decay=0.3)
    assert all(group["fused"] for group in optimizer.param_groups)
    decays = {id(each): group["weight_decay"] for group in optimizer.param_groups for each in group["params"]}
    assert [decays[id(each)] for each in model.parameters()] == [0.3, 0.0, 0.0, 0.0]
