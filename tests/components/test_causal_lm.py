from __future__ import annotations

import math
import tracemalloc
from typing import ClassVar

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_language import decoder, record, without, wrapping_tokenizer

from codex_ml.errors import DataError, ModelError
from codex_ml.interfaces import Batch, Task
from codex_ml.metrics.ppl import ppl
from codex_ml.tasks.causal_lm import CausalLM
from codex_ml.tasks.texts import CHUNK
from codex_ml.testing import TaskTests
from codex_ml.testing.tiny_parts import tiny_tokenizer

TOKENIZER = tiny_tokenizer({})
END = TOKENIZER.eos_token_id
TEXTS = ["the cat sat on the mat", "so", "a much longer document, which fills several blocks of any size tried here"]
RECORDS = [record(number, text=text) for number, text in enumerate(TEXTS, start=1)]


class TestPacked(TaskTests):
    name = "causal_lm"
    packs = True
    options: ClassVar = {"block_size": 16}
    records: ClassVar = [{"text": text} for text in [*TEXTS, "more"]]
    bad_options = (
        {"block_size": 0},
        {"block_size": True},
        {"block_size": 8, "stride": 9},
        {"stride": 0},
        {"pack": "yes please"},
        {"add_eos": 3},
    )


class TestOneDocumentAnExample(TaskTests):
    name = "causal_lm"
    options: ClassVar = {"block_size": 16, "stride": 5, "pack": False, "add_eos": False}
    records: ClassVar = [{"text": text} for text in [*TEXTS, "x"]]


def ids_of(text):
    return TOKENIZER(text)["input_ids"]


def stream(texts):
    return [token for text in texts for token in [*ids_of(text), END]]


def made(task, records=RECORDS, tokenizer=TOKENIZER, *, train=False):
    return list(task.examples(iter(records), tokenizer, train=train))


def scored(task, model, records=RECORDS, *, size=2, want=("logprobs", "tokens")):
    """What predict gives for all records, in batches of `size`."""
    examples, found = made(task, records), {name: ([], [], []) for name in want}
    for start in range(0, len(examples), size):
        batch = task.collate(examples[start : start + size], TOKENIZER, train=False)
        for name, parts in task.predict(model, batch, TOKENIZER, want).items():
            for whole, part in zip(found[name], parts, strict=True):
                whole.extend(part)
    return found


def direct(model, tokens):
    """The log-probabilities of a document's tokens but the first, by one forward pass, and the likeliest tokens."""
    with torch.no_grad():
        logits = model(torch.tensor([tokens])).logits[0, :-1]
    chosen = logits.log_softmax(-1).gather(-1, torch.tensor(tokens[1:])[:, None])[:, 0]
    return chosen.tolist(), logits.argmax(-1).tolist()


def test_is_a_task_of_tokens():
    task = CausalLM()
    assert isinstance(task, Task)
    assert task.feeds == ("logprobs", "tokens")
    assert task.head() == {"kind": CausalLM.__codex_meta__["head"]} == {"kind": "causal_lm"}
    assert task.fit(iter(())) == {}
    assert task.targets == ()


def test_packed_blocks_show_the_model_the_stream_once():
    task = CausalLM(block_size=8)
    examples = made(task, train=True)
    batch = task.collate(examples, TOKENIZER, train=True)
    seen = batch.inputs["input_ids"][batch.inputs["attention_mask"].bool()].tolist()
    whole = stream(TEXTS)
    assert seen == whole[:-1]
    assert batch.labels is not None
    assert batch.labels[batch.labels != -100].tolist() == whole[1:]
    assert batch.count == len(whole) - 1
    assert {len(example["input_ids"]) for example in examples[:-1]} == {9}


def test_a_block_is_named_for_where_it_begins():
    # 22 + 1 tokens, 2 + 1, then the long one.
    found = [example["id"] for example in made(CausalLM(block_size=8))]
    assert found[:5] == ["a.jsonl#1@0", "a.jsonl#1@8", "a.jsonl#1@16", "a.jsonl#2@1", "a.jsonl#3@6"]
    assert len(set(found)) == len(found)


def test_the_record_that_a_block_begins_in_can_be_told_whatever_its_id_is():
    names = ["who@example.org", "who@example.org@7", "@3"]
    records = [{"id": name, "text": "ten tokens"} for name in names]
    for pack in (True, False):
        found = [example["id"].rpartition("@") for example in made(CausalLM(block_size=4, pack=pack), records)]
        assert list(dict.fromkeys(name for name, _, _ in found)) == names
        assert all(token.isdecimal() for _, _, token in found)


def test_documents_are_kept_apart_unless_packed():
    examples = made(CausalLM(block_size=8, pack=False))
    assert [example["id"] for example in examples[:5]] == [
        "a.jsonl#1@0",
        "a.jsonl#1@8",
        "a.jsonl#1@16",
        "a.jsonl#2@0",
        "a.jsonl#3@0",
    ]
    assert examples[3]["input_ids"] == [*ids_of("so"), END]
    assert made(CausalLM(block_size=8, pack=False, add_eos=False))[3]["input_ids"] == ids_of("so")


def test_training_blocks_never_overlap():
    whole, striding = CausalLM(block_size=8), CausalLM(block_size=8, stride=3)
    assert made(striding, train=True) == made(whole, train=True)
    assert len(made(striding)) > len(made(whole))


@settings(max_examples=40, deadline=None)
@given(
    texts=st.lists(st.text("abc ", min_size=1, max_size=30), min_size=1, max_size=6),
    block=st.integers(1, 12),
    back=st.integers(0, 11),
    pack=st.booleans(),
    add_eos=st.booleans(),
)
def test_every_token_but_the_first_is_a_target_exactly_once(texts, block, back, pack, add_eos):
    records: ClassVar = [record(number, text=text) for number, text in enumerate(texts)]
    task = CausalLM(block_size=block, stride=max(1, block - back), pack=pack, add_eos=add_eos)
    examples = made(task, records)
    documents = [[*ids_of(text), END] if add_eos else ids_of(text) for text in texts]
    if pack:
        documents = [[token for document in documents for token in document]]
    wanted = [token for document in documents for token in document[1:]]
    batch = task.collate(examples, TOKENIZER, train=False)
    assert batch.labels is not None
    assert batch.labels[batch.labels != -100].tolist() == wanted
    assert batch.count == len(wanted)
    assert batch.inputs["input_ids"].shape == batch.labels.shape
    assert batch.labels.shape[1] <= block
    ids = [example["id"] for example in examples]
    assert len(set(ids)) == len(ids)


def test_one_block_gives_what_one_forward_pass_gives():
    model, text = decoder(), TEXTS[0]
    found = scored(CausalLM(block_size=32), model, [record(1, text=text)])
    logprobs, best = direct(model, stream([text]))
    assert found["logprobs"][0] == pytest.approx(logprobs, abs=1e-5)
    assert found["tokens"][0] == best
    assert found["logprobs"][1] == found["tokens"][1] == stream([text])[1:]
    assert ppl(*found["logprobs"][:2]) == pytest.approx(math.exp(-sum(logprobs) / len(logprobs)), rel=1e-5)


def test_without_packing_each_document_is_scored_as_if_alone():
    model = decoder(positions=128)
    found = scored(CausalLM(block_size=100, pack=False), model, size=3)
    alone = [direct(model, stream([text])) for text in TEXTS]
    assert found["logprobs"][0] == pytest.approx([each for part, _ in alone for each in part], abs=1e-5)
    assert found["tokens"][0] == [each for _, part in alone for each in part]
    assert found["logprobs"][2] == [len(stream([text])) - 1 for text in TEXTS]


def test_a_stride_of_one_gives_each_target_all_the_context_that_fits():
    model, block = decoder(), 10
    found = scored(CausalLM(block_size=block, stride=1), model, RECORDS[:1], size=4)
    tokens = stream(TEXTS[:1])
    wanted = [direct(model, tokens[max(0, at - block) : at + 1])[0][-1] for at in range(1, len(tokens))]
    assert found["logprobs"][0] == pytest.approx(wanted, abs=1e-5)


def test_the_layout_of_blocks_changes_no_target():
    model = decoder()
    layouts = [CausalLM(block_size=8), CausalLM(block_size=8, stride=3), CausalLM(block_size=64, stride=20)]
    labels = [scored(task, model)["logprobs"][1] for task in layouts]
    assert labels[0] == labels[1] == labels[2] == stream(TEXTS)[1:]


def test_sizes_tell_whose_each_target_is():
    _, labels, sizes = scored(CausalLM(block_size=8, stride=5), decoder())["tokens"]
    assert sizes[:3] == [8, 5, 5]
    assert sum(sizes) == len(labels)


def test_the_loss_is_the_sum_over_the_targets_in_float32():
    task, model = CausalLM(block_size=16), decoder()
    batch = task.collate(made(task, train=True), TOKENIZER, train=True)
    logprobs, _, _ = scored(task, model)["logprobs"]
    assert task.loss(model, batch).item() == pytest.approx(-sum(logprobs), rel=1e-5)
    low = task.loss(model.to(torch.bfloat16), batch)
    assert low.dtype == torch.float32
    assert low.item() == pytest.approx(-sum(logprobs), rel=0.02)


def test_few_targets_give_the_same_loss_as_all_positions_would():
    task, model = CausalLM(block_size=16, stride=1), decoder()
    batch = task.collate(made(task), TOKENIZER, train=False)
    assert batch.labels is not None
    assert 2 * batch.count < batch.labels.numel()
    logprobs, _, _ = scored(task, model)["logprobs"]
    assert task.loss(model, batch).item() == pytest.approx(-sum(logprobs), rel=1e-5)


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_scoring_a_few_rows_and_positions_at_a_time_changes_nothing(monkeypatch, rows):
    task, model = CausalLM(block_size=8), decoder()
    whole = scored(task, model, size=9)
    monkeypatch.setattr("codex_ml.tasks.token_logits._HELD", rows * 8 * 259)
    monkeypatch.setattr("codex_ml.tasks.token_logits._SLICE", 3 * 259)
    parts = scored(task, model, size=9)
    assert parts["tokens"] == whole["tokens"]
    assert parts["logprobs"][0] == pytest.approx(whole["logprobs"][0], abs=1e-5)
    assert parts["logprobs"][1:] == whole["logprobs"][1:]


class Recorded(torch.nn.Module):
    """Gives half-precision logits of a large vocabulary, and tells the largest tensor that was made of them."""

    vocabulary = 50_000

    def forward(self, input_ids, attention_mask):
        logits = torch.zeros(*input_ids.shape, self.vocabulary, dtype=torch.bfloat16)
        logits.scatter_(-1, input_ids.unsqueeze(-1), 1.0)
        return {"logits": logits}


class Largest(torch.utils._python_dispatch.TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.numbers = {}

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        for each in result if isinstance(result, tuple | list) else [result]:
            if isinstance(each, torch.Tensor):
                self.numbers[each.dtype] = max(self.numbers.get(each.dtype, 0), each.numel())
        return result


def test_of_a_large_vocabulary_only_slices_are_worked_on():
    task, rows, length = CausalLM(block_size=64), 32, 64
    ids = torch.randint(0, 100, (rows, length))
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    batch = Batch(inputs, ids.clone(), [str(row) for row in range(rows)], ids.numel())
    tokenizer = range(Recorded.vocabulary)  # of which predict asks the length alone
    with Largest() as largest:
        found = task.predict(Recorded(), batch, tokenizer, ["logprobs", "tokens"])
    every = rows * length * Recorded.vocabulary
    # The model's own output: some rows of the batch. In float32: a slice of that.
    assert largest.numbers[torch.bfloat16] <= 2**26 < every
    assert largest.numbers[torch.float32] <= 2**22
    assert list(found["tokens"][0]) == ids.flatten().tolist()
    wanted = 1 - math.log(Recorded.vocabulary - 1 + math.e)
    assert found["logprobs"][0] == pytest.approx([wanted] * ids.numel(), abs=1e-3)


def test_the_corpus_streams_by():
    taken = []

    def records():
        for number in range(20 * CHUNK):
            taken.append(number)
            yield record(number, text="some text")

    found = CausalLM(block_size=32).examples(records(), TOKENIZER, train=True)
    next(found)
    assert len(taken) == CHUNK
    tracemalloc.start()
    for _ in range(5000):
        next(found)
    used = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(taken) > 15 * CHUNK
    assert used < 8e6, "far less than the 200,000 tokens and their chunks would take together"


def test_long_documents_make_short_chunks():
    taken = []

    def records():
        for number in range(9):
            taken.append(number)
            yield record(number, text="x" * 150_000)

    next(CausalLM().examples(records(), TOKENIZER, train=True))
    assert len(taken) == 3


def test_a_beginning_that_the_tokenizer_puts_is_kept_and_no_other_special_token():
    tokenizer = wrapping_tokenizer(bos_token="[CLS]", eos_token="[SEP]")
    plain = tokenizer("so", add_special_tokens=False)["input_ids"]
    assert made(CausalLM(), RECORDS[1:2], tokenizer)[0]["input_ids"] == [1, *plain, 2]
    tokenizer = wrapping_tokenizer(eos_token="[SEP]")
    assert made(CausalLM(), RECORDS[1:2], tokenizer)[0]["input_ids"] == [*plain, 2]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"text": 7}, "record a.jsonl#9: text is a int, not a string"),
        ({"text": None}, "record a.jsonl#9: text is missing; name the column with data.columns.text"),
        ({}, "record a.jsonl#9: text is missing; name the column with data.columns.text"),
        ({"text": ""}, "record a.jsonl#9: the tokenizer makes no token of its text ''"),
    ],
)
def test_a_record_without_text_is_named(bad, message):
    with pytest.raises(DataError, match=message):
        made(CausalLM(), [*RECORDS, record(9, **bad)])


def test_a_tokenizer_without_an_end_token_is_refused_where_one_is_needed():
    with pytest.raises(ModelError, match=r"no end token: set its eos_token, or task.add_eos=false"):
        made(CausalLM(), tokenizer=without("eos_token"))
    assert made(CausalLM(add_eos=False), tokenizer=without("eos_token"))


def test_block_size_beyond_the_tokenizers_limit_is_refused():
    tokenizer = tiny_tokenizer({})
    tokenizer.model_max_length = 30
    with pytest.raises(ModelError, match=r"task.block_size is 31, the tokenizer's limit 30: set task.block_size=30"):
        made(CausalLM(block_size=31), tokenizer=tokenizer)
    assert made(CausalLM(block_size=30), tokenizer=tokenizer)


def test_block_size_beyond_the_models_positions_is_refused_and_up_to_them_works():
    model, text = decoder(positions=20), [record(1, text="x" * 50)]
    for size in (20, 21):
        task = CausalLM(block_size=size)
        batch = task.collate(made(task, text), TOKENIZER, train=False)
        if size == 20:
            assert math.isfinite(task.loss(model, batch).item())
            continue
        with pytest.raises(ModelError, match=r"task.block_size is 21, the model's limit 20: set task.block_size=20"):
            task.loss(model, batch)
        with pytest.raises(ModelError, match=r"task\.block_size is 21"):
            task.predict(model, batch, TOKENIZER, ["tokens"])


def test_a_model_with_another_head_is_refused():
    task = CausalLM(block_size=8)
    batch = task.collate(made(task)[:2], TOKENIZER, train=True)

    class Pooled(torch.nn.Module):
        def forward(self, input_ids, attention_mask):
            return torch.zeros(2, 3)

    with pytest.raises(ModelError, match=r"logits of shape \(2, 3\), causal_lm needs \(2, 8\)"):
        task.loss(Pooled(), batch)


def test_a_document_of_one_token_has_no_target():
    task = CausalLM(pack=False, add_eos=False)
    batch = task.collate(made(task, [record(1, text="x"), record(2, text="xy")]), TOKENIZER, train=False)
    assert batch.count == 1
    model = decoder(positions=512)
    assert task.predict(model, batch, TOKENIZER, ["tokens"])["tokens"][2] == [0, 1]
    alone = task.collate(made(task, [record(1, text="x")]), TOKENIZER, train=False)
    assert task.loss(model, alone).item() == 0
    predictions, labels, sizes = task.predict(model, alone, TOKENIZER, ["logprobs"])["logprobs"]
    assert (list(predictions), list(labels), list(sizes)) == ([], [], [0])
