from array import array
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from tiny_run import component

from codex_ml.errors import CodexError
from codex_ml.interfaces import Batch
from codex_ml.launch.evaluation import Scores, evaluating, measure, refusals, unfit

TASK = component("task", "echo", object)


class Echo:
    """Gives back what the examples hold, one input each."""

    feeds = ("labels", "text", "logprobs")

    def __init__(self):
        self.sizes = []
        self.wanted = []

    def collate(self, examples, tokenizer, *, train):
        assert not train
        self.sizes.append(len(examples))
        return Batch({}, None, [str(example) for example in examples], len(examples), extra=examples)

    def predict(self, model, batch, tokenizer, want):
        self.wanted.append(tuple(want))
        assert not torch.is_grad_enabled()
        given = {
            "labels": (array("q", batch.extra), torch.tensor(batch.extra)),
            "text": ([str(each) for each in batch.extra], [[str(each)] for each in batch.extra]),
            "logprobs": ([each / 2 for each in batch.extra], [float(each) for each in batch.extra]),
        }
        return {name: given[name] for name in want}


def run(*metrics, count=7, batch_size=3, task=None, seed=None):
    return measure(
        metrics,
        range(count),
        task=task or Echo(),
        task_component=TASK,
        model=torch.nn.Linear(1, 1),
        tokenizer=None,
        device="cpu",
        batch_size=batch_size,
        seed=seed,
    )


def spy(seen):
    def metric(predictions, labels, **options):
        seen.append((predictions, labels, options))
        return 0.5

    return metric


def test_metrics_get_their_inputs_in_the_order_of_the_data_and_their_options():
    seen, task = [], Echo()
    metrics = (
        component("metric", "first", spy(seen), average="macro"),
        component("metric", "second", spy(seen), key="again", meta={"input": "text"}),
    )
    assert run(*metrics, task=task).values == {"first": 0.5, "again": 0.5}
    assert seen[0] == (array("q", range(7)), array("q", range(7)), {"average": "macro"})
    assert seen[1] == ([str(n) for n in range(7)], [[str(n)] for n in range(7)], {})
    assert task.sizes == [3, 3, 1]
    assert set(task.wanted) == {("labels", "text")}


def test_numbers_come_as_arrays_and_never_as_numpy():
    seen = []
    run(component("metric", "ppl", spy(seen), meta={"input": "logprobs"}))
    (predictions, labels, _), *_ = seen
    assert predictions.typecode == labels.typecode == "d"
    assert list(predictions) == [n / 2 for n in range(7)]


def test_values_of_several_kinds_come_as_a_list():
    class Mixed(Echo):
        def predict(self, model, batch, tokenizer, want):
            values = ["a", 2**80, 0.5] if len(self.sizes) > 1 else [1, 2, 3]
            return {"labels": (values[: batch.count], [None] * batch.count)}

    seen = []
    run(component("metric", "m", spy(seen)), count=6, task=Mixed())
    assert seen[0][:2] == ([1, 2, 3, "a", 2**80, 0.5], [None] * 6)


def test_without_metrics_nothing_is_predicted():
    task = Echo()
    assert run(task=task) == Scores()
    assert not task.sizes


class Sized(Echo):
    """Gives two positions a record."""

    def predict(self, model, batch, tokenizer, want):
        flat = [float(each) for each in batch.extra for _ in range(2)]
        return {name: (flat, flat, [2] * batch.count) for name in want}


def with_error(error):
    def metric(predictions, labels, **options):
        return 0.5

    metric.__codex_standard_error__ = error
    return component("metric", "m", metric, meta={"input": "logprobs"}, power=2)


def test_a_metric_is_asked_how_far_it_may_be_off_with_the_records_sizes():
    asked = []

    def error(predictions, labels, *, sizes=None, seed=0, **options):
        asked.append((len(predictions), len(labels), sizes, seed, options))
        return 0.125

    scores = run(with_error(error), task=Sized(), seed=7)
    assert scores == Scores({"m": 0.5}, {"m": 0.125})
    assert asked == [(14, 14, [2] * 7, 7, {"power": 2})]
    assert run(with_error(error), task=Sized()).errors == {}
    assert len(asked) == 1


@pytest.mark.parametrize("told", [None, float("nan"), float("inf")])
def test_no_standard_error_is_none(told):
    assert run(with_error(lambda *pair, **options: told), task=Sized(), seed=0) == Scores({"m": 0.5})


def test_a_standard_error_that_fails_costs_no_score(caplog):
    def error(predictions, labels, **options):
        raise ArithmeticError("of no kind")

    assert run(with_error(error), task=Sized(), seed=0) == Scores({"m": 0.5})
    assert "metric=m (tiny-plugin 1.2): no standard error: ArithmeticError: of no kind" in caplog.text


def test_examples_of_one_record_in_a_row_are_one_record_for_the_standard_error():
    asked = []

    class Blocks(Sized):
        def collate(self, examples, tokenizer, *, train):
            batch = super().collate(examples, tokenizer, train=train)
            named = {0: "a@0", 1: "a@512", 2: "b@0", 3: "a@1024", 4: "x@y.org", 5: "x@z.org", 6: "b@5"}
            return replace(batch, ids=[named[example] for example in examples])

    def error(predictions, labels, *, sizes=None, seed=0, **options):
        asked.append(sizes)

    # Batches of three: a record goes on across batches.
    run(with_error(error), task=Blocks(), seed=0, batch_size=1)
    assert asked == [[4, 2, 2, 2, 2, 2]]


@pytest.mark.parametrize(("wanted", "value"), [("text", "a text"), ("tokens", 1), ("logprobs", -1.0)])
def test_metrics_are_tried_out_before_training(wanted, value):
    seen = []

    def metric(predictions, labels, **options):
        seen.append(predictions[0])
        raise ImportError("needs MeCab: pip install it")

    task = SimpleNamespace(feeds=(wanted,))
    tried = component("metric", "m", metric, meta={"input": wanted})
    assert refusals([tried], task, None) == ["metric=m (tiny-plugin 1.2): needs MeCab: pip install it"]
    assert seen == [value]


def test_sizes_that_do_not_add_up_are_told():
    class Odd(Sized):
        def predict(self, model, batch, tokenizer, want):
            return {"logprobs": ([0.5] * 4, [0.5] * 4, [3])}

    with pytest.raises(CodexError, match=r"task=echo .* sizes of 3 in all for 4 labels \(logprobs\)"):
        run(with_error(lambda *pair, **options: None), task=Odd())


@pytest.mark.parametrize("value", [True, None, "0.5", torch.tensor(0.5)])
def test_a_metric_that_returns_no_number_is_told(value):
    with pytest.raises(CodexError, match=r"metric=odd \(tiny-plugin 1\.2\) returned .*must return a float"):
        run(component("metric", "odd", lambda predictions, labels: value))


@pytest.mark.parametrize("error", [ValueError("lengths differ"), KeyError("lengths differ")])
def test_a_metric_s_error_names_it(error):
    def broken(predictions, labels):
        raise error

    with pytest.raises(CodexError, match=r"metric=broken \(tiny-plugin 1\.2\).*lengths differ"):
        run(component("metric", "broken", broken))


@pytest.mark.parametrize(
    ("given", "told"),
    [({}, "gave no 'labels'"), ({"labels": ([1], [])}, "1 predictions for 0 labels"), (None, "TypeError")],
)
def test_a_task_that_predicts_otherwise_than_promised_is_told(given, told):
    class Odd(Echo):
        def predict(self, model, batch, tokenizer, want):
            return given

    with pytest.raises(CodexError, match=rf"task=echo \(tiny-plugin 1\.2\).*{told}"):
        run(component("metric", "m", spy([])), task=Odd())


def test_unfit_tells_what_is_wanted_and_what_there_is():
    task = SimpleNamespace(feeds=("labels",))
    assert unfit(component("metric", "m", len), task) is None
    assert unfit(component("metric", "m", len, meta={"input": "labels"}), task) is None
    told = unfit(component("metric", "ppl", len, meta={"input": "logprobs"}), task)
    assert told == "metric=ppl scores 'logprobs', and the task gives only 'labels'"


def test_each_module_gets_its_own_mode_back():
    model = torch.nn.Sequential(torch.nn.Dropout(), torch.nn.Dropout())
    model.train()
    model[1].eval()

    def modes():
        return [module.training for module in model.modules()]

    def fail():
        assert modes() == [False, False, False]
        raise RuntimeError

    with pytest.raises(RuntimeError), evaluating(model):
        fail()
    assert modes() == [True, True, False]
