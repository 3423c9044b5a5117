from __future__ import annotations

import pytest
import torch
import transformers
from tiny_models import CLASSES, MASKED, PADDING, ROWS, SIZES, VOCABULARY, batch, build, lively, load, logits

from codex_ml.models.bert_base_uncased import FAMILY, bert_base_uncased
from codex_ml.models.heads import Head
from codex_ml.models.loading import make_new
from codex_ml.models.sources import Source


def test_the_default_architecture_is_bert_base():
    model, tokenizer = bert_base_uncased({"pretrained": False, "device": "meta", "head": MASKED})
    assert tokenizer is None
    # Without the pooler, which a masked-token head has no use for.
    assert sum(value.numel() for value in model.parameters()) == 109_514_298
    assert model.cls.predictions.decoder.weight is model.bert.embeddings.word_embeddings.weight


def test_the_default_classifier_is_bert_base_s():
    model, _ = bert_base_uncased({"pretrained": False, "device": "meta", "head": CLASSES})
    assert sum(value.numel() for value in model.parameters()) == 109_483_778


def test_masked_tokens_get_logits_over_the_vocabulary():
    model = build("bert_base_uncased", {**MASKED, "vocab_size": 77})
    assert logits(model, batch([[1, 2, 3], [4]])).shape == (2, 3, 77)


@pytest.mark.parametrize("head", [MASKED, CLASSES], ids=["masked_lm", "sequence_classification"])
def test_padding_changes_no_logits(head):
    model = lively(build("bert_base_uncased", head))
    inputs, longer = batch(ROWS), batch(ROWS, extra=6)
    plain, padded = logits(model, inputs), logits(model, longer)
    if plain.ndim == 3:
        plain, padded = plain[inputs["attention_mask"].bool()], padded[longer["attention_mask"].bool()]
    assert torch.allclose(plain, padded, atol=1e-4)


def test_a_masked_token_model_becomes_a_classifier_and_back(tmp_path):
    masked = build("bert_base_uncased", MASKED)
    masked.save_pretrained(tmp_path / "masked")
    classifier, _ = load("bert_base_uncased", tmp_path / "masked", CLASSES)
    assert classifier.config.id2label == {0: "no", 1: "yes"}
    classifier.save_pretrained(tmp_path / "classifier")
    again, _ = load("bert_base_uncased", tmp_path / "classifier", MASKED)
    key = "bert.encoder.layer.1.output.dense.weight"
    for model in (classifier, again):
        assert torch.equal(model.state_dict()[key], masked.state_dict()[key])


# What an architecture needs besides to be made small.
MORE = {
    "deberta": {"pooler_hidden_size": 24},
    "deberta-v2": {"pooler_hidden_size": 24},
    "mobilebert": {"embedding_size": 12, "true_hidden_size": 12, "intra_bottleneck_size": 12},
    "squeezebert": {"embedding_size": 24},
}


def small(kind, folder):
    """Writes the config of a model type in a small size."""
    transformers.CONFIG_MAPPING[kind](**{**SIZES["minilm"], **MORE.get(kind, {})}).save_pretrained(folder)


@pytest.mark.parametrize("kind", FAMILY.types)
def test_every_type_that_is_taken_gives_the_same_logits_however_far_it_is_padded(kind, tmp_path):
    small(kind, tmp_path)
    for head in (CLASSES, MASKED):
        wanted = {**head, "vocab_size": VOCABULARY, "pad_token_id": PADDING}
        torch.manual_seed(0)
        model = lively(load("bert_base_uncased", tmp_path, wanted, pretrained=False)[0])
        inputs, longer = batch(ROWS), batch(ROWS, extra=5)
        plain, padded = logits(model, inputs), logits(model, longer)
        if plain.ndim == 3:
            plain, padded = plain[inputs["attention_mask"].bool()], padded[longer["attention_mask"].bool()]
        assert torch.allclose(plain, padded, rtol=0, atol=1e-5 * float(plain.abs().max()))


@pytest.mark.parametrize("kind", ["convbert", "fnet", "funnel", "nystromformer", "xlnet", "xmod"])
def test_a_type_that_minds_padding_or_needs_more_than_text_is_refused(kind, tmp_path):
    transformers.CONFIG_MAPPING[kind]().save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=f"has the model_type '{kind}'; bert_base_uncased takes encoders of text: "):
        load("bert_base_uncased", tmp_path, CLASSES)


def test_a_head_that_transformers_does_not_have_for_a_type_is_named():
    with pytest.raises(ValueError, match=r"model\.model_name: transformers has no xlnet model with the head masked_lm"):
        make_new(Source("some/xlnet"), Head("masked_lm"), transformers.XLNetConfig(), torch.float32)


@pytest.mark.parametrize("pad", [{}, {"pad_token_id": PADDING}], ids=["untold", "told"])
@pytest.mark.parametrize("kind", FAMILY.types)
def test_every_type_that_is_taken_gets_the_named_tokenizer_s_vocabulary(kind, pad, tmp_path):
    small(kind, tmp_path)
    rows = batch([[11, 12, 13], [14]])
    for head in (CLASSES, MASKED):
        wanted = {**head, "vocab_size": 77, **pad}
        model, _ = load("bert_base_uncased", tmp_path, wanted, pretrained=False)
        assert logits(model, rows).shape == ((2, 2) if head is CLASSES else (2, 3, 77))
        model.save_pretrained(tmp_path / head["kind"])
        again, _ = load("bert_base_uncased", tmp_path / head["kind"], head)
        assert torch.equal(logits(again, rows), logits(model, rows))


def test_the_loss_of_a_step_falls():
    model = lively(build("bert_base_uncased", MASKED)).train()
    inputs = batch(ROWS)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    torch.manual_seed(0)
    losses = []
    for _ in range(20):
        loss = model(**inputs, labels=inputs["input_ids"]).loss
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[-1] < 0.5 * losses[0]
