from __future__ import annotations

import random
from collections import Counter
from typing import ClassVar

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_language import encoder, record, without, wrapping_tokenizer
from tokenizers import Tokenizer, models, processors
from transformers import PreTrainedTokenizerFast

from codex_ml.errors import DataError, ModelError
from codex_ml.interfaces import Task
from codex_ml.tasks.masked_lm import MaskedLM
from codex_ml.testing import TaskTests
from codex_ml.testing.tiny_parts import tiny_tokenizer

TOKENIZER = wrapping_tokenizer()
CLS, SEP, MASK = TOKENIZER.cls_token_id, TOKENIZER.sep_token_id, TOKENIZER.mask_token_id
SPECIAL = set(TOKENIZER.all_special_ids)
TEXTS = ["the cat sat on the mat", "so", "a much longer document, which fills several blocks of any size tried here"]
RECORDS = [record(number, text=text) for number, text in enumerate(TEXTS, start=1)]
LONG = [record(1, text="all work and no play makes a dull text " * 500)]


class TestPacked(TaskTests):
    name = "masked_lm"
    packs = True
    options: ClassVar = {"block_size": 16}
    records: ClassVar = [{"text": text} for text in [*TEXTS, "more"]]
    bad_options = (
        {"block_size": 0},
        {"pack": 1},
        {"mask_probability": 0},
        {"mask_probability": 1.5},
        {"mask_probability": float("nan")},
        {"mask_replace": -0.1},
        {"mask_replace": 0.9, "random_replace": 0.2},
    )


class TestOneTextAnExample(TaskTests):
    name = "masked_lm"
    options: ClassVar = {"block_size": 16, "pack": False, "mask_probability": 0.4}
    records: ClassVar = [{"text": text} for text in [*TEXTS, "x"]]


def plain(text):
    return TOKENIZER(text, add_special_tokens=False)["input_ids"]


def made(task, records=RECORDS, tokenizer=TOKENIZER, *, train=True):
    return list(task.examples(iter(records), tokenizer, train=train))


def masked(task, examples, *, train=True, **more):
    """What the model sees of each example, and its targets, without padding."""
    batch = task.collate([{**each, **more} for each in examples], TOKENIZER, train=train)
    keep = batch.inputs["attention_mask"].bool()
    return [
        (ids[mask].tolist(), labels[mask].tolist())
        for ids, labels, mask in zip(batch.inputs["input_ids"], batch.labels, keep, strict=True)
    ]


def seeded(seed, **options):
    random.seed(seed)
    return MaskedLM(**options)


def test_is_a_task_of_tokens():
    task = MaskedLM()
    assert isinstance(task, Task)
    assert task.feeds == ("logprobs", "tokens")
    assert task.head() == {"kind": MaskedLM.__codex_meta__["head"]} == {"kind": "masked_lm"}
    assert task.fit(iter(())) == {}
    assert task.targets == ()


def test_a_text_is_wrapped_as_its_tokenizer_wraps_it():
    examples = made(MaskedLM(block_size=200, pack=False))
    assert [each["input_ids"] for each in examples] == [TOKENIZER(text)["input_ids"] for text in TEXTS]
    assert [each["id"] for each in examples] == ["a.jsonl#1@0", "a.jsonl#2@0", "a.jsonl#3@0"]


def test_a_long_text_makes_several_examples_and_loses_nothing():
    examples = made(MaskedLM(block_size=10, pack=False), RECORDS[:1])
    assert [each["id"] for each in examples] == ["a.jsonl#1@0", "a.jsonl#1@8", "a.jsonl#1@16"]
    assert [token for each in examples for token in each["input_ids"][1:-1]] == plain(TEXTS[0])
    assert all(each["input_ids"][0] == CLS and each["input_ids"][-1] == SEP for each in examples)


def test_packed_texts_are_parted_by_the_separator():
    examples = made(MaskedLM(block_size=16))
    content = [token for each in examples for token in each["input_ids"][1:-1]]
    assert content == [*plain(TEXTS[0]), SEP, *plain(TEXTS[1]), SEP, *plain(TEXTS[2])]
    assert {len(each["input_ids"]) for each in examples[:-1]} == {16}


def test_a_tokenizer_that_adds_nothing_parts_texts_by_its_end_token():
    tokenizer = tiny_tokenizer({})
    (example,) = made(MaskedLM(), RECORDS[:2], tokenizer)
    first, second = (tokenizer(text)["input_ids"] for text in TEXTS[:2])
    assert example["input_ids"] == [*first, tokenizer.eos_token_id, *second]


def test_masks_differ_between_epochs_and_are_the_same_in_each():
    task = seeded(1, block_size=64)
    examples = made(task, LONG)
    epochs = [masked(task, examples, epoch=epoch) for epoch in (0, 1)]
    assert epochs[0] != epochs[1]
    again = seeded(1, block_size=64)
    assert [masked(again, examples, epoch=epoch) for epoch in (0, 1)] == epochs
    assert masked(seeded(2, block_size=64), examples, epoch=0) != epochs[0]


def test_a_mask_does_not_depend_on_the_batch_or_the_order():
    task = seeded(1, block_size=32)
    examples = made(task, LONG)[:9]
    whole = masked(task, examples, epoch=3)
    assert [masked(task, [each], epoch=3)[0] for each in examples] == whole
    assert masked(task, examples[::-1], epoch=3) == whole[::-1]


def test_masks_of_evaluation_depend_on_no_seed():
    examples = made(MaskedLM(block_size=32), LONG, train=False)
    first, second = (masked(seeded(seed, block_size=32), examples, train=False) for seed in (1, 2))
    assert first == second


def test_collating_leaves_every_random_state_alone():
    task = MaskedLM()
    examples = made(task)
    before = random.getstate(), repr(np.random.get_state()), torch.get_rng_state().tolist()
    masked(task, examples)
    assert (random.getstate(), repr(np.random.get_state()), torch.get_rng_state().tolist()) == before


def test_of_the_chosen_tokens_80_percent_are_masked_and_10_percent_are_random():
    task = seeded(0, block_size=512)
    fates, tokens = Counter(), 0
    examples = made(task, LONG)
    for epoch in range(10):
        for example, (seen, targets) in zip(examples, masked(task, examples, epoch=epoch), strict=True):
            tokens += len(seen) - 2
            for token, before, target in zip(seen, example["input_ids"], targets, strict=True):
                if target == -100:
                    assert token == before
                    continue
                assert target == before
                fates["mask" if token == MASK else "same" if token == before else "random"] += 1
                assert token == MASK or token not in SPECIAL
    chosen = sum(fates.values())
    assert chosen / tokens == pytest.approx(0.15, abs=0.005)
    assert fates["mask"] / chosen == pytest.approx(0.8, abs=0.01)
    assert fates["random"] / chosen == pytest.approx(0.1, abs=0.01)


@pytest.mark.parametrize(
    ("options", "fate"),
    [
        ({"mask_replace": 1.0, "random_replace": 0.0}, "mask"),
        ({"mask_replace": 0.0, "random_replace": 0.0}, "same"),
        ({"mask_replace": 0.0, "random_replace": 1.0}, "random"),
    ],
)
def test_the_rule_can_be_changed(options, fate):
    task = seeded(0, block_size=512, mask_probability=1.0, **options)
    (example, *_) = made(task, LONG)
    seen, targets = masked(task, [example])[0]
    assert targets == [-100, *example["input_ids"][1:-1], -100]
    if fate == "mask":
        assert set(seen[1:-1]) == {MASK}
    elif fate == "same":
        assert seen == example["input_ids"]
    else:
        assert len(set(seen)) > 100
        assert not SPECIAL & set(seen[1:-1])


def test_random_tokens_are_any_of_the_vocabulary_but_special_ones():
    task = seeded(0, block_size=512, mask_probability=1.0, mask_replace=0.0, random_replace=1.0)
    examples = made(task, LONG)
    drawn = {token for epoch in range(5) for seen, _ in masked(task, examples, epoch=epoch) for token in seen[1:-1]}
    assert drawn == set(range(len(TOKENIZER))) - SPECIAL


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text("abc", min_size=1, max_size=9), min_size=1, max_size=5), st.sampled_from([1e-9, 0.15, 1.0]))
def test_each_example_has_a_target_and_no_special_token_is_one(texts, probability):
    task = MaskedLM(block_size=8, mask_probability=probability)
    examples = made(task, [record(number, text=text) for number, text in enumerate(texts)])
    for example, (_, targets) in zip(examples, masked(task, examples), strict=True):
        chosen = [target for target in targets if target != -100]
        ordinary = [token for token in example["input_ids"] if token not in SPECIAL]
        assert len(chosen) >= min(1, len(ordinary))
        assert not SPECIAL & set(chosen)
        if probability < 0.1:
            assert len(chosen) == min(1, len(ordinary))


def test_an_example_of_special_tokens_alone_has_no_target_and_works():
    # Room for one token a block: every other block holds a separator.
    task, model = MaskedLM(block_size=3), encoder()
    records = [record(1, text="x"), record(2, text="y")]
    separator = made(task, records)[1]
    assert separator["input_ids"] == [CLS, SEP, SEP]
    batch = task.collate([separator], TOKENIZER, train=False)
    assert batch.count == 0
    assert task.loss(model, batch).item() == 0
    assert task.predict(model, batch, TOKENIZER, ["tokens"])["tokens"][2] == [0]


def test_predictions_and_loss_are_those_of_the_masked_positions():
    task, model = MaskedLM(block_size=32), encoder()
    batch = task.collate(made(task, train=False), TOKENIZER, train=False)
    assert batch.labels is not None
    with torch.no_grad():
        logits = model(**batch.inputs).logits
    kept = batch.labels != -100
    wanted = logits.log_softmax(-1)[kept].gather(-1, batch.labels[kept][:, None])[:, 0]
    found = task.predict(model, batch, TOKENIZER, ["logprobs", "tokens"])
    logprobs, labels, sizes = found["logprobs"]
    assert list(logprobs) == pytest.approx(wanted.tolist(), abs=1e-5)
    assert list(found["tokens"][0]) == logits.argmax(-1)[kept].tolist()
    assert list(labels) == batch.labels[kept].tolist()
    assert sizes == kept.sum(1).tolist()
    assert task.loss(model, batch).item() == pytest.approx(-wanted.sum().item(), rel=1e-5)


def test_the_wrapping_is_found_for_a_tokenizer_that_knows_few_letters():
    names = {"pad_token": "[PAD]", "cls_token": "[CLS]", "mask_token": "[MASK]"}
    inner = Tokenizer(models.BPE({"[PAD]": 0, "[CLS]": 1, "[MASK]": 2, "猫": 3}, []))
    inner.post_processor = processors.TemplateProcessing(single="[CLS] $A", special_tokens=[("[CLS]", 1)])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, **names)
    (example,) = made(MaskedLM(), [record(1, text="猫a猫")], tokenizer)
    assert example["input_ids"] == [1, 3, 3]
    with pytest.raises(DataError, match="makes no token of its text 'a'"):
        made(MaskedLM(), [record(1, text="a")], tokenizer)
    none = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.BPE({"[PAD]": 0, "[CLS]": 1, "[MASK]": 2}, [])), **names
    )
    with pytest.raises(ModelError, match="makes no ordinary token of 'a'"):
        made(MaskedLM(), tokenizer=none)


@pytest.mark.parametrize("side", ["left", "right"])
def test_whatever_the_tokenizers_side_is_a_batch_changes_nothing(side):
    tokenizer = wrapping_tokenizer(padding_side=side)
    task, model = MaskedLM(pack=False, mask_probability=0.5), encoder(positions=128)
    examples = made(task, tokenizer=tokenizer, train=False)
    batch = task.collate(examples, tokenizer, train=False)
    assert batch.inputs["attention_mask"][1].tolist() == [1] * 4 + [0] * (batch.inputs["input_ids"].shape[1] - 4)
    whole = task.predict(model, batch, tokenizer, ["logprobs"])["logprobs"]
    alone = []
    for example in examples:
        part = task.collate([example], tokenizer, train=False)
        alone += task.predict(model, part, tokenizer, ["logprobs"])["logprobs"][0]
    assert list(whole[0]) == pytest.approx(alone, abs=1e-6)


@pytest.mark.parametrize(
    ("tokenizer", "options", "message"),
    [
        (without("mask_token"), {}, "no mask token.* tokenizer=hf tokenizer\\.algorithm=wordpiece, or"),
        (wrapping_tokenizer(model_max_length=100), {}, r"task\.block_size is 128, the tokenizer's limit 100"),
        (TOKENIZER, {"block_size": 2}, r"task\.block_size is 2, and the tokenizer puts 2 special tokens around"),
    ],
)
def test_a_tokenizer_that_does_not_fit_is_refused(tokenizer, options, message):
    with pytest.raises(ModelError, match=message):
        made(MaskedLM(**options), tokenizer=tokenizer)


def test_a_tokenizer_without_a_token_to_pad_with_is_refused():
    tokenizer = wrapping_tokenizer(pad_token=None)
    with pytest.raises(ModelError, match="neither a padding nor an end token"):
        MaskedLM().collate(made(MaskedLM()), tokenizer, train=True)


def test_block_size_beyond_the_models_positions_is_refused():
    task, model = MaskedLM(block_size=65), encoder(positions=64)
    batch = task.collate(made(task), TOKENIZER, train=True)
    with pytest.raises(ModelError, match=r"task\.block_size is 65, the model's limit 64"):
        task.loss(model, batch)


@pytest.mark.parametrize("bad", [{"text": 7}, {}, {"text": ""}])
def test_a_record_without_text_is_named(bad):
    with pytest.raises(DataError, match=r"record a\.jsonl#9: "):
        made(MaskedLM(), [*RECORDS, record(9, **bad)])
