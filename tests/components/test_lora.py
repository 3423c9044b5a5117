from __future__ import annotations

import copy
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import transformers
from tiny_models import (
    CAUSAL,
    CLASSES,
    MASKED,
    PAIRS,
    SIZES,
    VOCABULARY,
    WIDE,
    batch,
    build,
    config,
    lively,
    load,
    logits,
)

from codex_ml.launch.export import read_weights, write_weights
from codex_ml.models.lora import Lora, read_lora

AUTO = {
    "sequence_classification": transformers.AutoModelForSequenceClassification,
    "masked_lm": transformers.AutoModelForMaskedLM,
    "causal_lm": transformers.AutoModelForCausalLM,
}
LORA = {"r": 4, "alpha": 32}
every_pair = pytest.mark.parametrize(("name", "head"), PAIRS, ids=[f"{name}-{head['kind']}" for name, head in PAIRS])


def adapted(name, head, *, seed=0, **lora):
    return lively(build(name, head, seed=seed, lora={**LORA, **lora}))


def train(model, steps=3):
    """A few steps that move every weight that may be moved."""
    weights = [each for each in model.parameters() if each.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=0.05)
    model.train()
    for _ in range(steps):
        optimizer.zero_grad()
        model(**batch([[3, 4, 5, 6, 7], [8, 9]])).logits.float().pow(2).mean().backward()
        optimizer.step()
    return model


def trained(model):
    return {name for name, value in model.named_parameters() if value.requires_grad}


@every_pair
def test_only_the_adapters_and_the_head_are_trained(name, head):
    model = adapted(name, head)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    train(model)
    moved = {key for key, value in model.state_dict().items() if not torch.equal(value, before[key])}
    adapters = {key for key in before if ".lora_" in key}
    heads = {"classifier.weight", "classifier.bias", "score.weight"} | {key for key in before if key.startswith("cls.")}
    assert adapters <= moved <= adapters | heads
    assert bool(moved & heads) == (head is not CAUSAL)
    assert moved == trained(model) | (moved - {name for name, _ in model.named_parameters()})


@every_pair
def test_what_is_saved_is_a_plain_model_that_gives_the_same_logits(name, head, tmp_path):
    model = train(adapted(name, head))
    expected = logits(model)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    model.save_pretrained(tmp_path)
    plain = AUTO[head["kind"]].from_pretrained(tmp_path)
    assert type(plain) is type(model)
    assert not any("lora" in key or "base_layer" in key for key in plain.state_dict())
    assert torch.allclose(logits(plain), expected, atol=1e-4 * float(expected.abs().max()))
    assert sorted(path.name for path in tmp_path.iterdir() if "adapter" in path.name) == []
    again, _ = load(name, tmp_path, head)
    assert torch.equal(logits(again), logits(plain))
    # Training goes on as if nothing had been saved.
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert torch.equal(logits(model), expected)
    assert trained(model)
    train(model)
    assert not torch.equal(logits(model), expected)


def test_it_loads_where_peft_is_missing(tmp_path):
    train(adapted("gpt2", CAUSAL)).save_pretrained(tmp_path)
    code = (
        "import sys; sys.modules['peft'] = None\n"
        f"from transformers import AutoModelForCausalLM as A\nA.from_pretrained({str(tmp_path)!r})\nprint('loaded')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "loaded\n", done.stderr


@every_pair
def test_the_best_weights_are_restored(name, head, tmp_path):
    model = train(adapted(name, head))
    expected = logits(model)
    write_weights(model, tmp_path / "best.safetensors")
    train(model)
    assert not torch.equal(logits(model), expected)
    read_weights(model, tmp_path / "best.safetensors")
    assert torch.equal(logits(model), expected)
    another = adapted(name, head, seed=1)
    read_weights(another, tmp_path / "best.safetensors")
    assert torch.equal(logits(another), expected)


@every_pair
def test_before_training_the_logits_are_those_of_the_model_alone(name, head, tmp_path):
    build(name, head).save_pretrained(tmp_path)
    plain, _ = load(name, tmp_path, head)
    model, _ = load(name, tmp_path, head, lora={})
    assert torch.equal(logits(model), logits(plain))


def test_the_same_seed_gives_the_same_adapters():
    first, second, other = (build("gpt2", CAUSAL, seed=seed, lora={}).state_dict() for seed in (3, 3, 4))
    key = "transformer.h.0.attn.c_attn.lora_A.default.weight"
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    assert not torch.equal(first[key], other[key])


def test_what_the_weights_lack_is_trained_and_a_head_they_have_is_not(tmp_path):
    build("minilm", MASKED).save_pretrained(tmp_path)
    assert not any(name.startswith("cls.") for name in trained(load("minilm", tmp_path, MASKED, lora={})[0]))
    model, _ = load("minilm", tmp_path, CLASSES, lora={})
    assert {name for name in trained(model) if ".lora_" not in name} == {
        "bert.pooler.dense.bias",
        "bert.pooler.dense.weight",
        "classifier.bias",
        "classifier.weight",
    }
    model.save_pretrained(tmp_path / "classifier")
    again, _ = load("minilm", tmp_path / "classifier", CLASSES, lora={})
    assert {name for name in trained(again) if ".lora_" not in name} == {"classifier.bias", "classifier.weight"}


@pytest.mark.parametrize(
    ("targets", "layers"),
    [
        (None, ["attn.c_attn"]),
        (["c_fc", "c_proj"], ["attn.c_proj", "mlp.c_fc", "mlp.c_proj"]),
        ("all-linear", ["attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj"]),
        (r".*\.attn\.c_.*", ["attn.c_attn", "attn.c_proj"]),
    ],
    ids=str,
)
def test_layers_are_chosen_by_name(targets, layers, tmp_path):
    model = train(adapted("gpt2", CAUSAL, target_modules=targets))
    names = sorted(name.partition(".lora_A")[0] for name in trained(model) if ".lora_A" in name)
    assert names == [f"transformer.h.{number}.{layer}" for number in range(2) for layer in layers]
    model.save_pretrained(tmp_path)
    plain, _ = load("gpt2", tmp_path)
    expected = logits(model)
    assert torch.allclose(logits(plain), expected, atol=1e-4 * float(expected.abs().max()))


@pytest.mark.parametrize("bias", ["all", "lora_only"])
def test_biases_may_be_trained_and_are_saved(bias, tmp_path):
    model = train(adapted("minilm", CLASSES, bias=bias))
    names = {name for name in trained(model) if name.endswith(".bias")} - {"classifier.bias"}
    assert any(".query.base_layer.bias" in name for name in names)
    assert any("LayerNorm" in name for name in names) == (bias == "all")
    model.save_pretrained(tmp_path)
    assert torch.allclose(logits(load("minilm", tmp_path, CLASSES)[0]), logits(model), atol=1e-4)


@pytest.mark.parametrize(("rslora", "scale"), [(False, 32 / 4), (True, 32 / 2)])
def test_the_scale_is_alpha_by_the_rank_or_its_root(rslora, scale):
    model = adapted("gpt2", CAUSAL, use_rslora=rslora)
    layer = model.transformer.h[0].attn.c_attn
    with torch.no_grad():
        layer.lora_B["default"].weight.fill_(0.5)
    down, up = layer.lora_A["default"].weight, layer.lora_B["default"].weight
    assert torch.allclose(layer.get_delta_weight("default"), scale * (up @ down).T, atol=1e-5)


def test_dropout_is_of_training_alone():
    model = train(adapted("minilm", CLASSES, dropout=0.5))
    assert torch.equal(logits(model), logits(model))
    model.train()
    model.config.hidden_dropout_prob = 0.0
    for each in model.modules():
        if isinstance(each, torch.nn.Dropout) and each.p != 0.5:
            each.p = 0.0
    inputs = batch([[3, 4, 5]])
    assert not torch.equal(model(**inputs).logits, model(**inputs).logits)


@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_adapters_are_of_the_model_s_type(dtype):
    model = build("gpt2", CAUSAL, lora={}, dtype=dtype)
    assert {str(value.dtype) for value in model.parameters()} == {f"torch.{dtype}"}


def test_an_untied_head_is_new_and_trained(tmp_path):
    made = transformers.LlamaConfig(**WIDE, intermediate_size=48, vocab_size=VOCABULARY, num_key_value_heads=2)
    transformers.AutoModelForCausalLM.from_config(made).save_pretrained(tmp_path / "whole")
    assert "lm_head.weight" not in trained(load("gpt2", tmp_path / "whole", lora={})[0])
    transformers.AutoModel.from_config(made).save_pretrained(tmp_path / "body")
    model, _ = load("gpt2", tmp_path / "body", lora={})
    assert "lm_head.weight" in trained(model)
    train(model).save_pretrained(tmp_path / "saved")
    assert torch.allclose(logits(load("gpt2", tmp_path / "saved")[0]), logits(model), atol=1e-4)


def test_an_untied_embedding_and_head_may_have_adapters(tmp_path):
    untied = {**SIZES["gpt2"], "tie_word_embeddings": False}
    lora = {**LORA, "target_modules": ["wte", "lm_head"]}
    model = train(lively(build("gpt2", CAUSAL, config=untied, lora=lora)))
    model.save_pretrained(tmp_path)
    plain, _ = load("gpt2", tmp_path)
    assert plain.lm_head.weight is not plain.transformer.wte.weight
    expected = logits(model)
    assert torch.allclose(logits(plain), expected, atol=1e-4 * float(expected.abs().max()))


def test_a_copy_saves_itself(tmp_path):
    model = adapted("gpt2", CAUSAL)
    other = train(copy.deepcopy(model))
    other.save_pretrained(tmp_path)
    expected = logits(other)
    assert torch.allclose(logits(load("gpt2", tmp_path)[0]), expected, atol=1e-4 * float(expected.abs().max()))


def test_a_layer_that_shares_its_weights_is_refused():
    for target in ("lm_head", "wte"):
        with pytest.raises(ValueError, match=rf"model\.lora\.target_modules: .*{target} shares its weights"):
            build("gpt2", CAUSAL, lora={"target_modules": [target]})


def test_layers_that_are_not_there_are_named():
    with pytest.raises(ValueError, match=r"model\.lora\.target_modules: .*query.* not found"):
        build("gpt2", CAUSAL, lora={"target_modules": ["query"]})


def test_an_architecture_without_usual_layers_tells_those_it_has(tmp_path):
    transformers.CONFIG_MAPPING["mpnet"](**WIDE, intermediate_size=48).save_pretrained(tmp_path)
    told = r"model\.lora\.target_modules: peft knows no usual layers of a mpnet model; .*dense, k, o, out_proj, q, v, "
    with pytest.raises(ValueError, match=told):
        load("minilm", tmp_path, CLASSES, pretrained=False, lora={})


def test_nothing_is_printed(capfd):
    for name, head in PAIRS:
        build(name, head, lora={"target_modules": "all-linear"})
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("lora", "message"),
    [
        (8, r"model\.lora must be null or a mapping of r, alpha, dropout, target_modules, bias, use_rslora, not 8"),
        ({"rank": 8}, r"model\.lora has no setting rank: it has r, alpha"),
        ({"r": 0}, r"model\.lora\.r must be a whole number, 1 or more, not 0"),
        ({"r": 1.5}, r"model\.lora\.r must"),
        ({"r": True}, r"model\.lora\.r must"),
        ({"alpha": 0}, r"model\.lora\.alpha must be a number above 0"),
        ({"alpha": float("nan")}, r"model\.lora\.alpha must"),
        ({"dropout": 1}, r"model\.lora\.dropout must be a number from 0 to below 1"),
        ({"dropout": "x"}, r"model\.lora\.dropout must"),
        ({"target_modules": []}, r"model\.lora\.target_modules must be a list"),
        ({"target_modules": ""}, r"model\.lora\.target_modules must"),
        ({"target_modules": [1]}, r"model\.lora\.target_modules must"),
        ({"target_modules": {"a": 1}}, r"model\.lora\.target_modules must"),
        ({"bias": "some"}, r"model\.lora\.bias must be none, all, lora_only"),
        ({"use_rslora": "no"}, r"model\.lora\.use_rslora must be true or false"),
    ],
    ids=str,
)
def test_a_wrong_setting_is_named(lora, message):
    with pytest.raises(ValueError, match=message):
        build("gpt2", CAUSAL, lora=lora)


def test_nothing_is_asked_for_by_null_and_the_defaults_by_an_empty_mapping():
    assert read_lora(None) is None
    assert read_lora({}) == Lora(8, 16, 0.0, None, "none", False)
    assert read_lora({"target_modules": ["a", "b"]}) == Lora(target_modules=("a", "b"))
    assert not any("lora" in name for name in build("gpt2").state_dict())


def test_without_peft_the_extra_is_named():
    code = (
        "import sys; sys.modules['peft'] = None\n"
        f"from codex_ml.models.gpt2 import gpt2\ngpt2({config('gpt2', lora={})!r})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: model.lora needs peft")
    assert "pip install 'codex-ml[lora]'" in last


def test_the_exported_folder_holds_no_more_than_any_other(tmp_path):
    build("gpt2").save_pretrained(tmp_path / "plain")
    build("gpt2", lora={}).save_pretrained(tmp_path / "adapted")
    names = [sorted(path.name for path in Path(tmp_path / each).iterdir()) for each in ("plain", "adapted")]
    assert names[0] == names[1]
    sizes = [(tmp_path / each / "model.safetensors").stat().st_size for each in ("plain", "adapted")]
    assert sizes[0] == sizes[1]
