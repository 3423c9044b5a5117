from __future__ import annotations

import copy
import itertools
import json
import math
import random
import re
from collections import Counter
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_language import decoder, record, without, wrapping_tokenizer
from tokenizers import normalizers
from transformers import GenerationConfig, GPT2LMHeadModel, T5Config, T5ForConditionalGeneration

from codex_addons.component import meta_of
from codex_ml import registries
from codex_ml.errors import DataError, ModelError
from codex_ml.interfaces import Task
from codex_ml.launch.assembly import Component, Weights
from codex_ml.tasks.generation import Generation
from codex_ml.testing import TaskTests
from codex_ml.testing.tiny_parts import tiny_model, tiny_tokenizer
from codex_ml.testing.tiny_run import by_hand, ran, tiny_assembly

TOKENIZER = tiny_tokenizer({})
END = TOKENIZER.eos_token_id
RECORDS = [
    record(1, prompt="What is this?", target="a test"),
    record(2, prompt="And", target=["that", "or that"]),
    record(3, prompt="A much longer question than the others", target=("yes",)),
    record(4, prompt="Why", target="so"),
]
SHORT = {"max_prompt_length": 48, "max_target_length": 16}
METHODS = [
    {"decoding": "greedy"},
    {"decoding": "beam", "num_beams": 3},
    {"decoding": "sampling", "temperature": 0.7, "top_k": 20, "top_p": 0.9},
]


class TestGreedy(TaskTests):
    name = "generation"
    options: ClassVar = SHORT
    records: ClassVar = [{"prompt": f"number {each}", "target": str(each)} for each in range(6)]
    bad_options = (
        {"prompt_template": "Q:"},
        {"prompt_template": 3},
        {"separator": 4.5},
        {"max_prompt_length": 0},
        {"max_target_length": 0},
        {"max_new_tokens": 0},
        {"decoding": "best"},
        {"num_beams": 0},
        {"temperature": 0},
        {"top_k": -1},
        {"top_p": 0},
        {"top_p": 1.1},
    )

    def model(self, config):
        return decoder(vocabulary=config["head"]["vocab_size"]), None


class TestSampling(TestGreedy):
    options: ClassVar = {**SHORT, **METHODS[2]}


class TestBeam(TestGreedy):
    options: ClassVar = {**SHORT, **METHODS[1]}


def ids_of(text):
    return TOKENIZER(text)["input_ids"]


def made(task, records=RECORDS, tokenizer=TOKENIZER, *, train=False):
    return list(task.examples(iter(records), tokenizer, train=train))


def predicted(task, model, records=RECORDS, want=("text",), tokenizer=TOKENIZER):
    batch = task.collate(made(task, records, tokenizer), tokenizer, train=False)
    return task.predict(model, batch, tokenizer, list(want))


def seeded(seed=0, **options):
    random.seed(seed)
    return Generation(**{**SHORT, **options})


def continued(model, prompt, steps):
    """The likeliest continuation, by forward passes over the whole text so far."""
    ids = [*ids_of(prompt), *ids_of("\n")]
    start = len(ids)
    for _ in range(steps):
        with torch.no_grad():
            ids.append(int(model(torch.tensor([ids])).logits[0, -1].argmax()))
        if ids[-1] == END:
            return TOKENIZER.decode(ids[start:-1])
    return TOKENIZER.decode(ids[start:])


def speaking(model=None):
    """A model whose texts are of letters, and of no token of half a letter."""
    model = model or decoder(tie_word_embeddings=False)
    mute = torch.ones(259, dtype=torch.bool)
    mute[[*ids_of("abcdefghijklmnopqrstuvwxyz "), END]] = False
    model.lm_head.register_forward_hook(lambda module, given, output: output.masked_fill(mute, -1e4))
    return model


@pytest.fixture(scope="module")
def trained():
    """A model that has learnt four answers by heart."""
    task, model = seeded(), decoder(n_embd=32, initializer_range=0.02)
    batch = task.collate(made(task, train=True), TOKENIZER, train=True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    model.train()
    for each in model.modules():
        if isinstance(each, torch.nn.Dropout):
            each.p = 0.0
    for _ in range(60):
        optimizer.zero_grad()
        (task.loss(model, batch) / batch.count).backward()
        optimizer.step()
    return model.eval()


def test_is_a_task_of_texts():
    task = Generation()
    assert isinstance(task, Task)
    assert task.feeds == ("text", "logprobs", "tokens")
    assert task.columns == ("prompt", "target")
    assert task.targets == ("target",)
    assert task.head() == {"kind": Generation.__codex_meta__["head"]} == {"kind": "causal_lm"}
    assert task.fit(iter(())) == {}


def test_an_example_is_prompt_separator_target_and_end():
    (example,) = made(Generation(), RECORDS[:1], train=True)
    prompt = [*ids_of("What is this?"), *ids_of("\n")]
    assert example == {
        "id": "a.jsonl#1",
        "input_ids": [*prompt, *ids_of("a test"), END],
        "context": len(prompt),
    }


def test_only_target_and_end_are_learnt():
    task = Generation()
    batch = task.collate(made(task, train=True), TOKENIZER, train=True)
    assert batch.labels is not None
    learnt = [row[row != -100].tolist() for row in batch.labels]
    assert learnt == [[*ids_of(text), END] for text in ("a test", "that", "yes", "so")]
    # Each label stands where the model has seen what is before it and no more.
    row, first = batch.inputs["input_ids"][0], int((batch.labels[0] != -100).nonzero()[0])
    assert row[: first + 1].tolist() == [*ids_of("What is this?"), *ids_of("\n")]


def test_the_loss_is_that_of_the_targets_alone():
    task, model = Generation(), decoder(positions=400)
    batch = task.collate(made(task, train=True), TOKENIZER, train=True)
    expected = 0.0
    for example in made(task, train=True):
        ids, start = example["input_ids"], example["context"]
        with torch.no_grad():
            logprobs = model(torch.tensor([ids])).logits[0].log_softmax(-1)
        expected -= sum(float(logprobs[at - 1, ids[at]]) for at in range(start, len(ids)))
    assert task.loss(model, batch).item() == pytest.approx(expected, rel=1e-5)
    evaluated = predicted(task, model, want=["logprobs", "tokens"])
    assert -sum(evaluated["logprobs"][0]) == pytest.approx(expected, rel=1e-5)
    assert evaluated["tokens"][2] == [7, 5, 4, 3]


def test_the_first_reference_is_learnt_and_all_are_given_to_metrics():
    texts, references = predicted(seeded(), decoder())["text"]
    assert references == ["a test", ["that", "or that"], ["yes"], "so"]
    assert len(texts) == 4


def test_what_was_learnt_is_generated_up_to_its_end(trained):
    texts, _ = predicted(seeded(), trained)["text"]
    assert texts == ["a test", "that", "yes", "so"]
    beams, _ = predicted(seeded(decoding="beam", num_beams=3), trained)["text"]
    assert beams == texts


def test_a_padded_batch_generates_what_each_prompt_alone_generates():
    task, model = seeded(), speaking()
    texts, _ = predicted(task, model)["text"]
    alone = [predicted(task, model, [each])["text"][0][0] for each in RECORDS]
    assert texts == alone
    assert texts == [continued(model, each["prompt"], 16) for each in RECORDS]
    assert len(set(texts)) == 4


@pytest.mark.parametrize("options", METHODS)
def test_texts_are_the_same_every_time_and_leave_random_states_alone(options):
    task, model = seeded(**options), speaking()
    before = random.getstate(), repr(np.random.get_state()), torch.get_rng_state().tolist()
    first = predicted(task, model)["text"]
    assert (random.getstate(), repr(np.random.get_state()), torch.get_rng_state().tolist()) == before
    torch.manual_seed(7)
    random.random()
    assert predicted(task, model)["text"] == first
    assert predicted(task, model, RECORDS[::-1])["text"][0] == first[0][::-1]
    assert len(set(first[0])) == 4


def test_sampling_depends_on_the_runs_seed_and_differs_between_records():
    model = decoder(initializer_range=0.02)
    same = [record(number, prompt="x", target="y") for number in range(3)]
    first, second = (predicted(seeded(seed, decoding="sampling"), model, same)["text"][0] for seed in (1, 2))
    assert len({*first, *second}) == 6


def first_tokens(model, records, **options):
    task = seeded(decoding="sampling", max_new_tokens=1, **options)
    return Counter(predicted(task, model, records)["text"][0])


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ({}, None),
        ({"temperature": 0.5}, None),
        ({"top_k": 3}, 3),
        ({"top_p": 0.4}, None),
        ({"top_k": 1}, 1),
    ],
)
def test_sampling_draws_each_token_as_often_as_the_model_gives_it(options, kept):
    # Bytes that are letters, so that each token has a text of its own.
    letters = ids_of("abcdefgh")
    model = decoder()
    bias = torch.full((259,), -1e4)
    bias[letters] = torch.tensor([3.0, 2.5, 2.0, 1.5, 1.0, 0.5, 0.0, -0.5])
    model.lm_head.register_forward_hook(lambda module, given, output: bias.expand_as(output))
    probabilities = (bias[letters] / options.get("temperature", 1.0)).softmax(-1)
    if kept is not None:
        probabilities[kept:] = 0
    if "top_p" in options:
        probabilities[int((probabilities.cumsum(-1) < options["top_p"]).sum()) + 1 :] = 0
    probabilities = probabilities / probabilities.sum()
    count = 3000
    found = first_tokens(model, [record(each, prompt="x", target="y") for each in range(count)], **options)
    shares = [found["abcdefgh"[each]] / count for each in range(8)]
    assert shares == pytest.approx(probabilities.tolist(), abs=0.03)
    assert sum(found.values()) == count
    assert all((share > 0) == (float(chance) > 0) for share, chance in zip(shares[:3], probabilities[:3], strict=True))


def answered(task, model, records):
    return task.answers(model, task.collate(made(task, records), TOKENIZER, train=False), TOKENIZER)


@pytest.mark.parametrize("options", METHODS)
def test_answers_are_the_texts_and_how_likely_their_tokens_are(options):
    task, model = seeded(**options), speaking()
    found = answered(task, model, RECORDS)
    assert [each["prediction"] for each in found] == predicted(task, model)["text"][0]
    for each, answer in zip(RECORDS, found, strict=True):
        start, text = [*ids_of(each["prompt"]), *ids_of("\n")], ids_of(answer["prediction"])
        ids = start + text + [END] * (len(text) < 16)
        with torch.no_grad():
            chances = model(torch.tensor([ids])).logits[0].softmax(-1)
        wanted = math.prod(float(chances[at - 1, ids[at]]) for at in range(len(start), len(ids)))
        assert answer["score"] == pytest.approx(wanted ** (1 / (len(ids) - len(start))), rel=1e-4)
        assert 0 < answer["score"] <= 1


def test_what_was_learnt_by_heart_is_answered_for_sure(trained):
    found = answered(seeded(), trained, RECORDS)
    assert [each["prediction"] for each in found] == ["a test", "that", "yes", "so"]
    assert min(each["score"] for each in found) > 0.9


def test_an_empty_answer_is_as_sure_as_its_end_is_likely():
    model, bias = decoder(), torch.full((259,), -1e4)
    bias[[END, *ids_of("a")]] = torch.tensor([0.75, 0.25]).log()
    model.lm_head.register_forward_hook(lambda module, given, output: bias.expand_as(output))
    (answer,) = answered(seeded(), model, RECORDS[:1])
    assert answer == {"prediction": "", "score": pytest.approx(0.75)}


def test_records_without_a_target_are_answered_like_those_with_one():
    bare = [record(number, prompt=each["prompt"]) for number, each in enumerate(RECORDS, start=1)]
    task, model = seeded(), speaking()
    assert answered(task, model, bare) == answered(task, model, RECORDS)
    examples = made(task, [*bare[:1], record(2, prompt="p", target=None), RECORDS[3]])
    assert [example["references"] for example in examples] == [None, None, "so"]
    batch = task.collate(examples, TOKENIZER, train=False)
    assert batch.count == 3
    assert task.predict(model, batch, TOKENIZER, ["tokens"])["tokens"][2] == [0, 0, 3]


def metric(name):
    factory = registries.load("metric", name)
    return Component("metric", name, name, {}, factory, registries.find("metric", name), meta_of(factory))


def test_a_run_predicts_with_the_weights_of_another(tmp_path):
    def model(config):
        return decoder(vocabulary=config["head"]["vocab_size"], tie_word_embeddings=False), None

    def run(name, **changes):
        (tmp_path / name).mkdir()
        return tiny_assembly(
            tmp_path / name,
            records=[{"prompt": each, "target": each} for each in ("on", "off") * 8],
            task=TestGreedy().chosen(),
            model=by_hand("model", model),
            **changes,
        )

    metrics = tuple(metric(name) for name in ("squad_f1", "ppl"))
    first = run("first", metrics=metrics)
    told = ran(tmp_path / "first", replace(first, data=replace(first.data, test=first.data.validation)))
    weights = Weights(tmp_path / "first" / "model", True, "generation", "model", told["task_state"])
    again = run("again", metrics=metrics, mode="evaluate", weights=weights)
    assert ran(tmp_path / "again", again)["metrics"] == told["metrics"]

    (tmp_path / "new.jsonl").write_text('{"id": "a", "prompt": "on"}\n{"id": "b", "prompt": "off", "target": "out"}\n')
    last = run("last", metrics=(), mode="predict", weights=weights)
    last = replace(last, data=replace(last.data, train=(), validation=(), test=(tmp_path / "new.jsonl",)))
    ran(tmp_path / "last", last)
    lines = [json.loads(line) for line in (tmp_path / "last" / "predictions.jsonl").read_text().splitlines()]
    assert [(each["id"], each["input"], each.get("target")) for each in lines] == [
        ("a", "on", None),
        ("b", "off", "out"),
    ]
    assert all(isinstance(each["prediction"], str) and 0 < each["score"] <= 1 for each in lines)


def test_max_new_tokens_ends_a_text():
    texts, _ = predicted(seeded(max_new_tokens=3), speaking())["text"]
    longer, _ = predicted(seeded(), speaking())["text"]
    assert texts == [text[:3] for text in longer]
    assert max(map(len, longer)) == 16


def test_special_tokens_are_stripped():
    tokenizer = wrapping_tokenizer(eos_token="[SEP]")
    model = decoder(vocabulary=len(tokenizer))
    bias = torch.full((len(tokenizer),), -1e4)
    bias[tokenizer.cls_token_id] = 1.0
    model.lm_head.register_forward_hook(lambda module, given, output: bias.expand_as(output))
    assert predicted(seeded(), model, RECORDS[:1], tokenizer=tokenizer)["text"][0] == [""]


@pytest.mark.parametrize("options", METHODS)
def test_settings_that_a_model_brings_change_nothing(tmp_path, options):
    task, model = seeded(**options), decoder(tie_word_embeddings=False)
    wanted = predicted(task, speaking(copy.deepcopy(model)))["text"]
    model.generation_config = GenerationConfig(
        do_sample=True,
        temperature=5.0,
        top_k=2,
        num_beams=2,
        repetition_penalty=9.0,
        suppress_tokens=ids_of("aeiou t"),
        min_new_tokens=9,
        forced_eos_token_id=5,
        max_length=3,
        bos_token_id=7,
        num_return_sequences=2,
        custom="kept",
    )
    model.save_pretrained(tmp_path)
    (tmp_path / "custom_generate").mkdir()
    (tmp_path / "custom_generate" / "generate.py").write_text("raise SystemExit('this must not run')\n")
    loaded = speaking(GPT2LMHeadModel.from_pretrained(tmp_path).eval())
    own = loaded.generation_config
    assert own.repetition_penalty == 9.0
    assert predicted(task, loaded)["text"] == wanted
    assert loaded.generation_config is own


def test_settings_come_back_when_generating_fails():
    model = decoder()
    own = model.generation_config

    def fail(*given, **keywords):
        raise RuntimeError("no")

    model.forward = fail
    with pytest.raises(RuntimeError):
        predicted(seeded(), model)
    assert model.generation_config is own


def test_an_adapter_generates_like_what_it_adapts():
    from peft import LoraConfig, get_peft_model

    task, model = seeded(), speaking()
    wanted = predicted(task, model)["text"]
    adapted = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", target_modules=["c_attn"], fan_in_fan_out=True))
    adapted.eval()
    own = model.generation_config
    adapted.generation_config.repetition_penalty = 9.0
    assert predicted(task, adapted)["text"] == wanted
    assert adapted.generation_config is own
    assert model.generation_config is own


def test_the_template_is_filled_as_text():
    task = Generation(prompt_template="Q {x}: {prompt} {0}\n{prompt}", separator=" A:")
    (example,) = made(task, [record(1, prompt="{prompt}%s", target="t")], train=True)
    assert TOKENIZER.decode(example["input_ids"]) == "Q {x}: {prompt}%s {0}\n{prompt}%s A:t[EOS]"


def cutting(side):
    tokenizer = tiny_tokenizer({})
    tokenizer.truncation_side = side
    return tokenizer


def read(task, records, tokenizer=TOKENIZER):
    """What the model reads of records, before their targets."""
    return [TOKENIZER.decode(each["input_ids"][: each["context"]]) for each in made(task, records, tokenizer)]


@pytest.mark.parametrize(("side", "kept"), [("right", "What "), ("left", "this?")])
def test_a_long_prompt_is_cut_and_keeps_its_separator(side, kept):
    task = Generation(max_prompt_length=8, separator=" A:")
    assert read(task, RECORDS[:1], cutting(side)) == [f"{kept} A:"]


@pytest.mark.parametrize(
    ("side", "template", "found"),
    [
        ("right", "Article: {prompt} Headline:", "Article: What is Headline:\n"),
        ("left", "Article: {prompt} Headline:", "Article: is this Headline:\n"),
        ("right", "{prompt} ({prompt}), a title", "What i (What i), a title\n"),
        ("left", "1: {prompt} 2: {prompt}", "1: is this 2: is this\n"),
    ],
)
def test_a_long_prompt_is_cut_and_keeps_the_words_of_its_template(side, template, found):
    records = [record(1, prompt="What is this", target="t"), record(2, prompt="No", target="t")]
    task = Generation(prompt_template=template, max_prompt_length=len(found))
    assert read(task, records, cutting(side)) == [found, template.replace("{prompt}", "No") + "\n"]


class Merging:
    """A tokenizer that makes one token of a word and the space before it, and two of a colon and a space."""

    eos_token_id, bos_token_id, all_special_ids = 0, None, (0,)
    truncation_side = "right"

    def __init__(self):
        self.words = ["[EOS]"]

    def __len__(self):
        return 1000

    def __call__(self, texts, **_):
        rows = [re.findall(r" ?\w+|\W", text) for text in texts]
        for word in itertools.chain(*rows):
            if word not in self.words:
                self.words.append(word)
        return {"input_ids": [[self.words.index(word) for word in row] for row in rows]}

    def text(self, example):
        return [self.words[token] for token in example["input_ids"][: example["context"]]]


def test_what_is_cut_is_tokenised_like_what_fits():
    tokenizer, template = Merging(), "Article: {prompt} Headline:"
    records = [record(1, prompt="one two", target="t"), record(2, prompt="one two three four", target="t")]
    task = Generation(prompt_template=template, max_prompt_length=8)
    short, long = (tokenizer.text(example) for example in made(task, records, tokenizer))
    assert short == ["Article", ":", " one", " two", " Headline", ":", "\n"]
    assert long == ["Article", ":", " one", " two", " three", " Headline", ":", "\n"]


@settings(max_examples=60, deadline=None)
@given(
    pieces=st.lists(st.text("ab :", max_size=5), min_size=2, max_size=4),
    prompt=st.text("xyz ", min_size=1, max_size=40).filter(str.strip),
    length=st.integers(1, 60),
    side=st.sampled_from(["left", "right"]),
)
def test_no_prompt_is_longer_than_it_may_be_and_no_word_of_the_template_is_lost(pieces, prompt, length, side):
    task = Generation(prompt_template="{prompt}".join(pieces), max_prompt_length=length)
    words = len("".join(pieces)) + 1
    if length - words < len(pieces) - 1:
        with pytest.raises(ModelError, match="leaves no room for the prompt"):
            read(task, [record(1, prompt=prompt, target="t")], cutting(side))
        return
    (found,) = read(task, [record(1, prompt=prompt, target="t")], cutting(side))
    share = (length - words) // (len(pieces) - 1)
    whole = prompt.join(pieces) + "\n"
    kept = prompt[:share] if side == "right" else prompt[-share:]
    assert found == (whole if len(whole) <= length else kept.join(pieces) + "\n")
    assert len(found) <= length


def test_how_many_prompts_were_cut_is_logged_once(caplog):
    caplog.set_level("INFO", "codex_ml")
    made(Generation(max_prompt_length=10), RECORDS)
    (told,) = [each.getMessage() for each in caplog.records]
    assert told.startswith("2 of 4 prompts are longer than task.max_prompt_length=10 tokens")
    assert told.endswith("lost their end")
    caplog.clear()
    made(Generation(), RECORDS)
    assert not caplog.records


def test_a_target_that_is_cut_has_no_end():
    example = made(Generation(max_target_length=6), RECORDS[:1])[0]
    assert TOKENIZER.decode(example["input_ids"][example["context"] :]) == "a test"
    example = made(Generation(max_target_length=7), RECORDS[:1])[0]
    assert TOKENIZER.decode(example["input_ids"][example["context"] :]) == "a test[EOS]"


def test_of_no_answer_the_end_alone_is_learnt():
    records = [record(1, prompt="p", target=""), record(2, prompt="p", target=["", "none"])]
    task, model = seeded(), decoder()
    learnt = [example["input_ids"][example["context"] :] for example in made(task, records, train=True)]
    assert learnt == [[END], [END]]
    found = predicted(task, model, records, want=["text", "tokens"])
    assert found["text"][1] == ["", ["", "none"]]
    assert list(found["tokens"][1]) == [END, END]


def test_a_reference_that_the_tokenizer_does_not_know_can_be_evaluated_and_not_learnt():
    tokenizer = wrapping_tokenizer(eos_token="[SEP]")
    tokenizer.backend_tokenizer.normalizer = normalizers.Replace("?", "")
    records = [record(1, prompt="p", target="???")]
    with pytest.raises(DataError, match=r"record a\.jsonl#1: the tokenizer makes no token of its target '\?\?\?'"):
        made(Generation(), records, tokenizer, train=True)
    (example,) = made(Generation(), records, tokenizer)
    assert example["references"] == "???"
    assert example["input_ids"][example["context"] :] == [tokenizer.eos_token_id]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"target": "t"}, "prompt is missing; name the column with data.columns.prompt"),
        ({"prompt": 7, "target": "t"}, "prompt is a int, not a string"),
        ({"prompt": " ", "target": "t"}, "the tokenizer makes no token of its prompt ' '"),
        ({"prompt": "p"}, "target is missing; name the column with data.columns.target"),
        ({"prompt": "p", "target": 7}, "target is a int, not a string"),
        ({"prompt": "p", "target": []}, "target is an empty list"),
        ({"prompt": "p", "target": ["a", 7]}, "target holds a int"),
        ({"prompt": "p", "target": {"a": 1}}, "target is a dict"),
    ],
)
def test_a_record_that_is_unusable_is_named(bad, message):
    with pytest.raises(DataError, match=rf"record a\.jsonl#9: {message}"):
        made(Generation(), [*RECORDS, record(9, **bad)], train=True)


def test_a_tokenizer_that_does_not_fit_is_refused():
    with pytest.raises(ModelError, match="no end token: set its eos_token, which tells the model where a target ends"):
        made(Generation(), tokenizer=without("eos_token"))
    with pytest.raises(ModelError, match=r"task\.max_prompt_length \+ task\.max_target_length is 320, the tokenizer's"):
        made(Generation(), tokenizer=without("bos_token", model_max_length=100))
    with pytest.raises(ModelError, match=r"task\.max_prompt_length is 3, and the words of .* take 3 tokens"):
        made(Generation(max_prompt_length=3, separator=" A:"))


def test_lengths_beyond_the_models_positions_are_refused():
    task, model = Generation(max_prompt_length=40, max_target_length=16, max_new_tokens=25), decoder(positions=64)
    batch = task.collate(made(task), TOKENIZER, train=True)
    with pytest.raises(ModelError, match=r"max_new_tokens is 65, the model's limit 64: lower one of them"):
        task.loss(model, batch)


def test_a_model_that_cannot_generate_is_refused_before_training():
    task = seeded()
    batch = task.collate(made(task, train=True), TOKENIZER, train=True)
    bare = tiny_model({"head": {"kind": "causal_lm", "vocab_size": 259}})[0]
    with pytest.raises(
        ModelError, match="a TinyModel has no `generate`: task=generation needs a causal language model"
    ):
        task.loss(bare, batch)
    both = T5ForConditionalGeneration(T5Config(vocab_size=259, d_model=8, d_ff=8, num_layers=1, num_heads=1, d_kv=8))
    with pytest.raises(ModelError, match="has an encoder and a decoder"):
        task.loss(both, batch)
    # What trains it on several devices holds the model that can.
    assert task.loss(torch.nn.parallel.DataParallel(decoder()), batch).isfinite()
