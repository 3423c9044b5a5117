"""TrainerTests: a right trainer passes, each kind of wrong one fails the check that is meant for it."""

import random

import pytest

from codex_ml.testing import TrainerTests


def right(context, *, epochs: int = 1, lr: float = 0.1):
    """Trains with plain SGD."""
    import torch

    if lr < 0:
        raise ValueError("lr must be 0 or more")
    optimizer = torch.optim.SGD(context.model.parameters(), lr=lr)
    context.model.train()
    step = 0
    context.begin(epochs * -(-len(context.train) // 16))
    for epoch in range(epochs):
        for batch in context.batches(epoch):
            if context.should_stop:
                return {"metrics": {"steps": step}}
            optimizer.zero_grad()
            (context.task.loss(context.model, batch) / batch.count).backward()
            optimizer.step()
            step += 1
            context.advance(step, records=len(batch.ids), loss=0.0)
        context.evaluate(step=step)
    return {"metrics": {"steps": step}}


def returns_nothing(context):
    """Trains, and says nothing of it."""
    right(context)


def does_nothing(context):
    """Leaves the model as it was, however often it looks at it."""
    context.model.train()
    for batch in context.batches(0):
        if not context.should_stop:
            context.task.loss(context.model, batch)


def returns_a_number(context):
    """Returns a score."""
    right(context)
    return 0.5


def metrics_in_a_list(context):
    """Returns metrics without names."""
    right(context)
    return {"metrics": [0.5]}


def metrics_as_text(context):
    """Returns metrics as text."""
    right(context)
    return {"metrics": {"loss": "0.5"}}


def draws_elsewhere(context):
    """Adds noise of its own."""
    import torch

    right(context)
    with torch.no_grad():
        for each in context.model.parameters():
            each.add_(random.SystemRandom().random())


class _Deaf:
    """A context that is never told to stop."""

    should_stop = False

    def __init__(self, context):
        self.context = context

    def __getattr__(self, name):
        return getattr(self.context, name)


def never_stops(context):
    """Does not look at should_stop."""
    right(_Deaf(context))


def counts_down(context):
    """Tells of its steps in the wrong order."""
    right(context)
    context.advance(1)


def begins_late(context):
    """Says that it begins when it is done."""

    class Late(_Deaf):
        should_stop = property(lambda self: self.context.should_stop)

        def begin(self, total_steps):
            pass

    right(Late(context))
    context.begin(8)


def diverges(context):
    """Multiplies until there are no numbers left."""
    right(context, lr=1e30)


def one_step(context):
    """Is done before anybody could ask it to stop."""
    import torch

    optimizer = torch.optim.SGD(context.model.parameters(), lr=0.1)
    context.model.train()
    context.task.loss(context.model, next(iter(context.batches(0)))).backward()
    optimizer.step()


def takes_any_rate(context, *, lr: float = 0.1):
    """Takes a rate below 0."""
    return right(context, lr=abs(lr))


TRAINS, RESULT = "it_trains_the_model", "it_returns_a_mapping_or_none"
SEED, STOPS, STEPS = "the_same_seed_gives_the_same_weights", "it_stops_when_it_is_asked_to", "its_steps_go_up"
WRONG = [
    ("does_nothing", TRAINS, "leaves the model as it was"),
    ("returns_a_number", RESULT, "returns a float; a trainer returns a mapping or None"),
    ("metrics_in_a_list", RESULT, "returns metrics as a list"),
    ("metrics_as_text", RESULT, "returns the metric loss='0.5'; it must be a float"),
    ("draws_elsewhere", SEED, "trains other weights when it is run again with the same seed"),
    ("never_stops", STOPS, "makes 4 of 4 forward passes although context.should_stop is True"),
    ("counts_down", STEPS, "which do not go up"),
    ("begins_late", STEPS, "must call context.begin once, before anything else"),
    ("diverges", TRAINS, "no finite numbers"),
    ("one_step", STOPS, "makes 1 forward passes with these `options`; choose some that make 4 or more"),
    ("takes_any_rate", "bad_options_are_refused", "with {'lr': -1} must raise ValueError"),
]
COMPONENTS = {"trainer": ["right", "returns_nothing", *(name for name, _, _ in WRONG)]}


@pytest.mark.parametrize("name", ["right", "returns_nothing"])
def test_a_right_trainer_passes(failures, name):
    assert failures(TrainerTests, name=name, bad_options=[{"lr": -1}] if name == "right" else []) == {}


@pytest.mark.parametrize(("name", "check", "message"), WRONG)
def test_a_wrong_trainer_fails(failures, name, check, message):
    found = failures(
        TrainerTests, shared=False, name=name, bad_options=[{"lr": -1}] if name == "takes_any_rate" else []
    )
    assert message in found[check], found
    assert check in (RESULT, TRAINS) or set(found) == {check}
