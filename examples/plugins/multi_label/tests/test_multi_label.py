import pytest
import torch
from multi_label.task import MultiLabel

from codex_ml.errors import DataError
from codex_ml.testing import TaskTests

RECORDS = [
    {"id": "1", "text": "ab", "labels": ["sport", "tech"]},
    {"id": "2", "text": "abc", "labels": "tech, "},
    {"id": "3", "text": "a", "labels": ""},
]


class TestMultiLabel(TaskTests):
    name = "multi_label"
    records = [
        {"text": "the ball and the chip", "labels": ["sport", "tech"]},
        {"text": "the ball", "labels": ["sport"]},
        {"text": "a chip", "labels": "tech"},
        {"text": "a cloud in the sky", "labels": ""},
    ]
    bad_options = [{"max_length": 0}, {"threshold": 1.0}, {"separator": ""}]


def letters(text, *, truncation, max_length):
    """A tokenizer of one token a letter."""
    return {"input_ids": [ord(letter) - 96 for letter in text][:max_length]}


class Given(torch.nn.Module):
    """A model that gives the logits it was made with."""

    def __init__(self, logits):
        super().__init__()
        self.logits = torch.nn.Parameter(torch.tensor(logits))

    def forward(self, input_ids, attention_mask):
        return self.logits[: len(input_ids)]


@pytest.fixture
def task():
    task = MultiLabel()
    assert task.fit(RECORDS) == {"labels": ["sport", "tech"]}
    return task


def batch_of(task, records):
    return task.collate(list(task.examples(records, letters, train=False)), letters, train=False)


def test_the_head_is_that_of_a_classifier(task):
    assert task.head() == {"kind": "sequence_classification", "labels": ["sport", "tech"], "num_labels": 2}


def test_every_label_of_every_record_is_a_target(task):
    batch = batch_of(task, RECORDS)
    assert batch.labels.tolist() == [[1, 1], [0, 1], [0, 0]]
    assert batch.inputs["attention_mask"].tolist() == [[1, 1, 0], [1, 1, 1], [1, 0, 0]]
    assert (batch.count, batch.ids) == (6, ["1", "2", "3"])


def test_the_loss_is_the_sum_over_the_targets(task):
    batch = batch_of(task, RECORDS)
    loss = task.loss(Given([[0.0, 0.0]] * 3), batch)
    assert loss.item() == pytest.approx(6 * 0.693147, abs=1e-4)
    loss.backward()


def test_labels_are_predicted_as_one_string(task):
    predicted = task.predict(
        Given([[1.0, 1.0], [-1.0, 1.0], [1.0, -1.0]]), batch_of(task, RECORDS), letters, ["labels"]
    )
    assert predicted == {"labels": (["sport, tech", "tech", "sport"], ["sport, tech", "tech", ""])}
    assert task.predict(None, None, letters, []) == {}


def test_a_higher_threshold_gives_fewer_labels():
    task = MultiLabel(threshold=0.9)
    task.fit(RECORDS)
    predictions, _ = task.predict(Given([[1.0, 3.0]]), batch_of(task, RECORDS[:1]), letters, ["labels"])["labels"]
    assert predictions == ["tech"]


def test_a_record_that_does_not_tell_is_predicted_and_not_counted(task):
    records = [RECORDS[0], {"id": "4", "text": "abc", "labels": None}]
    batch = batch_of(task, records)
    assert batch.count == 2
    assert task.predict(Given([[1.0, 1.0]] * 2), batch, letters, ["labels"])["labels"][1] == ["sport, tech", None]
    assert batch_of(task, records[1:]).labels is None


@pytest.mark.parametrize(
    ("record", "told"),
    [
        ({"text": "a", "labels": ["new"]}, "'new', which no training record has"),
        ({"text": "a", "labels": [1]}, "a list of strings or a string"),
        ({"text": None, "labels": []}, "the text is no string"),
        ({"text": "", "labels": []}, "makes no token"),
        ({"text": "a", "labels": None}, "a list of strings or a string, not None"),
    ],
)
def test_what_cannot_be_used_is_told_with_its_record(task, record, told):
    with pytest.raises(DataError, match=told) as error:
        list(task.examples([{"id": "7", **record}], letters, train=True))
    assert "record 7" in str(error.value)


def test_records_without_any_label_teach_nothing():
    with pytest.raises(DataError, match="no training record has a label"):
        MultiLabel().fit(RECORDS[2:])
