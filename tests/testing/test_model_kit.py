"""ModelTests: a right model passes, each kind of wrong one fails the check that is meant for it."""

import random
from dataclasses import dataclass
from typing import Literal

import pytest

from codex_addons.component import component
from codex_ml.testing import ModelTests
from codex_ml.testing.tiny_run import tiny_tokenizer_component


def _modules():
    import torch
    from torch import nn

    class Bag(nn.Module):
        def __init__(self, rows, outputs, width=4):
            super().__init__()
            self.embedding = nn.Embedding(rows, width)
            self.dropout = nn.Dropout(0.5)
            self.head = nn.Linear(width, outputs)

        def forward(self, input_ids, attention_mask):
            weights = (attention_mask / attention_mask.sum(1, keepdim=True)).unsqueeze(-1)
            return self.head(self.dropout((self.embedding(input_ids) * weights).sum(1)))

    return torch, nn, Bag


def _built(config, kind=None, **changes):
    _, _, bag = _modules()
    head = config["head"]
    sizes = {"rows": head.get("vocab_size", 300), "outputs": head["num_labels"], **changes}
    return _converted((kind or bag)(**sizes), config)


def _converted(model, config):
    torch, _, _ = _modules()
    return model.to(getattr(torch, config.get("dtype", "float32")))


def right(config):
    """Builds a bag of words."""
    if config.get("width", 4) < 1:
        raise ValueError("width must be 1 or more")
    return _built(config, width=config.get("width", 4)), None


def with_tokenizer(config):
    """Builds a bag of words and its tokenizer."""
    return _built(config), tiny_tokenizer_component().factory({})


def model_alone(config):
    """Returns no pair."""
    return _built(config)


def tokenizer_is_a_name(config):
    """Returns the tokenizer's name."""
    return _built(config), "bert-base"


def wants_vocab_size(config):
    """Brings a tokenizer, and still asks for the size of another one."""
    return _built(config, rows=config["head"]["vocab_size"]), tiny_tokenizer_component().factory({})


def takes_from_its_config(config):
    """Changes the config."""
    config.pop("device")
    return _built(config), None


def too_many_logits(config):
    """Gives three logits for two labels."""
    return _built(config, outputs=3), None


def no_logits(config):
    """Gives a mapping without logits."""
    _, _, bag = _modules()

    class Bare(bag):
        def forward(self, input_ids, attention_mask):
            return {"hidden": super().forward(input_ids, attention_mask)}

    return _built(config, Bare), None


def not_a_number(config):
    """Divides by zero."""
    _, _, bag = _modules()

    class Wild(bag):
        def forward(self, input_ids, attention_mask):
            return super().forward(input_ids, attention_mask) / 0

    return _built(config, Wild), None


def always_drops(config):
    """Drops out in eval mode as well."""
    _, nn, bag = _modules()

    class Drops(bag):
        def forward(self, input_ids, attention_mask):
            return nn.functional.dropout(super().forward(input_ids, attention_mask), 0.5, training=True)

    return _built(config, Drops), None


def frozen(config):
    """Has no weight that can be trained."""
    model = _built(config)
    model.requires_grad_(False)
    return model, None


def draws_elsewhere(config):
    """Takes its weights from a generator of its own."""
    torch, _, _ = _modules()
    model = _built(config)
    with torch.no_grad():
        model.head.bias.fill_(random.SystemRandom().random())
    return model, None


def hides_a_weight(config):
    """Keeps a tensor that counts out of its state."""
    torch, _, bag = _modules()

    class Hides(bag):
        def __init__(self, **sizes):
            super().__init__(**sizes)
            self.secret = torch.randn(1)

        def forward(self, input_ids, attention_mask):
            return super().forward(input_ids, attention_mask) + self.secret

    return _built(config, Hides), None


def saves_badly(config):
    """Loads other weights than it saved."""
    from transformers import BertConfig, BertForSequenceClassification

    class Forgets(BertForSequenceClassification):
        def save_pretrained(self, folder, **options):
            self.__class__(self.config).config.save_pretrained(folder)
            BertForSequenceClassification(self.config).save_pretrained(folder)

    sizes = {"hidden_size": 4, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 4}
    return Forgets(BertConfig(vocab_size=300, num_labels=2, **sizes)), None


@dataclass
class Declared:
    device: str | None = None
    dtype: Literal["float32"] | None = None


@component(config=Declared)
def refuses_a_type(config):
    """Knows one type of weights."""
    if config.get("dtype", "float32") != "float32":
        raise ValueError("float32 alone")
    return _built(config).to(config["device"]), None


def two_labels_alone(config):
    """Refuses any other number of labels."""
    if config["head"]["num_labels"] != 2:
        raise ValueError("two labels, no more and no less")
    return _built(config), None


def two_labels_always(config):
    """Has two logits, whatever the task."""
    return _built(config, outputs=2), None


def float32_always(config):
    """Has weights of its own type."""
    return _built({**config, "dtype": "float32"}), None


@component(config=Declared)
def cpu_always(config):
    """Has an option `device`, and no use for it."""
    return _built(config), None


def head_on_the_cpu(config):
    """Puts a part of itself on its device; codex-run moves the rest."""
    model = _built(config)
    model.embedding.to(config["device"])
    return model, None


def sees_padding(config):
    """Ignores the attention mask."""
    torch, _, bag = _modules()

    class Sees(bag):
        def forward(self, input_ids, attention_mask):
            return super().forward(input_ids, torch.ones_like(attention_mask))

    return _built(config, Sees), None


def transformer_that_sees_padding(config):
    """Ignores the attention mask, in a model whose first logits are all near 0."""
    from transformers import BertConfig, BertForSequenceClassification

    class Sees(BertForSequenceClassification):
        def forward(self, input_ids, attention_mask):
            return super().forward(input_ids=input_ids)

    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
    return _converted(Sees(BertConfig(vocab_size=300, num_labels=config["head"]["num_labels"], **sizes)), config), None


def compares_its_batch(config):
    """Takes the mean of the batch away."""
    _, _, bag = _modules()

    class Compares(bag):
        def forward(self, input_ids, attention_mask):
            logits = super().forward(input_ids, attention_mask)
            return logits - logits.mean(0)

    return _built(config, Compares), None


def takes_anything(config):
    """Builds a model of any width."""
    return _built(config), None


def _language_model(config, averaged):
    """Gives logits over the vocabulary: for each token those of the mean of what `averaged` lets it see."""
    _, nn, _ = _modules()

    class Means(nn.Module):
        def __init__(self, rows, width=4):
            super().__init__()
            self.embedding = nn.Embedding(rows, width)
            self.head = nn.Linear(width, rows)

        def forward(self, input_ids, attention_mask):
            mask = attention_mask.unsqueeze(-1).to(self.head.weight.dtype)  # [batch, length, 1]
            hidden, count = averaged(self.embedding(input_ids) * mask), averaged(mask)
            return self.head(hidden / count.clamp(min=1))

    return _converted(Means(config["head"]["vocab_size"]), config), None


def sees_the_past(config):
    """Predicts the next token from those before it."""
    return _language_model(config, lambda values: values.cumsum(1))


def sees_the_future(config):
    """Predicts the next token from the whole text."""
    return _language_model(config, lambda values: values.sum(1, keepdim=True).expand_as(values))


def sees_one_token_ahead(config):
    """Predicts the next token from those before it and itself."""
    torch, _, _ = _modules()
    return _language_model(config, lambda values: values.cumsum(1) + torch.roll(values, -1, 1))


def hides_no_token(config):
    """Brings a tokenizer without a mask token, which masked language modelling needs."""
    tokenizer = tiny_tokenizer_component().factory({})
    tokenizer.mask_token = None
    model, _ = _language_model({**config, "head": {"vocab_size": len(tokenizer)}}, lambda values: values.cumsum(1))
    return model, tokenizer


PAIR, LOGITS, SEED = (
    "it_returns_a_model_and_a_tokenizer_or_none",
    "its_logits_fit",
    "the_same_seed_gives_the_same_weights",
)
LABELS, PADDED, BATCH = (
    "its_logits_are_as_many_as_the_labels",
    "padding_changes_no_logits",
    "its_logits_depend_on_their_own_text_alone",
)
TYPE, DEVICE = "its_weights_are_of_the_wanted_type", "its_weights_are_on_the_wanted_device"
SAVED, TRAINED, CONFIG = "its_weights_can_be_saved_and_loaded", "it_can_be_trained", "its_options_are_not_changed"
WRONG = [
    ("model_alone", PAIR, "a model factory returns (model, tokenizer) or (model, None)"),
    ("tokenizer_is_a_name", PAIR, "returns a str, which cannot be called"),
    ("wants_vocab_size", PAIR, "vocab_size"),
    ("takes_from_its_config", CONFIG, "changes the config that it is given"),
    ("too_many_logits", LOGITS, "gives logits of shape (3, 3), not (3, 2)"),
    ("no_logits", LOGITS, "without logits"),
    ("not_a_number", LOGITS, "no finite numbers"),
    ("always_drops", LOGITS, "gives other logits for the same batch in eval mode"),
    ("frozen", TRAINED, "does not require grad"),
    ("draws_elsewhere", SEED, "the weight head.bias differs when it is built again with the same seed"),
    ("hides_a_weight", SAVED, "keep what counts in the state dict"),
    ("saves_badly", SAVED, "saved by save_pretrained and loaded by from_pretrained"),
    ("two_labels_always", LABELS, "gives logits of shape (3, 2) for 3 labels"),
    (
        "float32_always",
        TYPE,
        "which is 'bfloat16': 3 of its weights are of another type, such as embedding.weight (float",
    ),
    ("cpu_always", DEVICE, "which is 'meta': its weight embedding.weight is on cpu"),
    ("sees_padding", PADDED, "gives other logits for the same texts with more padding"),
    ("transformer_that_sees_padding", PADDED, "gives other logits for the same texts with more padding"),
    ("compares_its_batch", BATCH, "gives other logits for a text alone"),
    ("takes_anything", "bad_options_are_refused", "with {'width': 0} must raise ValueError"),
]
RIGHT = ["right", "with_tokenizer", "refuses_a_type", "two_labels_alone", "head_on_the_cpu"]
LANGUAGE = ["sees_the_past", "sees_the_future", "sees_one_token_ahead", "hides_no_token"]
COMPONENTS = {"model": [*RIGHT, *LANGUAGE, *(name for name, _, _ in WRONG)]}


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_model_passes(failures, name):
    assert failures(ModelTests, name=name, bad_options=[{"width": 0}] if name == "right" else []) == {}


@pytest.mark.parametrize(("name", "check", "message"), WRONG)
def test_a_wrong_model_fails(failures, name, check, message):
    found = failures(
        ModelTests, shared=False, name=name, bad_options=[{"width": 0}] if name == "takes_anything" else []
    )
    assert message in found[check], found
    alone = {"takes_from_its_config", "draws_elsewhere", "hides_a_weight", "takes_anything"}
    assert (name not in alone and check not in (LABELS, PADDED, BATCH, TYPE, DEVICE)) or set(found) == {check}


def test_a_model_may_mean_to_see_padding(failures):
    assert failures(ModelTests, shared=False, name="sees_padding", heeds_attention_mask=False) == {}


@pytest.mark.parametrize("kind", ["causal_lm", "masked_lm"])
def test_a_right_language_model_passes(failures, kind):
    assert failures(ModelTests, name="sees_the_past", head={"kind": kind}) == {}


@pytest.mark.parametrize("name", ["sees_the_future", "sees_one_token_ahead"])
def test_a_model_that_sees_what_it_is_to_predict_fails(failures, name):
    found = failures(ModelTests, shared=False, name=name, head={"kind": "causal_lm"})
    assert "for the tokens before one that changes" in found["it_does_not_see_what_it_is_to_predict"], found
    assert failures(ModelTests, shared=False, name="sees_the_future", head={"kind": "masked_lm"}) == {}


def test_a_language_model_that_no_run_can_train_fails(failures):
    found = failures(ModelTests, shared=False, name="hides_no_token", head={"kind": "masked_lm"})
    assert found.keys() == {"a_tiny_run_trains_it"}
    assert "mask" in found["a_tiny_run_trains_it"]


def test_a_head_with_another_kind_has_other_logits(failures):
    head = {"kind": "causal_lm"}
    suite = type("TestIt", (ModelTests,), {"name": "right", "head": head})()
    assert suite.logits_shape(2, 7, 300) == (2, 7, 300)
