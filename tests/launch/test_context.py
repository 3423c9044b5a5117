import json

import numpy as np
import pytest
import torch
from tiny_run import ACCURACY, WORDS, Recorder, TinyModel, component, loss_only, make_tokenizer, model_of, tiny_model

from codex_ml.errors import ConfigError, DataError, ModelError
from codex_ml.launch.building import build_model
from codex_ml.launch.callbacks import Callbacks
from codex_ml.launch.seeding import seed_everything
from codex_ml.tasks.classification import Classification


def test_components_are_built_in_one_order_whatever_is_asked_for_first(context):
    built = []

    class Task(Classification):
        def __init__(self, **options):
            built.append("task")
            super().__init__(**options)

        def fit(self, records):
            built.append("fit")
            return super().fit(records)

    def tokenizer(config):
        built.append("tokenizer")
        return make_tokenizer()

    def model(config):
        built.append("model")
        return tiny_model(config)

    for ask in ("model", "tokenizer", "train", "task"):
        built.clear()
        run = context(
            task=component("task", "t", Task, max_length=8),
            tokenizer=component("tokenizer", "mine", tokenizer),
            model=model_of(model),
        )
        getattr(run, ask)
        _ = run.model
        assert built == ["task", "fit", "tokenizer", "model"]


def test_a_plugin_s_random_draws_change_no_weights(context):
    def greedy():
        torch.rand(100)

    plain = context().model.state_dict()
    drawn = context(callbacks=Callbacks([component("plugin", "greedy", greedy)])).model.state_dict()
    assert all(torch.equal(plain[name], drawn[name]) for name in plain)


def test_what_a_tokenizer_draws_changes_no_weights(context):
    def greedy(config):
        torch.rand(100)
        return make_tokenizer()

    plain = context(tokenizer=component("tokenizer", "mine", lambda config: make_tokenizer())).model.state_dict()
    drawn = context(tokenizer=component("tokenizer", "mine", greedy)).model.state_dict()
    assert all(torch.equal(plain[name], drawn[name]) for name in plain)


def test_a_model_factory_gets_options_device_dtype_and_head(context):
    seen = []

    def factory(config, width=3, *, flag=False, model_name="base"):
        seen.append((config, width, flag, model_name))
        return tiny_model(config)

    options = {"width": 5, "flag": True, "model_name": None, "device": "auto", "dtype": None, "deep": {"a": [1]}}
    run = context(model=model_of(factory, **options))
    assert run.device == ("cuda" if torch.cuda.is_available() else "cpu")
    _ = run.model
    config = seen[0][0]
    head = {"kind": "sequence_classification", "labels": ["sport", "tech"], "num_labels": 2}
    assert config == {
        "width": 5,
        "flag": True,
        "deep": {"a": [1]},
        "device": run.device,
        "dtype": "float32",
        "head": head,
    }
    assert seen[0][1:] == (5, True, "base")
    assert config["deep"] is not options["deep"]


def test_a_named_tokenizer_wins_and_its_size_is_told(context):
    seen = []

    def model(config):
        seen.append(config["head"])
        return TinyModel(50, 2), "another"

    run = context(model=model_of(model), tokenizer=component("tokenizer", "mine", lambda config: make_tokenizer()))
    assert len(run.tokenizer) == len(WORDS) + 2
    _ = run.model
    told = {name: seen[0][name] for name in ("vocab_size", "pad_token_id", "bos_token_id", "eos_token_id")}
    assert told == {"vocab_size": len(WORDS) + 2, "pad_token_id": 0, "bos_token_id": None, "eos_token_id": None}


def test_without_any_tokenizer_the_way_out_is_told(context):
    run = context(model=model_of(lambda config: (TinyModel(50, 2), None)))
    with pytest.raises(ModelError, match=r"model=mine \(tiny-plugin 1\.2\) gives none.*tokenizer=hf tokenizer\.tok"):
        _ = run.model


def test_a_tokenizer_that_cannot_be_called_is_told(context):
    run = context(tokenizer=component("tokenizer", "mine", lambda config: None))
    with pytest.raises(ModelError, match=r"tokenizer=mine \(tiny-plugin 1\.2\) returned None"):
        _ = run.tokenizer


@pytest.mark.parametrize("error", [ValueError("bad width"), ImportError("bad width"), RuntimeError("bad width")])
def test_a_model_factory_s_error_names_it(context, error):
    def broken(config):
        raise error

    with pytest.raises(ModelError, match=r"model=mine \(tiny-plugin 1\.2\): .*bad width"):
        _ = context(model=model_of(broken)).model


@pytest.mark.parametrize("built", [TinyModel(5, 2), None, (TinyModel(5, 2),), (None, None)])
def test_a_model_factory_that_returns_no_pair_is_told(context, built):
    with pytest.raises(ModelError, match=r"model=mine \(tiny-plugin 1\.2\) returned .*\(model, tokenizer\)"):
        _ = context(model=model_of(lambda config: built)).model


def test_a_gpu_that_is_not_there_is_told(context):
    with pytest.raises(ModelError, match=r"model\.device=cuda.*model\.device=auto"):
        _ = context(model=model_of(tiny_model, device="cuda:99")).model


class Bare(TinyModel):
    def forward(self, **inputs):
        return {"last_hidden_state": super().forward(**inputs).logits}


class Raising(TinyModel):
    def forward(self, **inputs):
        raise IndexError("deep inside")


@pytest.mark.parametrize(
    ("model", "told"),
    [
        (Bare(50, 2), "without logits"),
        (Raising(50, 2), "IndexError: deep inside"),
        (TinyModel(50, 3), "shape"),
        (TinyModel(5, 2), r"embedding of 5 rows, and the tokenizer has \d+ tokens"),
    ],
)
def test_a_model_that_does_not_fit_is_refused_after_one_record(context, model, told):
    with pytest.raises(ModelError, match=rf"(?s)model=mine \(tiny-plugin 1\.2\).*{told}"):
        _ = context(model=model_of(lambda config: (model, make_tokenizer()))).model


def test_a_token_id_beyond_the_embedding_is_refused_where_the_tokenizer_has_no_size(context):
    class NoSize:
        pad_token_id = 0

        def __call__(self, texts, **options):
            return make_tokenizer()(texts, **options)

    run = context(model=model_of(lambda config: (TinyModel(5, 2), NoSize())))
    with pytest.raises(ModelError, match=r"5 rows, and the tokenizer gives the token id \d+"):
        _ = run.model


def test_the_trial_leaves_model_and_random_state_alone(context):
    run = context()
    _ = run.parts._built, run.tokenizer
    seed_everything(0, "x")
    expected = torch.rand(1)
    seed_everything(0, "x")
    assert run.model.training
    assert torch.equal(torch.rand(1), expected)
    assert all(parameter.grad is None for parameter in run.model.parameters())


def test_the_order_of_an_epoch_depends_on_seed_and_epoch_alone(context):
    def ids(run, epoch, **options):
        return [batch.ids for batch in run.batches(epoch, **options)]

    run = context()
    first = ids(run, 0)
    torch.rand(3)
    assert ids(context(), 0) == first
    assert ids(run, 1) != first != ids(context(seed=1), 0)
    flat = [each for batch in first for each in batch]
    assert sorted(flat) == sorted(record["id"] for record in run.parts.splits["train"])
    order = np.random.Generator(np.random.PCG64([0, 0])).permutation(40)
    assert flat == [run.train[int(index)]["id"] for index in order]
    assert [len(batch) for batch in ids(run, 0, batch_size=16)] == [16, 16, 8]
    assert ids(context(seed=-5), 0)


def test_the_batch_size_is_the_trainer_s_own_or_16(context):
    assert len(next(context().batches(0)).ids) == 8
    assert len(next(context(trainer=component("trainer", "t", loss_only)).batches(0)).ids) == 16


def train(run, **options):
    seed_everything(0, "trainer")
    loss_only(run, **options)
    return run.model.state_dict()


def test_evaluations_change_nothing_in_what_is_learnt(context):
    class Greedy:
        def on_evaluate(self, *_):
            torch.rand(7)

    def weights(**options):
        run = context(callbacks=Callbacks(extra=[Greedy()]))
        run.parts.prepare()
        return train(run, **options)

    without, often = weights(), weights(evaluate_every=1)
    assert all(torch.equal(without[name], often[name]) for name in without)


def test_evaluate_logs_tells_the_plugins_and_restores_the_mode(context, tmp_path):
    recorder = Recorder()
    run = context(callbacks=Callbacks(extra=[recorder]))
    run.model.train()
    metrics = run.evaluate(step=5)
    assert set(metrics) == {"accuracy", "f1"}
    assert run.model.training
    line = json.loads((tmp_path / "metrics.jsonl").read_text())
    assert line == {"step": 5, **{f"validation/{name}": value for name, value in metrics.items()}}
    assert recorder.events == [
        ("on_log", 5, {f"validation/{name}": value for name, value in metrics.items()}),
        ("on_evaluate", 5, "validation", metrics),
    ]


def test_without_validation_records_evaluate_is_empty(context, tmp_path):
    run = context(files=("train",))
    assert run.evaluate(step=1) == {}
    assert (tmp_path / "metrics.jsonl").read_text() == ""


def test_a_metric_that_the_task_cannot_feed_is_refused_before_anything_is_built(context):
    ppl = component("metric", "ppl", len, meta={"input": "logprobs"})
    bleu = component("metric", "bleu", len, meta={"input": "text"})
    with pytest.raises(ConfigError) as told:
        context(metrics=(ppl, ACCURACY, bleu), model=model_of(pytest.fail)).parts.prepare()
    assert len(told.value.problems) == 2


def test_bad_validation_records_are_found_before_training(context, tmp_path):
    run = context()
    (tmp_path / "validation.jsonl").write_text('{"text": "x", "label": "unheard of"}\n')
    with pytest.raises(DataError, match="unheard of"):
        run.parts.prepare()


def test_whoever_asks_stops_the_run(context):
    run = context()
    assert run.should_stop is False
    run.should_stop = True
    assert run.should_stop is True


def test_what_a_trainer_tells_reaches_the_plugins_and_the_log(context, tmp_path):
    recorder = Recorder()
    run = context(callbacks=Callbacks(extra=[recorder]))
    run.begin(10)
    run.advance(1, records=8, loss=0.5)
    run.log({"loss": torch.tensor(0.5), "lr": float("nan")}, step=1)
    assert [event[:2] for event in recorder.events[:2]] == [("on_train_start", 10), ("on_step", 1)]
    assert recorder.events[1] == ("on_step", 1, 8, {"loss": 0.5})
    assert (tmp_path / "metrics.jsonl").read_text() == '{"step":1,"loss":0.5,"lr":null}\n'


def test_a_metric_that_the_labels_do_not_fit_is_told_before_the_model_is_built(context):
    def picky(predictions, labels):
        raise ValueError(f"needs numbers, not {labels[0]!r}")

    def shaky(predictions, labels):
        raise ZeroDivisionError

    metrics = (component("metric", "picky", picky), component("metric", "shaky", shaky), ACCURACY)
    run = context(metrics=metrics, model=model_of(pytest.fail))
    with pytest.raises(ConfigError, match=r"metric=picky .* asked about the labels .*: needs numbers, not 'sport'"):
        run.parts.prepare()


def test_a_model_that_is_partly_elsewhere_is_moved_as_a_whole():
    def halved(config):
        model, tokenizer = tiny_model({"head": {"num_labels": 2, "vocab_size": len(WORDS)}})
        next(model.children()).to("meta")
        return model, tokenizer

    model, _ = build_model(component("model", "halved", halved), head={}, device="meta")
    assert {each.device.type for each in model.parameters()} == {"meta"}


def test_training_examples_know_their_epoch(context):
    seen = []

    class Watching(Classification):
        def collate(self, examples, tokenizer, *, train):
            seen.append({example.get("epoch") for example in examples} if train else "evaluation")
            return super().collate(examples, tokenizer, train=train)

    made = context(task=component("task", "watching", Watching, max_length=16))
    for epoch in range(2):
        list(made.batches(epoch, batch_size=40))
    made.parts.measure("test")
    # The first is the trial's.
    assert seen[1:] == [{0}, {1}, "evaluation", "evaluation"][:3] + ["evaluation"] * (len(seen) - 4)
