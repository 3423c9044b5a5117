"""The kit on the trainer and the plugins that need further libraries."""

# The cases are attributes that an author fills with a list.
# ruff: noqa: RUF012

from codex_ml.testing import PluginTests, TrainerTests


class TestHfTrainer(TrainerTests):
    name = "hf_trainer"
    options = {"epochs": 2, "lr": 0.05, "threads": 1}
    bad_options = [{"lr": -1.0}, {"args": {"push_to_hub": True}}, {"precision": "fp8"}, {"save_minutes": 0}]


class TestHello(PluginTests):
    name = "hello"


class TestTensorBoard(PluginTests):
    name = "tensorboard"
    bad_options = [{"flush_seconds": 0}]


class TestMlflow(PluginTests):
    name = "mlflow"
    bad_options = [{"experiment": ""}]


class TestWandb(PluginTests):
    name = "wandb"
    bad_options = [{"mode": "loud"}]
