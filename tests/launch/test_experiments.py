"""Every shipped experiment is sound, and one for each task is really run, in a size that takes seconds."""

import json
import math
from pathlib import Path

import pytest
import yaml

from codex_ml import registries

SHIPPED = sorted(Path(__file__).parents[2].joinpath("conf", "experiment").glob("*.yaml"))

# What makes each small, and what its record must say: the task, the model, and the range of each metric.
TINY = {
    "bbc_news": (
        ["data.limit=40", "task.max_length=16", "trainer.max_steps=10", "trainer.lr=1e-3", "trainer.batch_size=8"],
        ("classification", "minilm"),
        {"accuracy": (0, 1), "f1": (0, 1)},
    ),
    "bbc_lm": (
        ["data.limit=12", "task.block_size=32", "trainer.max_steps=20", "trainer.lr=3e-3", "trainer.batch_size=8"],
        ("causal_lm", "gpt2"),
        {"ppl": (1, 1e5), "token_accuracy": (0, 1)},
    ),
    "bbc_mlm": (
        ["data.limit=4", "task.block_size=32", "trainer.max_steps=10", "trainer.batch_size=8"],
        ("masked_lm", "minilm"),
        {"ppl": (1, 1e6), "token_accuracy": (0, 1)},
    ),
    "bbc_headlines": (
        ["data.limit=16", "task.max_prompt_length=16", "task.max_target_length=8", "trainer.max_steps=20"],
        ("generation", "gpt2"),
        {"rouge": (0, 1), "bleu": (0, 100)},
    ),
    "chatterbot": (
        ["data.limit=16", "task.max_prompt_length=16", "task.max_target_length=8", "trainer.max_steps=20"],
        ("generation", "gpt2"),
        {"squad_f1": (0, 1), "exact_match": (0, 1)},
    ),
    "django_de": (
        ["data.limit=16", "task.max_prompt_length=16", "task.max_target_length=8", "trainer.max_steps=20"],
        ("generation", "gpt2"),
        {"bleu": (0, 100)},
    ),
}


def test_each_experiment_says_in_its_first_lines_what_it_does():
    assert SHIPPED
    for path in SHIPPED:
        package, told, *_ = path.read_text("utf-8").splitlines()
        assert package == "# @package _global_"
        assert told.startswith("# ")
        assert told[2:3].isupper()


@pytest.mark.parametrize("name", [path.stem for path in SHIPPED])
def test_each_experiment_is_sound(codex_run, name):
    ended = codex_run(f"experiment={name}", "mode=check")
    assert (ended.code, ended.err) == (0, "")
    assert f"it would run in outputs/{name}-" in ended.out


def test_there_is_an_experiment_for_each_task():
    assert {task for _, (task, _), _ in TINY.values()} == set(registries.options("task"))


def tiny(name):
    return [f"experiment={name}", "trainer.threads=1", "trainer.epochs=1", "trainer.log_steps=1", *TINY[name][0]]


def losses_of(folder):
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text("utf-8").splitlines()]
    return [line["loss"] for line in lines if "loss" in line]


@pytest.mark.parametrize("name", TINY)
def test_an_experiment_learns_and_its_record_tells_all(codex_run, project, name):
    _, (task, model), ranges = TINY[name]
    ended = codex_run(*tiny(name))
    assert ended.code == 0, ended.err
    (folder,) = project.glob(f"outputs/{name}-*")
    record = json.loads((folder / "run.json").read_text("utf-8"))
    assert record["status"] == "completed"
    assert {kind: record["components"][kind]["name"] for kind in ("task", "model")} == {"task": task, "model": model}
    assert list(record["metrics"]) == list(ranges)
    for metric, (least, most) in ranges.items():
        value, info = record["metrics"][metric], record["metric_info"][metric]
        assert math.isfinite(value)
        assert least <= value <= most
        assert info["split"] == "test"
        assert info["signature"].startswith(metric)
        assert math.isfinite(info["standard_error"])
    losses = losses_of(folder)
    assert len(losses) >= 10
    assert sum(losses[-3:]) < 0.95 * sum(losses[:3])
    assert (folder / "model" / "model.safetensors").is_file()


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("bbc_headlines", {"prompt": "body", "target": "title"}),
        ("chatterbot", {"prompt": "question", "target": "answers"}),
        ("django_de", {"prompt": "source", "target": "references"}),
    ],
)
def test_generation_is_asked_for_what_its_prompt_does_not_hold(codex_run, name, columns):
    config = yaml.safe_load(codex_run("--cfg", "job", f"experiment={name}").out)
    assert config["data"]["columns"] == columns


def test_a_model_that_may_learn_the_answers_by_heart_gives_them(codex_run, project):
    """The whole way from the sample's file to the score, which only right texts can make so high."""
    ended = codex_run(
        "experiment=chatterbot",
        *["data.limit=6", "data.validation=${data.train}", "data.test=${data.train}"],
        *["task.max_target_length=64", "trainer.max_steps=120", "trainer.lr=3e-3", "trainer.batch_size=6"],
        *["trainer.threads=1", "trainer.eval_steps=120"],
    )
    assert ended.code == 0, ended.err
    (path,) = project.glob("outputs/chatterbot-*/run.json")
    metrics = json.loads(path.read_text("utf-8"))["metrics"]
    assert metrics["exact_match"] > 0.6
    assert metrics["squad_f1"] > 0.8
