"""A run small enough for tests, put together by hand from real components."""

import json
from dataclasses import replace
from types import SimpleNamespace

import torch
from torch import nn

from codex_addons.entry_points import InstalledEntryPoint
from codex_ml.data_loaders.jsonl import load_jsonl
from codex_ml.launch import record
from codex_ml.launch.assembly import Assembly, Component, DataFiles
from codex_ml.metrics.accuracy import accuracy
from codex_ml.metrics.f1 import f1
from codex_ml.tasks.classification import Classification
from codex_ml.trainers.functional import functional

TOPICS = {"sport": ["ball", "goal", "team", "match"], "tech": ["chip", "code", "disk", "cloud"]}
WORDS = sorted({word for words in TOPICS.values() for word in words} | {"the", "a", "and"})


def component(kind, name, factory, *, key=None, meta=None, distribution="tiny-plugin", **options):
    entry = InstalledEntryPoint(
        name, f"codex_ml.{kind}s", f"{factory.__module__}:{name}", distribution, "1.2", None, False
    )
    return Component(kind, key or name, name, options, factory, entry, meta or {})


class TinyModel(nn.Module):
    def __init__(self, rows, labels, width=8):
        super().__init__()
        self.embedding = nn.EmbeddingBag(rows, width, mode="sum")
        self.dropout = nn.Dropout(0.3)
        self.head = nn.Linear(width, labels)

    def get_input_embeddings(self):
        return self.embedding

    def forward(self, input_ids, attention_mask):
        weights = attention_mask / attention_mask.sum(1, keepdim=True)  # [batch, length]
        means = self.embedding(input_ids, per_sample_weights=weights)
        return SimpleNamespace(logits=self.head(self.dropout(means)))


def make_tokenizer(words=WORDS):
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocabulary = {word: index for index, word in enumerate(["[PAD]", "[UNK]", *words])}
    inner = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=inner, pad_token="[PAD]", unk_token="[UNK]")


def tiny_model(config):
    tokenizer = make_tokenizer()
    return TinyModel(config.get("rows") or len(tokenizer), config["head"]["num_labels"]), tokenizer


def write_records(path, count, *, start=0, **extra):
    lines = []
    for number in range(start, start + count):
        topic = sorted(TOPICS)[number % 2]
        words = [TOPICS[topic][(number + shift) % 4] for shift in range(3)]
        lines.append(json.dumps({"text": f"the {' '.join(words)} {number}", "label": topic, **extra}))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def model_of(factory, **options):
    return component("model", "mine", factory, **options)


ACCURACY = component("metric", "accuracy", accuracy, distribution="codex-ml")
F1 = component("metric", "f1", f1, distribution="codex-ml", average="macro")


def loss_only(context, *, epochs=2, batch_size=8, lr=0.5, evaluate_every=0):
    """A trainer of a dozen lines."""
    optimizer = torch.optim.SGD(context.model.parameters(), lr=lr)
    context.model.train()
    step = 0
    context.begin(epochs * -(-len(context.train) // batch_size))
    for epoch in range(epochs):
        for batch in context.batches(epoch):
            optimizer.zero_grad()
            (context.task.loss(context.model, batch) / batch.count).backward()
            optimizer.step()
            step += 1
            context.advance(step, records=len(batch.ids))
            if evaluate_every and step % evaluate_every == 0:
                context.evaluate(step=step)
    return {"metrics": {"own": 0.25}}


LOSS_ONLY = component("trainer", "loss_only", loss_only, batch_size=8)
FUNCTIONAL = component(
    "trainer",
    "functional",
    functional,
    distribution="codex-ml",
    epochs=4,
    batch_size=8,
    lr=0.05,
    log_steps=2,
    threads=1,
)


def assembly(folder, *, files=("train", "validation", "test"), **changes):
    """An assembly on a 40-record file, and 20 records each for validation and test."""
    paths = {
        name: (write_records(folder / f"{name}.jsonl", 40 if name == "train" else 20, start=start),)
        for start, name in ((0, "train"), (100, "validation"), (200, "test"))
        if name in files
    }
    whole = Assembly(
        task=component("task", "classification", Classification, distribution="codex-ml", max_length=16),
        model=component("model", "tiny_model", tiny_model),
        tokenizer=None,
        data_loader=component("data_loader", "jsonl", load_jsonl, distribution="codex-ml", encoding="utf-8"),
        trainer=FUNCTIONAL,
        metrics=(ACCURACY, F1),
        plugins=(),
        data=DataFiles(**{name: paths.get(name, ()) for name in ("train", "validation", "test")}),
    )
    return replace(whole, **changes)


class Recorder:
    """A plugin that keeps what it was told."""

    def __init__(self):
        self.events = []

    def __getattr__(self, name):
        if not name.startswith("on_"):
            raise AttributeError(name)
        return lambda *arguments: self.events.append((name, *arguments))

    def names(self):
        return [event[0] for event in self.events]


def read(folder):
    return record.read(folder) or {}


def lines(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
