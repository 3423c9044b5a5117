import pickle

import pytest
import torch
from text_cnn.model import text_cnn

from codex_ml.testing import ModelTests

HEAD = {"kind": "sequence_classification", "labels": ["a", "b", "c"], "num_labels": 3, "vocab_size": 20}
SMALL = {"width": 8, "filters": 4, "head": HEAD}


class TestTextCnn(ModelTests):
    name = "text_cnn"
    options = {"width": 8, "filters": 4}
    bad_options = [{"lengths": []}, {"lengths": [2, 0]}, {"dropout": 1.0}, {"width": 0}, {"size": 3}]


@pytest.fixture
def model():
    torch.manual_seed(0)
    return text_cnn(SMALL)[0].eval()


@pytest.mark.parametrize("left", [False, True])
def test_padding_changes_no_logits(model, left):
    ids = torch.tensor([[3, 4, 5]])
    alone = model(ids, torch.ones_like(ids))
    filled, zeros = torch.full((1, 4), 7), torch.zeros(1, 4, dtype=torch.int64)
    parts = ([filled, ids], [zeros, torch.ones_like(ids)]) if left else ([ids, filled], [torch.ones_like(ids), zeros])
    padded = model(*(torch.cat(each, dim=1) for each in parts))
    assert torch.allclose(alone, padded, atol=1e-6)


def test_a_text_shorter_than_every_filter_has_logits(model):
    assert model(torch.tensor([[1]]), torch.tensor([[1]])).shape == (1, 3)


def test_it_learns_to_tell_two_texts_apart(model):
    ids, labels = torch.tensor([[1, 2, 3], [3, 2, 1]]), torch.tensor([0, 1])
    optimizer = torch.optim.Adam(model.train().parameters(), lr=0.01)
    for _ in range(60):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(ids, torch.ones_like(ids)), labels).backward()
        optimizer.step()
    assert model.eval()(ids, torch.ones_like(ids)).argmax(1).tolist() == [0, 1]


def test_the_model_can_be_pickled(model):
    ids = torch.tensor([[1, 2]])
    copy = pickle.loads(pickle.dumps(model))
    assert torch.equal(copy(ids, torch.ones_like(ids)), model(ids, torch.ones_like(ids)))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"head": {**HEAD, "kind": "causal_lm"}}, "classifies whole texts; the task wants 'causal_lm'"),
        ({"head": {**HEAD, "vocab_size": None}}, "name one, such as tokenizer=utf8_bytes"),
        ({"dtype": "float33"}, "torch has no 'float33'"),
    ],
)
def test_a_wrong_config_is_told(change, told):
    with pytest.raises(ValueError, match=told):
        text_cnn({**SMALL, **change})
