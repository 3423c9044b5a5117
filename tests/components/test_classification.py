from __future__ import annotations

from array import array

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_models import CLASSES, build, lively

from codex_ml.errors import DataError, ModelError
from codex_ml.interfaces import Task
from codex_ml.tasks.classification import Classification
from codex_ml.tasks.texts import CHUNK


class Words:
    """A tokenizer that gives each letter its code; 0 pads."""

    pad_token_id = 0
    padding_side = "right"

    def __init__(self, **changes):
        self.calls = []
        self.__dict__.update(changes)

    def __call__(self, texts, pairs=None, *, truncation, max_length):
        assert truncation
        self.calls.append(len(texts))
        rows = [[ord(letter) for letter in text] for text in texts]
        types = [[0] * len(row) for row in rows]
        for position, pair in enumerate(pairs or ()):
            rows[position] += [ord(letter) for letter in pair]
            types[position] += [1] * len(pair)
        return {
            "input_ids": [row[:max_length] for row in rows],
            "token_type_ids": [row[:max_length] for row in types],
            "attention_mask": [[1] * len(row[:max_length]) for row in rows],
        }


def record(number, text, label):
    return {"id": f"r{number}", "text": text, "label": label}


RECORDS = [record(1, "ab", "x"), record(2, "abcd", "y"), record(3, "a", "x")]


def fitted(labels=("x", "y"), **options):
    task = Classification(**options)
    task.fit([record(number, "t", label) for number, label in enumerate(labels)])
    return task


class Fixed(torch.nn.Module):
    def __init__(self, logits):
        super().__init__()
        self.logits = torch.tensor(logits)

    def forward(self, input_ids, attention_mask):
        return {"logits": self.logits}


def test_is_a_task():
    task = Classification()
    assert isinstance(task, Task)
    assert task.feeds == ("labels",)
    assert task.columns == ("text", "label")
    assert task.__codex_api__ == "v1"


@pytest.mark.parametrize("labels", [["b", "a", "c", "a"], [3, -1, 20, 3], [True, False, True]])
def test_fit_sorts_the_labels_whatever_their_order(labels):
    learnt = Classification().fit(record(number, "t", label) for number, label in enumerate(labels))
    assert learnt == {"labels": sorted(set(labels))}
    assert fitted(reversed(labels)).head()["labels"] == sorted(set(labels))


def test_the_head_names_labels_and_their_number():
    assert Classification.__codex_meta__["head"] == "sequence_classification"
    assert fitted().head() == {"kind": "sequence_classification", "labels": ["x", "y"], "num_labels": 2}


def test_the_head_needs_fit_first():
    with pytest.raises(ValueError, match="call fit"):
        Classification().head()


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ([], "no record"),
        ([record(1, "t", "x"), record(2, "t", "x")], "only the label 'x'"),
        ([record(1, "t", "x"), record(2, "t", None)], "record r2 has no label"),
        ([record(1, "t", "x"), {"id": "r2", "text": "t"}], "record r2 has no label"),
        ([record(1, "t", "1"), record(2, "t", 1)], r"'1' \(str\) in record r1, 1 \(int\) in record r2"),
        ([record(1, "t", 1), record(2, "t", True)], r"1 \(int\) in record r1, True \(bool\) in record r2"),
        ([record(1, "t", 1.5)], "record r1: the label 1.5 is a float"),
    ],
)
def test_fit_refuses_what_teaches_no_labels(records, message):
    with pytest.raises(DataError, match=message):
        Classification().fit(records)


def test_examples_hold_tokens_and_the_index_of_the_label():
    found = list(fitted(max_length=3).examples(RECORDS, Words(), train=True))
    assert found == [
        {"id": "r1", "input_ids": [97, 98], "label": 0},
        {"id": "r2", "input_ids": [97, 98, 99], "label": 1},
        {"id": "r3", "input_ids": [97], "label": 0},
    ]


def test_examples_are_tokenised_in_chunks_and_stream():
    tokenizer, taken = Words(), []

    def records():
        for number in range(2 * CHUNK + 7):
            taken.append(number)
            yield record(number, "ab", "x")

    found = fitted().examples(records(), tokenizer, train=True)
    next(found)
    assert len(taken) == CHUNK
    assert sum(1 for _ in found) == 2 * CHUNK + 6
    assert tokenizer.calls == [CHUNK, CHUNK, 7]


def test_pairs_keep_the_token_types_that_tell_them_apart():
    pairs = [{**each, "text_pair": "zz"} for each in RECORDS]
    task = fitted()
    found = list(task.examples(pairs, Words(), train=True))
    assert found[0]["input_ids"] == [97, 98, 122, 122]
    assert found[0]["token_type_ids"] == [0, 0, 1, 1]
    batch = task.collate(found, Words(), train=True)
    assert batch.inputs["token_type_ids"].tolist()[2] == [0, 1, 1, 0, 0, 0]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"id": "r9", "text": 7, "label": "x"}, "record r9: text is a int, not a string"),
        ({"id": "r9", "label": "x"}, "record r9: text is missing; name the column with data.columns.text"),
        ({"id": "r9", "text": "", "label": "x"}, "record r9: the tokenizer makes no token"),
        ({"id": "r9", "text": "t", "label": None}, "record r9 has no label"),
        ({"id": "r9", "text": "t", "text_pair": "u", "label": "x"}, "record r9 has a text_pair"),
    ],
)
def test_examples_name_the_record_that_is_unusable(bad, message):
    with pytest.raises(DataError, match=message):
        list(fitted().examples([*RECORDS, bad], Words(), train=True))


def test_a_pair_must_be_in_every_record():
    first = {**RECORDS[0], "text_pair": "z"}
    with pytest.raises(DataError, match="record r2: text_pair is missing"):
        list(fitted().examples([first, *RECORDS[1:]], Words(), train=True))


def test_an_unknown_label_tells_the_known_ones_and_the_way_out():
    with pytest.raises(DataError) as caught:
        list(fitted().examples([record(9, "t", "z")], Words(), train=False))
    assert "record r9 has the label 'z', which no training record has; known are 'x', 'y'" in str(caught.value)
    assert "leave it out" in str(caught.value)


def test_true_is_not_the_label_1():
    with pytest.raises(DataError, match="label True"):
        list(fitted([0, 1]).examples([record(9, "t", True)], Words(), train=False))


def test_max_length_beyond_the_tokenizers_is_refused():
    with pytest.raises(ModelError, match=r"task.max_length is 600, the tokenizer's limit 512"):
        list(fitted(max_length=600).examples(RECORDS, Words(model_max_length=512), train=True))


@pytest.mark.parametrize("length", [0, -1, True, 1.5, "9"])
def test_max_length_must_be_a_positive_whole_number(length):
    with pytest.raises(ValueError, match=r"task\.max_length"):
        Classification(max_length=length)


@pytest.mark.parametrize("side", ["right", "left"])
def test_collate_pads_at_the_end_whatever_the_tokenizer_says(side):
    row = [97, 98, 5, 5]
    task, tokenizer = fitted(), Words(padding_side=side, pad_token_id=5)
    batch = task.collate(list(task.examples(RECORDS, tokenizer, train=True)), tokenizer, train=True)
    assert batch.inputs["input_ids"][0].tolist() == row
    assert batch.inputs["attention_mask"][0].tolist() == [int(token != 5) for token in row]
    assert batch.inputs["input_ids"].dtype == torch.int64
    assert "token_type_ids" not in batch.inputs
    assert batch.labels is not None
    assert batch.labels.tolist() == [0, 1, 0]
    assert batch.labels.dtype == torch.int64
    assert batch.ids == ["r1", "r2", "r3"]
    assert batch.count == 3


@pytest.mark.parametrize("name", ["bert_base_uncased", "minilm", "gpt2"])
@pytest.mark.parametrize("side", ["right", "left"])
def test_the_batch_changes_no_answer_of_encoders_and_decoders(name, side):
    task, tokenizer = fitted(("no", "yes")), Words(padding_side=side, pad_token_id=5)
    model = lively(build(name, CLASSES)).eval()
    texts = ["aabbc", "c", "cb", "bbb"]
    examples = list(task.examples([record(text, text, "no") for text in texts], tokenizer, train=False))
    batch = task.collate(examples, tokenizer, train=False)
    whole = task.answers(model, batch, tokenizer)
    alone = [task.answers(model, task.collate([each], tokenizer, train=False), tokenizer)[0] for each in examples]
    assert [each["prediction"] for each in whole] == [each["prediction"] for each in alone]
    assert [each["score"] for each in whole] == pytest.approx([each["score"] for each in alone], abs=1e-5)
    assert len({round(each["score"], 3) for each in whole}) == 4
    losses = [task.loss(model, task.collate([each], tokenizer, train=False)).item() for each in examples]
    assert task.loss(model, batch).item() == pytest.approx(sum(losses), abs=1e-4)


def test_a_tokenizer_without_padding_lends_its_end_token():
    task, tokenizer = fitted(), Words(pad_token_id=None, eos_token_id=9)
    batch = task.collate(list(task.examples(RECORDS, tokenizer, train=True)), tokenizer, train=True)
    assert batch.inputs["input_ids"][2].tolist() == [97, 9, 9, 9]
    with pytest.raises(ModelError, match="neither a padding nor an end token"):
        task.collate([{"id": "r", "input_ids": [1], "label": 0}], Words(pad_token_id=None), train=True)


def test_records_without_labels_can_be_predicted():
    task = fitted()
    found = list(task.examples([record(1, "ab", None), record(2, "c", None)], Words(), train=False))
    batch = task.collate(found, Words(), train=False)
    assert batch.labels is None
    assert batch.count == 0
    assert task.predict(Fixed([[0.0, 1.0], [2.0, 1.0]]), batch, Words(), ["labels"]) == {
        "labels": (["y", "x"], [None, None])
    }
    with pytest.raises(DataError, match="records r1, r2 have no label"):
        task.loss(Fixed([[0.0, 1.0], [2.0, 1.0]]), batch)


def test_the_loss_is_a_sum_in_float32():
    task = fitted()
    batch = task.collate(list(task.examples(RECORDS, Words(), train=True)), Words(), train=True)
    logits = [[1.0, 2.0], [0.5, -1.0], [3.0, 3.0]]
    model = Fixed(logits)
    model.logits = model.logits.bfloat16()
    loss = task.loss(model, batch)
    expected = -sum(torch.tensor(row).log_softmax(0)[target] for row, target in zip(logits, [0, 1, 0], strict=True))
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(float(expected), abs=1e-5)


@pytest.mark.parametrize(
    ("labels", "kind"), [((4, 9), array), (("x", "y"), list), ((False, True), list), ((1, 2**70), list)]
)
def test_predict_gives_the_records_own_values(labels, kind):
    task = fitted(labels)
    records = [record(number, "ab", label) for number, label in enumerate([*labels, labels[0]])]
    batch = task.collate(list(task.examples(records, Words(), train=False)), Words(), train=False)
    predictions, found = task.predict(Fixed([[0.0, 1.0], [0.0, 1.0], [1.0, 0.0]]), batch, Words(), ["labels"])["labels"]
    assert isinstance(predictions, kind)
    assert isinstance(found, kind)
    assert list(predictions) == [labels[1], labels[1], labels[0]]
    assert list(found) == [*labels, labels[0]]
    assert [type(each) for each in predictions] == [type(labels[1])] * 2 + [type(labels[0])]


@pytest.mark.parametrize("logits", [[[1.0, 2.0, 3.0]] * 3, [1.0, 2.0, 3.0], [[[1.0, 2.0]]] * 3])
def test_a_model_with_another_head_is_refused(logits):
    task = fitted()
    batch = task.collate(list(task.examples(RECORDS, Words(), train=True)), Words(), train=True)
    with pytest.raises(ModelError, match=r"classification needs \(3, 2\)"):
        task.loss(Fixed(logits), batch)


@settings(max_examples=50)
@given(st.lists(st.tuples(st.text(min_size=1, max_size=9), st.sampled_from(["x", "y"])), min_size=1, max_size=9))
def test_collating_loses_no_token(rows):
    task = fitted(max_length=6)
    records = [record(number, text, label) for number, (text, label) in enumerate(rows)]
    found = list(task.examples(records, Words(), train=True))
    batch = task.collate(found, Words(), train=True)
    ids, mask = batch.inputs["input_ids"], batch.inputs["attention_mask"]
    assert [ids[row][mask[row].bool()].tolist() for row in range(len(rows))] == [each["input_ids"] for each in found]
    assert ids.shape == mask.shape == (len(rows), max(min(6, len(text)) for text, _ in rows))
