import os
from dataclasses import replace

import pytest
from tiny_run import WORDS, TinyModel, assembly, component, make_tokenizer, model_of

from codex_ml.errors import CodexError
from codex_ml.launch import token_cache
from codex_ml.launch.context import RunContext
from codex_ml.tasks.classification import Classification


def count_builds(monkeypatch):
    built = []
    original = token_cache.build
    monkeypatch.setattr(token_cache, "build", lambda *arguments: built.append(1) or original(*arguments))
    return built


def test_examples_are_tokenised_once_for_the_same_content(context, tmp_path, monkeypatch):
    built = count_builds(monkeypatch)
    first = context()
    examples = list(first.train)
    os.utime(tmp_path / "train.jsonl", (1, 1))
    again = context(seed=3)
    assert list(again.train) == examples
    assert len(built) == 1
    assert again.parts.counts()["train"] == {"records": 40, "skipped": 0}


def changed_data(**changes):
    return lambda parts: replace(parts, data=replace(parts.data, **changes))


def other_task(parts):
    return replace(parts, task=replace(parts.task, options={"max_length": 3}))


def other_tokenizer(parts):
    def model(config):
        return TinyModel(50, 2), make_tokenizer(WORDS[::-1])

    return replace(parts, model=component("model", "tiny_model", model))


def other_version(parts):
    return replace(parts, task=replace(parts.task, entry=replace(parts.task.entry, version="9")))


@pytest.mark.parametrize(
    "change",
    [
        changed_data(limit=30),
        changed_data(columns={"text": "text"}),
        changed_data(validation=(), validation_fraction=0.4),
        other_task,
        other_tokenizer,
        other_version,
    ],
)
@pytest.mark.usefixtures("token_cache_folder")
def test_whatever_examples_depend_on_makes_them_anew(tmp_path, monkeypatch, change):
    built = count_builds(monkeypatch)
    parts = assembly(tmp_path)
    _ = RunContext(parts, tmp_path).train
    _ = RunContext(change(parts), tmp_path).train
    assert len(built) == 2


def test_a_slow_tokenizer_is_told_by_its_vocabulary_and_one_without_is_not_cached(context, monkeypatch):
    built = count_builds(monkeypatch)

    class Plain:
        pad_token_id = 0

        def __call__(self, texts, **options):
            return make_tokenizer()(texts, **options)

    class Slow(Plain):
        def get_vocab(self):
            return make_tokenizer().get_vocab()

    for _ in range(2):
        assert len(context(model=model_of(lambda config: (TinyModel(50, 2), Slow()))).train) == 40
    assert len(built) == 1
    assert len(context(model=model_of(lambda config: (TinyModel(50, 2), Plain()))).train) == 40
    assert len(built) == 1


def test_a_task_that_learns_no_json_is_told(context):
    class Task(Classification):
        def fit(self, records):
            super().fit(records)
            return {"labels": {1, 2}}

    with pytest.raises(CodexError, match=r"task=t \(tiny-plugin 1\.2\): .* must be JSON"):
        _ = context(task=component("task", "t", Task)).train
