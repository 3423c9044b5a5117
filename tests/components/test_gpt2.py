from __future__ import annotations

import copy
import pickle

import pytest
import torch
import transformers
from tiny_models import (
    CAUSAL,
    CLASSES,
    PADDING,
    ROWS,
    SIZES,
    VOCABULARY,
    WIDE,
    batch,
    build,
    lively,
    load,
    logits,
    tokenizer,
)

from codex_ml.models.gpt2 import FAMILY, gpt2

# What an architecture needs besides to be made small.
MORE = {
    "gpt_neo": {"attention_types": [[["global", "local"], 1]]},
    "gptj": {"rotary_dim": 4},
    "stablelm": {"partial_rotary_factor": 0.5},
}


def small(kind):
    """The config of a model type in a small size."""
    made = transformers.CONFIG_MAPPING[kind]
    own = made()
    more = MORE.get(kind, {})
    if hasattr(own, "num_key_value_heads"):
        more = {**more, "num_key_value_heads": 2}
    if hasattr(own, "head_dim") and kind not in ("gptj", "falcon"):
        more = {**more, "head_dim": 12}
    return made(**WIDE, intermediate_size=48, **more)


def of_tokens(output, inputs):
    """Logits without those of padding, where each token has some."""
    return output[inputs["attention_mask"].bool()] if output.ndim == 3 else output


@pytest.mark.parametrize("head", [CAUSAL, CLASSES], ids=["causal_lm", "sequence_classification"])
@pytest.mark.parametrize("kind", FAMILY.types)
def test_every_type_that_is_taken_gives_the_same_logits_however_it_is_padded(kind, head, tmp_path):
    small(kind).save_pretrained(tmp_path)
    head = {**head, "vocab_size": VOCABULARY, "pad_token_id": PADDING}
    torch.manual_seed(0)
    model = lively(gpt2({"model_name": str(tmp_path), "pretrained": False, "head": head})[0])
    alone = [logits(model, batch([row])) for row in ROWS]
    expected = torch.cat([each[0] if each.ndim == 3 else each for each in alone])
    tolerance = 1e-5 * float(expected.abs().max())
    for left in (False, True):
        for extra in (0, 5):
            inputs = batch(ROWS, left=left, extra=extra)
            assert torch.allclose(of_tokens(logits(model, inputs), inputs), expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("kind", FAMILY.types)
def test_every_type_that_is_taken_is_a_plain_decoder_of_text(kind):
    config = transformers.CONFIG_MAPPING[kind]
    assert transformers.MODEL_FOR_CAUSAL_LM_MAPPING[config].main_input_name == "input_ids"
    assert config in transformers.MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING
    assert not config.sub_configs


def test_padding_is_told_by_the_mask_and_not_by_the_id():
    model = lively(build("gpt2", CLASSES))
    expected = logits(model, batch(ROWS))
    for padding in (0, 50, 99):
        for left in (False, True):
            assert torch.allclose(logits(model, batch(ROWS, left=left, padding=padding)), expected, atol=1e-5)


def test_padding_on_the_left_equals_what_transformers_gives_when_told_the_positions(tmp_path):
    build("gpt2").save_pretrained(tmp_path)
    reference = transformers.AutoModelForCausalLM.from_pretrained(tmp_path)
    inputs = batch(ROWS, left=True)
    positions = (inputs["attention_mask"].cumsum(-1) - 1).clamp(min=0)
    expected = logits(reference, {**inputs, "position_ids": positions})
    model, _ = load("gpt2", tmp_path)
    assert torch.equal(logits(model, inputs), expected)
    assert not torch.allclose(of_tokens(logits(reference, inputs), inputs), of_tokens(expected, inputs), atol=1e-3)


def test_positions_that_are_given_stay():
    model = lively(build("gpt2"))
    inputs = batch(ROWS)
    other = {**inputs, "position_ids": torch.full_like(inputs["input_ids"], 3)}
    assert not torch.allclose(logits(model, other), logits(model, inputs))


def test_a_text_goes_on_as_it_would_alone():
    model = lively(build("gpt2"))
    model.eval()
    options = {"max_new_tokens": 6, "do_sample": False, "eos_token_id": None}
    alone = [model.generate(**batch([row]), **options)[0, len(row) :].tolist() for row in ROWS]
    inputs = batch(ROWS, left=True, extra=3)
    assert model.generate(**inputs, **options)[:, inputs["input_ids"].shape[1] :].tolist() == alone
    cache = [model.generate(**inputs, **options, use_cache=use)[:, -6:].tolist() for use in (True, False)]
    assert cache[0] == cache[1]


def test_a_classifier_takes_batches_and_what_is_saved_takes_the_same(tmp_path):
    model = lively(build("gpt2", {**CLASSES, "pad_token_id": 7}))
    assert model.config.pad_token_id == 7
    model.save_pretrained(tmp_path)
    reference = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path)
    inputs = batch(ROWS, padding=7)
    assert torch.equal(logits(reference, inputs), logits(model, inputs))


def test_what_a_named_tokenizer_pads_with_is_learnt_from_the_first_padding(tmp_path):
    head = {**CLASSES, "vocab_size": VOCABULARY}
    model = lively(gpt2({"pretrained": False, "config": SIZES["gpt2"], "head": head})[0])
    inputs = batch(ROWS, padding=8, left=True)
    logits(model, batch([[3, 4]]))
    expected = logits(model, inputs)
    logits(model, batch(ROWS, padding=50))
    assert model.config.pad_token_id == 8
    model.save_pretrained(tmp_path)
    reference = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path)
    rows = [row for row in ROWS if row != [8]]
    assert torch.equal(logits(reference, batch(rows, padding=8)), logits(model, batch(rows, padding=8)))
    assert torch.allclose(logits(model, batch(rows, padding=8)), expected[[0, 2]], atol=1e-5)


def test_the_end_pads_where_nothing_else_does(tmp_path):
    build("gpt2", CLASSES).save_pretrained(tmp_path)
    own = tokenizer()
    assert own.pad_token is None
    own.save_pretrained(tmp_path)
    model, own = load("gpt2", tmp_path, CLASSES)
    assert own.pad_token == own.eos_token == "<end>"
    assert model.config.pad_token_id == own.eos_token_id
    texts = ["ab", "abcdef"]
    padded = logits(model, own(texts, padding=True, return_tensors="pt"))
    assert torch.allclose(padded[:1], logits(model, own(texts[:1], return_tensors="pt")), atol=1e-6)
    causal, _ = load("gpt2", tmp_path, CAUSAL)
    assert causal.generation_config.pad_token_id == own.eos_token_id


def test_padding_of_its_own_is_kept(tmp_path):
    build("gpt2", CLASSES).save_pretrained(tmp_path)
    tokenizer(pad_token="<pad>").save_pretrained(tmp_path)
    model, own = load("gpt2", tmp_path, CLASSES)
    assert own.pad_token == "<pad>"
    assert model.config.pad_token_id == own.pad_token_id


def test_where_generation_ends_may_stand_in_a_file_of_its_own(tmp_path):
    build("gpt2").save_pretrained(tmp_path)
    transformers.GenerationConfig(eos_token_id=[3, 4], temperature=0.1, do_sample=True).save_pretrained(tmp_path)
    model, _ = load("gpt2", tmp_path)
    assert model.generation_config.eos_token_id == [3, 4]
    # How to draw tokens is the task's choice.
    assert not model.generation_config.do_sample


def test_it_can_be_copied_and_pickled():
    model = lively(build("gpt2", CLASSES))
    inputs = batch(ROWS, left=True)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(logits(other, inputs), logits(model, inputs))


def test_without_a_tokenizer_s_ids_none_lies_outside_its_vocabulary():
    model, _ = gpt2({"pretrained": False, "config": SIZES["gpt2"], "head": {**CLASSES, "vocab_size": 50}})
    assert (model.config.bos_token_id, model.config.eos_token_id) == (None, None)
    assert model.config.pad_token_id < 50
    assert logits(model, batch([[1, 2], [3]])).shape == (2, 2)


def test_an_encoder_is_refused(tmp_path):
    build("bert_base_uncased").save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"model_type 'bert'; gpt2 takes decoders of text: arcee, .*starcoder2"):
        load("gpt2", tmp_path)


def test_the_default_architecture_is_gpt2():
    model, own = gpt2({"pretrained": False, "device": "meta", "head": CAUSAL})
    assert own is None
    assert sum(value.numel() for value in model.parameters()) == 124_439_808
    assert model.lm_head.weight is model.transformer.wte.weight
