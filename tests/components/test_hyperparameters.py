from __future__ import annotations

from codex_ml.plugins.hyperparameters import hyperparameters


def component(name, *, key=None, **options):
    return {"name": name, "key": key or name, "options": options}


def test_every_option_stands_under_its_path_in_the_config():
    record = {
        "seed": 3,
        "mode": "train",
        "threads": None,
        "data": {"train": {"paths": ["a.csv"]}, "test": {"paths": ["b.csv", "c.csv"]}},
        "components": {
            "model": component("gpt2", dtype="auto", config={"n_layer": 2, "inner": {}}),
            "tokenizer": None,
            "metric": [component("f1", key="f1_micro", average="micro"), component("accuracy")],
        },
    }
    assert hyperparameters(record) == {
        "seed": 3,
        "mode": "train",
        "data.train": "a.csv",
        "data.test": ["b.csv", "c.csv"],
        "model": "gpt2",
        "model.dtype": "auto",
        "model.config.n_layer": 2,
        "model.config.inner": {},
        "metric.f1_micro": "f1",
        "metric.f1_micro.average": "micro",
        "metric.accuracy": "accuracy",
    }


def test_what_a_plugin_was_told_is_left_out():
    secret = component("mlflow", tracking_uri="https://me:secret@example.com")
    assert hyperparameters({"components": {"plugin": [secret]}}) == {}


def test_a_record_that_has_hardly_begun_is_enough():
    assert hyperparameters({"status": "running"}) == {}
