from types import SimpleNamespace

import torch
from custom_trainer.trainer import custom

from codex_ml.testing import TrainerTests


class TestCustom(TrainerTests):
    name = "custom"
    options = {"epochs": 2, "batch_size": 16}
    bad_options = [{"epochs": 0}, {"batch_size": 0}, {"lr": 0.0}, {"epochs": 1.5}]


class Line:
    """A context whose task is to draw y = 2x through points."""

    def __init__(self, points=8, stop_at=None):
        torch.manual_seed(0)
        self.model = torch.nn.Linear(1, 1)
        self.train = [(x / points, 2 * x / points) for x in range(points)]
        self.task = SimpleNamespace(loss=self.loss)
        self.stop_at = stop_at
        self.told = []

    def loss(self, model, batch):
        x, y = torch.tensor(batch.pairs).T.unsqueeze(-1)  # [batch, 1] each
        return (model(x) - y).square().sum()

    def batches(self, epoch, *, batch_size):
        for start in range(0, len(self.train), batch_size):
            pairs = self.train[start : start + batch_size]
            yield SimpleNamespace(pairs=pairs, ids=[str(start)] * len(pairs), count=len(pairs))

    def begin(self, total_steps):
        self.told.append(("begin", total_steps))

    def advance(self, step, *, records, **values):
        self.told.append(("advance", step, records, sorted(values)))

    def log(self, values, *, step):
        self.told.append(("log", step, values["loss"]))

    def evaluate(self, *, step):
        self.told.append(("evaluate", step))

    @property
    def should_stop(self):
        return any(event[:2] == ("advance", self.stop_at) for event in self.told)


def test_the_loss_falls():
    line = Line()
    assert custom(line, epochs=60, batch_size=4, lr=0.3) == {"steps": 120}
    losses = [event[2] for event in line.told if event[0] == "log"]
    assert losses[-1] < 0.01 < losses[0]


def test_it_tells_of_every_step_and_evaluates_after_each_epoch():
    line = Line(points=5)
    custom(line, epochs=2, batch_size=4)
    assert [event[:2] for event in line.told] == [
        ("begin", 4),
        *(("advance", 1), ("advance", 2), ("log", 2), ("evaluate", 2)),
        *(("advance", 3), ("advance", 4), ("log", 4), ("evaluate", 4)),
    ]
    assert [event[2:] for event in line.told if event[0] == "advance"][:2] == [(4, ["loss", "lr"]), (1, ["loss", "lr"])]


def test_it_stops_when_it_is_asked_to_and_evaluates_what_it_has():
    line = Line(stop_at=3)
    assert custom(line, epochs=9, batch_size=4) == {"steps": 3}
    assert line.told[-1] == ("evaluate", 3)
