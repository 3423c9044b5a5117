"""`mode=evaluate` and `mode=predict`: a run's weights on other records, without learning anything."""

import json
import shutil

import pytest

from plugin_package import write_plugin

MODEL = """
from types import SimpleNamespace

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

WORDS = "[PAD] [UNK] the ball goal team chip code disk".split()


class Bag(torch.nn.Module):
    def __init__(self, labels):
        super().__init__()
        self.embedding = torch.nn.EmbeddingBag(len(WORDS), labels, mode="sum")

    def get_input_embeddings(self):
        return self.embedding

    def forward(self, input_ids, attention_mask):
        weights = attention_mask / attention_mask.sum(1, keepdim=True)
        return SimpleNamespace(logits=self.embedding(input_ids, per_sample_weights=weights))


def bag(config):
    inner = Tokenizer(models.WordLevel({word: index for index, word in enumerate(WORDS)}, unk_token="[UNK]"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, pad_token="[PAD]", unk_token="[UNK]")
    return Bag(config["head"]["num_labels"]), tokenizer
"""


@pytest.fixture
def trained(site, codex_run, records, project):
    """A run of a stranger's model in `trained/`, and how to run it again with other arguments."""
    write_plugin(site, "bags", modules={"bag_module": MODEL}, entry_points={"models": {"bag": "bag_module:bag"}})
    common = [*records, "model=bag", "plugin=[]", "trainer.epochs=20", "trainer.lr=0.5", "trainer.batch_size=4"]

    def run(*arguments):
        return codex_run(*common, *arguments)

    ended = run("hydra.run.dir=trained", "trainer.save_steps=2", "trainer.keep_last=1")
    assert ended.code == 0, ended.err
    return run


def record(folder):
    return json.loads((folder / "run.json").read_text())


def checkpoint(project):
    (found,) = (project / "trained" / "checkpoints").glob("step-*")
    return str(found.relative_to(project))


def test_a_runs_weights_give_what_the_run_gave(trained, project):
    told = record(project / "trained")
    assert told["metrics"]["accuracy"] == 1.0
    for name, weights in {"run": "trained", "export": "trained/model", "checkpoint": checkpoint(project)}.items():
        ended = trained("mode=evaluate", f"weights={weights}", f"hydra.run.dir={name}", "data.train=null")
        assert ended.code == 0, ended.err
        again = record(project / name)
        assert (again["mode"], again["status"]) == ("evaluate", "completed")
        assert again["metrics"] == told["metrics"]
        assert again["task_state"] == told["task_state"]
        assert not (project / name / "model").exists()


def test_without_weights_it_is_the_model_as_it_comes(trained, project):
    ended = trained("mode=evaluate", "hydra.run.dir=fresh")
    assert ended.code == 0, ended.err
    assert record(project / "fresh")["metrics"]["accuracy"] < 1.0


def test_other_weights_are_another_run_and_the_same_are_shown_again(trained, project):
    first = trained("mode=evaluate", "weights=trained")
    again = trained("mode=evaluate", "weights=trained")
    assert "finished before" in again.out
    assert "finished before" not in first.out
    shutil.copytree(project / "trained" / "model", project / "other")
    path = project / "other" / "codex.json"
    path.write_text(path.read_text() + " ")
    assert "finished before" not in trained("mode=evaluate", "weights=other").out


def test_predictions_are_written_for_records_without_labels(trained, project):
    lines = [{"id": "a", "text": "the goal"}, {"text": "the disk", "label": "tech"}]
    (project / "new.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    ended = trained("mode=predict", "weights=trained", "data.test=new.jsonl", "data.train=null", "hydra.run.dir=out")
    assert ended.code == 0, ended.err
    assert "2 predictions, in predictions.jsonl" in ended.out
    first, second = map(json.loads, (project / "out" / "predictions.jsonl").read_text().splitlines())
    assert first | {"score": None} == {"id": "a", "input": "the goal", "prediction": "sport", "score": None}
    assert 0.5 < first["score"] <= 1
    assert second["id"] == "new.jsonl#2"
    assert (second["prediction"], second["label"]) == ("tech", "tech")
    assert record(project / "out")["predictions"] == 2
    assert record(project / "out")["metrics"] == {}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["weights=nowhere", "mode=evaluate"], "there is no folder nowhere"),
        (["weights=trained"], "'weights' is for mode=evaluate and mode=predict, not for mode=train"),
        (["weights=.", "mode=evaluate"], "is neither a run's folder, nor a checkpoint in one, nor a model"),
        (["weights=trained", "mode=predict"], "mode=predict reads the records of 'data.test', which is not set"),
        (["weights=trained", "mode=evaluate", "data.validation=null"], "mode=evaluate measures the records of"),
    ],
)
def test_what_cannot_be_is_told(trained, arguments, told):
    ended = trained(*arguments)
    assert ended.code == 2
    assert told in ended.err


def test_weights_of_another_model_name_the_one_to_choose(trained, codex_run, records):
    ended = codex_run(*records, "mode=evaluate", "weights=trained", "model=minilm")
    assert ended.code == 2
    assert "the weights in trained/model are of task=classification model=bag: choose these" in ended.err
