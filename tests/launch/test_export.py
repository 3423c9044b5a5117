import json
import os

import pytest
import torch
from safetensors.torch import load_file
from tiny_run import TinyModel, assembly, make_tokenizer

from codex_ml.errors import CodexError, ModelError
from codex_ml.launch.export import WEIGHTS_FILE, export, read_weights, write_weights


def test_weights_survive_a_round_trip(tmp_path):
    one, other = TinyModel(5, 2), TinyModel(5, 2)
    write_weights(one, tmp_path / "new" / "w.safetensors")
    read_weights(other, tmp_path / "new" / "w.safetensors")
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    assert os.listdir(tmp_path / "new") == ["w.safetensors"]


def test_shared_and_transposed_weights_survive_too(tmp_path):
    class Tied(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.a = torch.nn.Linear(3, 3)
            self.b = torch.nn.Linear(3, 3)
            self.b.weight = self.a.weight
            self.register_buffer("view", torch.arange(6.0).reshape(2, 3).t())

    one, other = Tied(), Tied()
    write_weights(one, tmp_path / "w.safetensors")
    read_weights(other, tmp_path / "w.safetensors")
    assert other.b.weight is other.a.weight
    assert torch.equal(one.a.weight, other.a.weight)
    assert torch.equal(one.view, other.view)


def test_weights_that_cannot_be_written_leave_the_earlier_ones_whole(tmp_path, monkeypatch):
    path = tmp_path / "w.safetensors"
    write_weights(TinyModel(5, 2), path)
    before = path.read_bytes()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_weights(TinyModel(5, 2), path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["w.safetensors"]


@pytest.fixture
def parts(tmp_path):
    return {"assembly": assembly(tmp_path), "task_state": {"labels": ["a", "b"]}, "head": {"num_labels": 2}}


def test_a_plain_module_is_exported_as_weights_with_what_rebuilds_it(tmp_path, parts):
    model = TinyModel(5, 2)
    folder = export(tmp_path / "model", model=model, tokenizer=make_tokenizer(), **parts)
    assert set(load_file(folder / "model.safetensors")) == set(model.state_dict())
    told = json.loads((folder / "codex.json").read_text())
    assert told["task_state"] == {"labels": ["a", "b"]}
    assert told["head"] == {"num_labels": 2}
    assert told["task"]["name"] == "classification"
    assert told["task"]["options"] == {"max_length": 16}
    assert told["model"]["distribution"] == "tiny-plugin"
    assert told["tokenizer"] is None


def test_a_transformers_model_loads_again_from_its_folder(tmp_path, parts):
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, BertConfig

    config = BertConfig(
        vocab_size=20, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8, num_labels=3
    )
    model = AutoModelForSequenceClassification.from_config(config)
    folder = export(tmp_path / "model", model=model, tokenizer=make_tokenizer(), **parts)
    again = AutoModelForSequenceClassification.from_pretrained(folder)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))
    text = "the ball and"
    assert AutoTokenizer.from_pretrained(folder)(text).input_ids == make_tokenizer()(text).input_ids
    assert (folder / "codex.json").exists()
    assert not list(folder.glob("*.bin"))


def test_a_model_that_can_choose_is_told_to_write_no_pickle(tmp_path, parts):
    class Own:
        def save_pretrained(self, folder, safe_serialization=False):
            assert safe_serialization

    export(tmp_path / "model", model=Own(), tokenizer=None, **parts)
    assert os.listdir(tmp_path / "model") == ["codex.json"]


def test_an_export_replaces_an_earlier_one_and_a_failed_one_does_not(tmp_path, parts):
    class Broken:
        def save_pretrained(self, folder):
            raise RuntimeError("cannot")

    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "old").touch()
    with pytest.raises(CodexError, match=r"cannot export the model to .*model: RuntimeError: cannot"):
        export(tmp_path / "model", model=Broken(), tokenizer=None, **parts)
    assert os.listdir(tmp_path / "model") == ["old"]
    export(tmp_path / "model", model=TinyModel(5, 2), tokenizer=None, **parts)
    assert sorted(os.listdir(tmp_path / "model")) == ["codex.json", "model.safetensors"]
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".")]


def test_files_may_be_read_by_whoever_may_read_others(tmp_path):
    model = torch.nn.Linear(2, 2)
    write_weights(model, tmp_path / WEIGHTS_FILE)
    (tmp_path / "other").touch()
    assert (tmp_path / WEIGHTS_FILE).stat().st_mode == (tmp_path / "other").stat().st_mode


def test_the_weights_of_another_model_are_refused(tmp_path):
    write_weights(torch.nn.Linear(2, 2, bias=False), tmp_path / WEIGHTS_FILE)
    with pytest.raises(ModelError, match="another model"):
        read_weights(torch.nn.Linear(2, 2), tmp_path / WEIGHTS_FILE)
