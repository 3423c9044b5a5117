"""TaskTests: a right task passes, each kind of wrong one fails the check that is meant for it."""

import random
from array import array
from typing import ClassVar

import pytest

from codex_ml.interfaces import Batch, logits_of
from codex_ml.testing import TaskTests


class Right:
    """Tells whether a text is long."""

    feeds = ("labels", "tokens")
    columns = ("text",)

    def __init__(self, *, limit: int = 12):
        if limit < 1:
            raise ValueError("limit must be 1 or more")
        self.limit = limit

    def fit(self, records):
        return {"labels": [False, True], "longest": max(len(record["text"]) for record in records)}

    def head(self):
        return {"kind": "sequence_classification", "labels": [False, True], "num_labels": 2}

    def examples(self, records, tokenizer, *, train):
        for record in records:
            ids = tokenizer(record["text"], truncation=True, max_length=16)["input_ids"]
            yield {"id": record["id"], "input_ids": list(ids), "label": int(len(record["text"]) > self.limit)}

    def collate(self, examples, tokenizer, *, train):
        import torch

        width = max(len(each["input_ids"]) for each in examples)
        rows = [each["input_ids"] + [0] * (width - len(each["input_ids"])) for each in examples]
        masks = [[1] * len(each["input_ids"]) + [0] * (width - len(each["input_ids"])) for each in examples]
        inputs = {"input_ids": torch.tensor(rows), "attention_mask": torch.tensor(masks)}
        labels = torch.tensor([each["label"] for each in examples])
        return Batch(inputs, labels, [each["id"] for each in examples], len(examples))

    reduction = "sum"

    def loss(self, model, batch):
        from torch.nn.functional import cross_entropy

        return cross_entropy(logits_of(model(**batch.inputs)), batch.labels, reduction=self.reduction)

    def predict(self, model, batch, tokenizer, want):
        best = logits_of(model(**batch.inputs)).argmax(-1).tolist()
        flat = array("q", best)
        given = {"labels": (best, batch.labels.tolist()), "tokens": (flat, flat, [1] * len(best))}
        return {name: given[name] for name in want}


class Learns(Right):
    """Learns how long a long text is, and has what `mode=evaluate` and `mode=predict` ask for."""

    columns = ("text", "long")
    targets = ("long",)

    def fit(self, records):
        lengths = sorted(len(record["text"]) for record in records)
        self.limit = lengths[len(lengths) // 2]
        return {"limit": self.limit}

    def load(self, state):
        self.limit = state["limit"]

    def head(self):
        return {**super().head(), "labels": [f"up to {self.limit}", f"over {self.limit}"]}

    def answers(self, model, batch, tokenizer):
        best = logits_of(model(**batch.inputs)).softmax(-1).max(-1)
        pairs = zip(best.indices.tolist(), best.values.tolist(), strict=True)
        return [{"prediction": bool(which), "score": score} for which, score in pairs]


class LoadsNothing(Learns):
    """Forgets what it learnt."""

    def load(self, state):
        pass


class LoadsTheHeadAlone(Learns):
    """Takes up what the head is made of, and not what the examples are."""

    shown = 0

    def load(self, state):
        self.shown = state["limit"]

    def head(self):
        kept = self.limit
        self.limit = self.shown or kept
        try:
            return super().head()
        finally:
            self.limit = kept


class TargetsOfNoColumn(Learns):
    """Names a target that it doesn't read."""

    targets = ("length",)


class AnswersTooFew(Learns):
    """Leaves a record out."""

    def answers(self, model, batch, tokenizer):
        return super().answers(model, batch, tokenizer)[1:]


class AnswersWithoutScore(Learns):
    """Doesn't say how sure it is."""

    def answers(self, model, batch, tokenizer):
        return [{"prediction": each["prediction"]} for each in super().answers(model, batch, tokenizer)]


class AnswersTensors(Learns):
    """Leaves scores as the model gives them."""

    def answers(self, model, batch, tokenizer):
        import torch

        return [{**each, "score": torch.tensor(0.5)} for each in super().answers(model, batch, tokenizer)]


class TellsAnotherHead(Right):
    """Declares another head than it has."""

    __codex_meta__: ClassVar = {"head": "masked_lm"}


class PerToken(Right):
    """Tells each token from itself, so that its targets are not its records."""

    feeds = ("tokens",)

    def head(self):
        return {"kind": "causal_lm"}

    def collate(self, examples, tokenizer, *, train):
        batch = super().collate(examples, tokenizer, train=train)
        labels = batch.inputs["input_ids"].masked_fill(batch.inputs["attention_mask"] == 0, -100)
        return Batch(batch.inputs, labels, batch.ids, int((labels != -100).sum()))

    def loss(self, model, batch):
        from torch.nn.functional import cross_entropy

        return cross_entropy(logits_of(model(**batch.inputs)).flatten(0, 1), batch.labels.flatten(), reduction="sum")

    def predict(self, model, batch, tokenizer, want):
        kept = batch.labels != -100
        best = logits_of(model(**batch.inputs)).argmax(-1)
        return {"tokens": (best[kept].tolist(), batch.labels[kept].tolist(), kept.sum(1).tolist())}


class MeanLoss(Right):
    """Its loss is a mean."""

    reduction = "mean"


class LossOfShape(Right):
    """Its loss is not summed up."""

    reduction = "none"

    def loss(self, model, batch):
        return super().loss(model, batch)[:1]


class Detached(Right):
    """Its loss has no gradient."""

    def loss(self, model, batch):
        return super().loss(model, batch).detach()


class NoFeeds(Right):
    """Feeds nothing."""

    feeds = ()


class ColumnsAsText(Right):
    """Its columns are no tuple."""

    columns = "text"


class Incomplete:
    """Has not all methods."""

    feeds = ("labels",)
    columns = ("text",)

    def fit(self, records):
        return {}


class FitIsNoJson(Right):
    """What it learns cannot be kept."""

    def fit(self, records):
        return {"labels": {1, 2}}


class FitDraws(Right):
    """Learns something else each time."""

    def fit(self, records):
        return {"salt": random.SystemRandom().random()}


class HeadWithoutKind(Right):
    """Does not say what it needs."""

    def head(self):
        return {"num_labels": 2}


class ExamplesInAList(Right):
    """Makes all examples at once."""

    def examples(self, records, tokenizer, *, train):
        return list(super().examples(records, tokenizer, train=train))


class ExamplesOfTensors(Right):
    """Its examples hold tensors."""

    def examples(self, records, tokenizer, *, train):
        import torch

        for each in super().examples(records, tokenizer, train=train):
            yield {**each, "weights": torch.ones(2)}

    def collate(self, examples, tokenizer, *, train):
        return super().collate([{**each} for each in examples], tokenizer, train=train)


class ExamplesWithoutIds(Right):
    """Its examples do not say whose they are."""

    def examples(self, records, tokenizer, *, train):
        for number, each in enumerate(super().examples(records, tokenizer, train=train)):
            yield {**each, "id": number}


class LabelsAmongInputs(Right):
    """Lets the model see the labels."""

    def collate(self, examples, tokenizer, *, train):
        batch = super().collate(examples, tokenizer, train=train)
        return Batch({**batch.inputs, "labels": batch.labels}, batch.labels, batch.ids, batch.count)


class FloatLabels(Right):
    """Its labels are floats."""

    def collate(self, examples, tokenizer, *, train):
        batch = super().collate(examples, tokenizer, train=train)
        return Batch(batch.inputs, batch.labels.float(), batch.ids, batch.count)

    def loss(self, model, batch):
        return super().loss(model, Batch(batch.inputs, batch.labels.long(), batch.ids, batch.count))


class CountsRecords(PerToken):
    """Counts records where it has a target for each token."""

    def collate(self, examples, tokenizer, *, train):
        batch = super().collate(examples, tokenizer, train=train)
        return Batch(batch.inputs, batch.labels, batch.ids, len(batch.ids))


class LosesIds(Right):
    """Forgets an id."""

    def collate(self, examples, tokenizer, *, train):
        batch = super().collate(examples, tokenizer, train=train)
        return Batch(batch.inputs, batch.labels, ["x"] * len(batch.ids), batch.count)


class NoBatch(Right):
    """Collates to a dict."""

    def collate(self, examples, tokenizer, *, train):
        return dict(vars(super().collate(examples, tokenizer, train=train)))


class CollateDraws(Right):
    """Masks at random."""

    def collate(self, examples, tokenizer, *, train):
        random.random()
        return super().collate(examples, tokenizer, train=train)


class CollateDrawsTensors(Right):
    """Masks at random, by torch."""

    def collate(self, examples, tokenizer, *, train):
        import torch

        torch.rand(1)
        return super().collate(examples, tokenizer, train=train)


class PredictsTensors(Right):
    """Predicts tensors."""

    def predict(self, model, batch, tokenizer, want):
        return {"labels": (batch.labels, batch.labels), "tokens": ([], [])}


class PredictsTooFew(Right):
    """Predicts less than it is asked to."""

    def predict(self, model, batch, tokenizer, want):
        return {
            name: (p[1:], t, *more) for name, (p, t, *more) in super().predict(model, batch, tokenizer, want).items()
        }


class LosesRecords(Right):
    """Leaves a record out."""

    def predict(self, model, batch, tokenizer, want):
        return {
            name: (p[1:], t[1:], *more)
            for name, (p, t, *more) in super().predict(model, batch, tokenizer, want).items()
        }


class PredictsNothing(Right):
    """Does not give what it says it feeds."""

    def predict(self, model, batch, tokenizer, want):
        return {}


class PredictsAtRandom(Right):
    """Predicts by the toss of a coin."""

    def predict(self, model, batch, tokenizer, want):
        drawn = [random.random() for _ in batch.ids]
        return {name: (drawn, [0.0] * len(drawn)) for name in want}


class Windows(Right):
    """Cuts a record into two examples."""

    def examples(self, records, tokenizer, *, train):
        for each in super().examples(records, tokenizer, train=train):
            half = len(each["input_ids"]) // 2
            yield {**each, "input_ids": each["input_ids"][:half]}
            yield {**each, "input_ids": each["input_ids"][half:]}


class Limited(Right):
    """Has an option for what Right has decided."""

    def __init__(self, *, limit: int = 12, max_length: int = 16):
        super().__init__(limit=limit)
        self.max_length = max_length

    def examples(self, records, tokenizer, *, train):
        for each in super().examples(records, tokenizer, train=train):
            yield {**each, "input_ids": each["input_ids"][: self.max_length]}


class IgnoresItsLimit(Right):
    """Has an option, and no use for it."""

    def __init__(self, *, max_length: int = 16):
        super().__init__()


class OneId(Right):
    """Gives all examples one id."""

    def examples(self, records, tokenizer, *, train):
        for each in super().examples(records, tokenizer, train=train):
            yield {**each, "id": "0"}


class DropsARecord(Right):
    """Makes no example of the last record."""

    def examples(self, records, tokenizer, *, train):
        yield from list(super().examples(records, tokenizer, train=train))[:-1]


class SortsExamples(Right):
    """Gives the longest first."""

    def examples(self, records, tokenizer, *, train):
        made = super().examples(records, tokenizer, train=train)
        yield from sorted(made, key=lambda each: -len(each["input_ids"]))


class LabelsBackwards(Right):
    """Has the labels in another order than the predictions."""

    def predict(self, model, batch, tokenizer, want):
        return {
            name: (p, t[::-1], *more) for name, (p, t, *more) in super().predict(model, batch, tokenizer, want).items()
        }


class PredictionsBackwards(Right):
    """Predicts for another record."""

    def predict(self, model, batch, tokenizer, want):
        ids = [int(name.rpartition("#")[2]) for name in batch.ids]
        given = super().predict(model, batch, tokenizer, want)
        return {name: (ids[::-1], t, *more) for name, (_, t, *more) in given.items()}


class WithoutSizes(PerToken):
    """Does not say which tokens are whose."""

    def predict(self, model, batch, tokenizer, want):
        return {name: given[:2] for name, given in super().predict(model, batch, tokenizer, want).items()}


class SizesOfTheBatch(PerToken):
    """Says how many tokens there are in all."""

    def predict(self, model, batch, tokenizer, want):
        return {name: (p, t, [len(t)]) for name, (p, t, _) in super().predict(model, batch, tokenizer, want).items()}


class TokensBackwards(PerToken):
    """Has the tokens in another order than the records."""

    def predict(self, model, batch, tokenizer, want):
        given = super().predict(model, batch, tokenizer, want)
        return {name: (p[::-1], t[::-1], sizes[::-1]) for name, (p, t, sizes) in given.items()}


class Pairs(PerToken):
    """Joins two records to one example."""

    def examples(self, records, tokenizer, *, train):
        made = list(super().examples(records, tokenizer, train=train))
        for one, other in zip(made[::2], made[1::2], strict=True):
            yield {**one, "id": self.named(one["id"]), "input_ids": one["input_ids"] + other["input_ids"]}

    def named(self, first):
        return f"{first}@0"


class PairsOfOneId(Pairs):
    """Gives all pairs one id."""

    def named(self, first):
        return "train.jsonl#1"


class PairsOfNoRecord(Pairs):
    """Gives pairs ids of its own."""

    def named(self, first):
        return f"pair {first}"


MEMBERS, FIT, HEAD = (
    "it_has_what_a_task_has",
    "fit_returns_what_can_be_kept",
    "its_head_says_what_the_model_must_provide",
)
EXAMPLES, COLLATE, RANDOM = "examples_are_plain", "collate_gives_a_batch", "collate_draws_no_random_numbers"
SUM, GRADIENT, PREDICT = (
    "the_loss_is_the_sum_over_targets",
    "the_loss_can_be_trained_with",
    "predict_gives_what_it_feeds",
)
LOAD, ANSWERS = "what_it_learnt_can_be_loaded", "it_answers_each_record"
EACH, ORDER, LIMIT = (
    "each_record_has_its_example",
    "predict_keeps_to_the_order_of_the_batch",
    "max_length_limits_its_examples",
)
WRONG = [
    ("OneId", EACH, "examples gives the ids ['0', '0', "),
    ("DropsARecord", EACH, "each record has an example of its own id"),
    ("SortsExamples", EACH, "in the records' order"),
    ("LabelsBackwards", ORDER, "predict gives the labels [1, 1, 1, 1, 0, 0] for a batch"),
    ("PredictionsBackwards", ORDER, "predict gives the predictions"),
    ("TokensBackwards", ORDER, "predict gives the labels"),
    ("WithoutSizes", PREDICT, "it gives their sizes, a list of 6 whole numbers"),
    ("SizesOfTheBatch", PREDICT, "one for each example of the batch, which are 78 in all"),
    ("Pairs", EACH, "each record has an example of its own id"),
    ("IgnoresItsLimit", LIMIT, "gives an example of 16 tokens where max_length=8"),
    ("MeanLoss", SUM, "loss must be the sum over the targets, not their mean"),
    ("LossOfShape", GRADIENT, "the loss has the shape (1,)"),
    ("Detached", GRADIENT, "the loss has no gradient"),
    ("NoFeeds", MEMBERS, "feeds must be a tuple of names, and is ()"),
    ("ColumnsAsText", MEMBERS, "columns must be a tuple of names"),
    ("Incomplete", MEMBERS, "lacks head, examples, collate, loss, predict"),
    ("FitIsNoJson", FIT, "JSON"),
    ("FitDraws", FIT, "for the same records"),
    ("HeadWithoutKind", HEAD, "no `kind`"),
    ("TellsAnotherHead", HEAD, "['head'] is 'masked_lm', and head gives 'sequence_classification'"),
    ("LoadsNothing", LOAD, "'over 20'], 'num_labels': 2} after fit, and"),
    ("LoadsTheHeadAlone", LOAD, "collate gives"),
    ("TargetsOfNoColumn", MEMBERS, "targets must be a tuple of names of its columns"),
    ("AnswersTooFew", ANSWERS, "one for each of the 6 examples of the batch"),
    ("AnswersWithoutScore", ANSWERS, "with `prediction` and `score`"),
    ("AnswersTensors", ANSWERS, "it gives a list of dicts of plain values"),
    ("ExamplesInAList", EXAMPLES, "examples gives a list; write it with `yield`"),
    ("ExamplesOfTensors", EXAMPLES, "has in 'weights' a Tensor"),
    ("ExamplesWithoutIds", EXAMPLES, "an example is a dict with `id`, a string"),
    ("LabelsAmongInputs", COLLATE, "`labels` stands among the inputs"),
    ("FloatLabels", COLLATE, "labels must be int64"),
    ("CountsRecords", COLLATE, "counts 6 targets and has"),
    ("LosesIds", COLLATE, "the ids of a batch are"),
    ("NoBatch", COLLATE, "'dict' object has no attribute 'to'"),
    ("CollateDraws", RANDOM, "collate draws random numbers"),
    ("CollateDrawsTensors", RANDOM, "collate draws random numbers"),
    ("PredictsTensors", PREDICT, "metrics take lists or arrays of plain values"),
    ("PredictsTooFew", PREDICT, "5 predictions for 6 labels"),
    ("LosesRecords", PREDICT, "5 labels for 6 records"),
    ("PredictsNothing", PREDICT, "gives no 'labels', which stands in its feeds"),
    ("PredictsAtRandom", PREDICT, "other labels for the same batch"),
]
WRONG_PAIRS = [
    ("PairsOfOneId", "no two examples of joined records have the same"),
    ("PairsOfNoRecord", "each begins in a record of its own id"),
]
COMPONENTS = {
    "task": [
        "Right",
        "Learns",
        "Pairs",
        *(name for name, _ in WRONG_PAIRS),
        "PerToken",
        "Limited",
        "Windows",
        *(name for name, _, _ in WRONG),
    ]
}
RECORDS = [{"text": "word " * number, "long": number > 3} for number in range(1, 7)]


@pytest.mark.parametrize("name", ["Right", "Learns", "PerToken", "Limited", "Windows"])
def test_a_right_task_passes(failures, name):
    bad = [{"limit": 0}, {"limit": "short"}] if name == "Right" else []
    assert failures(TaskTests, name=name, records=RECORDS, bad_options=bad) == {}


@pytest.mark.parametrize(("name", "check", "message"), WRONG)
def test_a_wrong_task_fails(failures, name, check, message):
    found = failures(TaskTests, shared=False, name=name, records=RECORDS)
    assert message in found[check], found
    assert check in (COLLATE, EXAMPLES, MEMBERS, GRADIENT, HEAD, FIT, RANDOM) or set(found) - {ORDER} == {check} - {
        ORDER
    }


def test_a_task_that_joins_records_passes_where_it_is_said(failures):
    assert failures(TaskTests, name="Pairs", records=RECORDS, packs=True) == {}


@pytest.mark.parametrize(("name", "message"), WRONG_PAIRS)
def test_joined_records_need_ids_of_their_own(failures, name, message):
    found = failures(TaskTests, shared=False, name=name, records=RECORDS, packs=True)
    assert set(found) == {EACH}
    assert message in found[EACH]


def test_a_suite_without_records_says_so(failures):
    assert "set `records` to at least four" in failures(TaskTests, name="Right")[SUM]


def test_records_without_a_column_are_told(failures):
    found = failures(TaskTests, name="Right", records=[{"title": "a"}] * 4)
    assert "has no column 'text'" in found[SUM]
