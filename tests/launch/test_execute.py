import os
import sys
from dataclasses import replace

import pytest
import torch
from tiny_run import (
    FUNCTIONAL,
    LOSS_ONLY,
    Recorder,
    TinyModel,
    assembly,
    component,
    lines,
    make_tokenizer,
    read,
    tiny_model,
)

from codex_ml.errors import CodexError, ConfigError, DataError
from codex_ml.launch.execute import execute
from codex_ml.tasks.classification import Classification


def test_a_run_ends_with_a_complete_record(run, tmp_path):
    final = run()
    assert final == read(tmp_path / "run")
    assert (final["status"], final["run_id"], final["mode"], final["error"]) == ("completed", "abc123", "train", None)
    assert set(final["metrics"]) == {"accuracy", "f1"}
    assert final["metrics"]["accuracy"] > 0.9
    assert 0 <= final["metric_info"]["f1"].pop("standard_error") < 0.2
    assert final["metric_info"]["f1"] == {
        "greater_is_better": True,
        "scale": None,
        "input": "labels",
        "split": "test",
        "signature": "f1|average:macro|codex-ml:1.2",
    }
    assert final["objective"] == {
        "name": "accuracy",
        "value": final["metrics"]["accuracy"],
        "greater_is_better": True,
    }
    assert final["components"]["trainer"]["options"]["epochs"] == 4
    assert [metric["name"] for metric in final["components"]["metric"]] == ["accuracy", "f1"]
    assert {name: told["records"] for name, told in final["data"].items()} == {
        "train": 40,
        "validation": 20,
        "test": 20,
    }
    assert final["data"]["test"]["paths"] == [str(tmp_path / "test.jsonl")]
    assert len(final["data"]["test"]["sha256"][0]) == 64
    assert final["task_state"] == {"labels": ["sport", "tech"]}
    assert final["threads"] == 1
    assert final["seed"] == 0
    assert final["environment"]["libraries"]["torch"]
    assert {path.name for path in (tmp_path / "run" / "model").iterdir()} >= {"model.safetensors", "codex.json"}
    assert [line for line in lines(tmp_path / "run") if "test/f1" in line]


def test_the_same_run_twice_is_the_same_to_the_byte(run, tmp_path):
    one = run("one")
    torch.rand(5)
    two = run("two", callbacks=[Recorder()])
    assert one["metrics"] == two["metrics"]
    for name in ("model/model.safetensors", "metrics.jsonl", "checkpoints/best/model.safetensors"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_what_building_a_model_draws_changes_nothing_in_training(run):
    drawn = []

    def draws(context):
        drawn.append(torch.rand(3).tolist())

    def greedy(config):
        built = tiny_model(config)
        torch.rand(100)
        return built

    run("plain", model=component("model", "m", tiny_model), trainer=component("trainer", "t", draws))
    run("greedy", model=component("model", "m", greedy), trainer=component("trainer", "t", draws))
    assert drawn[0] == drawn[1]


def test_another_seed_gives_other_weights(run, tmp_path):
    run("one")
    run("two", seed=1)
    name = "model/model.safetensors"
    assert (tmp_path / "one" / name).read_bytes() != (tmp_path / "two" / name).read_bytes()


def test_plugins_see_the_whole_life_of_a_run(run):
    recorder = Recorder()
    trainer = component("trainer", "functional", FUNCTIONAL.factory, epochs=1, batch_size=20, log_steps=1, threads=1)
    run(callbacks=[recorder], trainer=trainer)
    assert recorder.names() == [
        "on_run_start",
        "on_train_start",
        *["on_step", "on_log"] * 2,
        *["on_log", "on_evaluate"],
        "on_train_end",
        *["on_log", "on_evaluate"],
        "on_run_end",
    ]
    assert recorder.events[0][1]["status"] == "running"
    assert recorder.events[0][1]["data"]
    assert recorder.events[-1][1]["status"] == "completed"
    assert recorder.events[-2][2] == "test"


def test_the_best_weights_are_those_measured_and_exported(run, tmp_path):
    values = iter([0.0, 0.9, 0.1, 0.2, 0.3, 0.7])  # the first when the metric is tried out
    score = component("metric", "score", lambda predictions, labels: next(values))
    final = run(metrics=(score,))
    assert final["best"] == {"step": 5, "value": 0.9}
    assert final["metrics"] == {"score": 0.7}
    best, exported = (tmp_path / "run" / name for name in ("checkpoints/best", "model"))
    from safetensors.torch import load_file

    kept, out = load_file(best / "model.safetensors"), load_file(exported / "model.safetensors")
    assert all(torch.equal(kept[name], out[name]) for name in kept)


def test_without_test_records_the_validation_records_are_the_final_ones(run, tmp_path):
    final = run(files=("train", "validation"))
    assert final["metric_info"]["accuracy"]["split"] == "validation"
    steps = [line["step"] for line in lines(tmp_path / "run") if "validation/accuracy" in line]
    assert steps == sorted(set(steps))


def test_what_the_validation_records_gave_is_told_once(run):
    values = iter([0.9, 0.9, 0.1, 0.1, 0.2, 0.2, 0.3, 0.3, 0.7, 0.7])
    score = component("metric", "score", lambda predictions, labels: next(values))
    recorder = Recorder()
    run(metrics=(score,), files=("train", "validation"), callbacks=[recorder])
    told = [event[1:] for event in recorder.events if event[0] == "on_evaluate"]
    assert len({step for step, *_ in told}) == len(told) == 4


def test_metrics_that_nothing_can_be_measured_on_are_a_warning(run, caplog):
    run(files=("train",))
    (told,) = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert told.startswith("not measured: accuracy, f1, for there are no validation or test records; set data.valid")
    caplog.clear()
    run("none", files=("train",), metrics=())
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


def test_a_fraction_set_aside_serves_as_validation_records(run, tmp_path):
    parts = assembly(tmp_path)
    final = run(data=replace(parts.data, validation=(), test=(), validation_fraction=0.3))
    told = final["data"]
    assert told["train"]["records"] + told["validation"]["records"] == 40
    assert (told["train"]["fraction"], told["validation"]["fraction"]) == (0.7, 0.3)


def test_without_any_other_records_the_trainer_s_own_metrics_are_those_of_the_run(run):
    final = run(files=("train",), trainer=LOSS_ONLY, objective="own")
    assert final["metrics"] == {"own": 0.25}
    assert final["metric_info"]["own"]["split"] == "train"
    assert final["objective"] == {"name": "own", "value": 0.25, "greater_is_better": None}


def test_the_trainer_s_own_metrics_stand_after_the_run_s(run):
    final = run(trainer=LOSS_ONLY)
    assert list(final["metrics"]) == ["accuracy", "f1", "own"]


def test_a_run_without_metrics_completes(run):
    final = run(metrics=(), files=("train",))
    assert final["status"] == "completed"
    assert final["metrics"] == {}
    assert final["objective"] is None


def test_threads_are_set_and_recorded(run):
    before = torch.get_num_threads()
    try:
        final = run(trainer=component("trainer", "t", lambda context, **o: None, threads=2))
        assert final["threads"] == torch.get_num_threads() == 2
        final = run(trainer=component("trainer", "t", lambda context, **o: None, threads=None))
        assert final["threads"] == len(os.sched_getaffinity(0))
        with pytest.raises(ConfigError, match=r"trainer\.threads"):
            run(trainer=component("trainer", "t", lambda context, **o: None, threads=0))
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    "result", [3, ["loss"], {"metrics": [1]}, {"metrics": {"a": "high"}}, {"metrics": {"a": True}}]
)
def test_a_trainer_that_returns_something_else_is_told(run, tmp_path, result):
    with pytest.raises(CodexError, match=r"trainer=t \(tiny-plugin 1\.2\) returned"):
        run(trainer=component("trainer", "t", lambda context: result))
    assert read(tmp_path / "run")["status"] == "failed"


def test_an_error_of_the_user_s_is_recorded_as_it_is_told(run, tmp_path):
    recorder = Recorder()
    model = component("model", "short", lambda config: (TinyModel(3, 2), make_tokenizer()))
    with pytest.raises(CodexError, match="embedding of 3 rows") as told:
        run(model=model, callbacks=[recorder])
    final = read(tmp_path / "run")
    assert final["status"] == "failed"
    assert final["error"] == {"type": "ModelError", "message": str(told.value)}
    assert recorder.names() == ["on_run_start", "on_run_end"]


def exploding(context):
    context.begin(3)
    raise ZeroDivisionError("boom")


def test_any_other_exception_names_the_component_and_leaves_its_traceback_in_the_log(run, tmp_path, capfd):
    recorder = Recorder()
    with pytest.raises(
        CodexError, match=r"trainer=t \(tiny-plugin 1\.2\): ZeroDivisionError: boom \(the traceback"
    ) as caught:
        run(trainer=component("trainer", "t", exploding), callbacks=[recorder])
    assert str(caught.value).endswith(f"is in {tmp_path}/run/run.log)")
    final = read(tmp_path / "run")
    assert final["status"] == "failed"
    assert final["error"]["type"] == "ZeroDivisionError"
    assert final["task_state"]
    assert final["data"]["train"]["records"] == 40
    log = (tmp_path / "run" / "run.log").read_text()
    assert "Traceback" in log
    assert "in exploding" in log
    assert "Traceback" not in "".join(capfd.readouterr())
    assert recorder.names() == ["on_run_start", "on_train_start", "on_train_end", "on_run_end"]


class Broken(TinyModel):
    """Fails as soon as it is trained, and not in the trial before."""

    def forward(self, input_ids, attention_mask):
        if self.training:
            raise ZeroDivisionError("no heads")
        return super().forward(input_ids, attention_mask)


def broken(config):
    return Broken(len(make_tokenizer()), config["head"]["num_labels"]), make_tokenizer()


def mismatched(config):
    model, tokenizer = broken(config)
    model.training_only = torch.nn.Linear(3, 3)
    model.forward = lambda input_ids, attention_mask: (
        model.training_only(torch.ones(2)) if model.training else TinyModel.forward(model, input_ids, attention_mask)
    )
    return model, tokenizer


@pytest.mark.parametrize(("factory", "told"), [(broken, "ZeroDivisionError: no heads"), (mismatched, "RuntimeError: ")])
def test_a_model_that_fails_in_the_trainer_s_hands_is_the_one_named(run, factory, told):
    model = component("model", "b", factory)
    # The functional trainer lies in a module of its own, as it does when it is installed.
    entry = replace(FUNCTIONAL.entry, target="codex_ml.trainers.functional:functional")
    with pytest.raises(CodexError, match=rf"^model=b \(tiny-plugin 1\.2\): {told}"):
        run(model=model, trainer=replace(FUNCTIONAL, entry=entry))


def test_a_component_that_calls_exit_fails_the_run_like_any_other(run, tmp_path):
    with pytest.raises(CodexError, match=r"trainer=t .*SystemExit"):
        run(trainer=component("trainer", "t", lambda context: sys.exit(0)))
    assert read(tmp_path / "run")["status"] == "failed"


def test_a_plugin_that_fails_at_the_very_end_still_fails_the_run(run, tmp_path):
    class Late:
        def __init__(self):
            self.calls = 0

        def on_run_end(self, final):
            self.calls += 1
            raise OSError("no server")

    late = Late()
    with pytest.raises(CodexError, match=r"plugin=late .*no server"):
        run(plugins=(component("plugin", "late", lambda: late),))
    assert read(tmp_path / "run")["status"] == "failed"
    assert late.calls == 1


def test_a_file_that_vanished_is_told_and_recorded(run, tmp_path):
    parts = assembly(tmp_path)
    with pytest.raises(DataError, match=r"gone\.jsonl"):
        run(data=replace(parts.data, test=(tmp_path / "gone.jsonl",)))
    assert read(tmp_path / "run")["status"] == "failed"


def test_a_task_that_cannot_be_built_is_told_and_recorded(run, tmp_path):
    with pytest.raises(CodexError, match=r"task=broken .*ZeroDivisionError"):
        run(task=component("task", "broken", lambda: 1 / 0))
    assert read(tmp_path / "run")["status"] == "failed"


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    with pytest.raises(CodexError, match=r"run\.json"):
        execute(assembly(tmp_path), folder=tmp_path / "nowhere", run_id="x")


def test_data_that_change_before_they_are_read_fail_the_run(run, tmp_path, monkeypatch):
    from codex_ml.launch import execute as module

    original = module.RunContext

    def late(*arguments, **options):
        path = tmp_path / "test.jsonl"
        path.write_text(path.read_text() * 2)
        return original(*arguments, **options)

    monkeypatch.setattr(module, "RunContext", late)
    with pytest.raises(DataError, match=r"test\.jsonl changed while the run read it"):
        run()
    assert read(tmp_path / "run")["status"] == "failed"


def test_what_changed_while_it_was_tokenised_is_not_kept(run, tmp_path):
    path = tmp_path / "train.jsonl"

    class Slow(Classification):
        def examples(self, records, tokenizer, *, train):
            for number, example in enumerate(super().examples(records, tokenizer, train=train)):
                if train and number == 5:
                    path.write_text(path.read_text() + "\n")
                yield example

    with pytest.raises(DataError, match=r"train\.jsonl changed while the train split was read"):
        run(task=component("task", "slow", Slow, max_length=16))
