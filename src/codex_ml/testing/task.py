"""Checks of a task."""

from __future__ import annotations

import itertools
import math
import random
from array import array
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import orjson

from codex_addons.component import meta_of
from codex_ml.errors import CodexError
from codex_ml.launch.seeding import seed_everything
from codex_ml.testing.component import ComponentTests
from codex_ml.testing.expectation import check
from codex_ml.testing.task_checks import check_answers, check_loaded, check_sizes, is_plain, is_same
from codex_ml.testing.tiny_run import by_hand, prepared, ran, tiny_assembly

__all__ = ["TaskTests"]

_MEMBERS = ("feeds", "columns", "fit", "head", "examples", "collate", "loss", "predict")
# One prediction a record.
_BY_RECORD = ("labels", "text")


class TaskTests(ComponentTests):
    """Checks that a task is one, as `codex_ml.interfaces.Task` has it.

    The kit brings a tokenizer with a token for each byte, and a model that gives logits of each record where the head
    has `num_labels`, else of each token.

    Attributes:
        records: What it is fitted to and tried on; at least four, with the columns that it names.
        packs: Whether it joins records, so that an example may hold several of them.
    """

    kind: ClassVar[str] = "task"
    records: Sequence[Mapping[str, Any]] = ()
    packs: bool = False

    def model(self, config: dict[str, Any]) -> tuple[Any, Any]:
        """A model factory; put another one in its place for a head that the kit's model does not serve."""
        from codex_ml.testing.tiny_parts import tiny_model

        return tiny_model(config)

    def use(self, folder: Path, arguments: Mapping[str, Any]) -> Any:
        """Builds the task."""
        return self.component(**arguments)

    def test_it_has_what_a_task_has(self) -> None:
        """Its methods, what metrics it can feed, and which columns it needs."""
        task = self.use(Path(), self.arguments())
        missing = [name for name in _MEMBERS if not hasattr(task, name)]
        check(not missing, f"{self} lacks {', '.join(missing)}")
        for name in ("feeds", "columns"):
            value = getattr(task, name)
            fits = isinstance(value, tuple) and value and all(isinstance(item, str) for item in value)
            check(fits, f"{self}: {name} must be a tuple of names, and is {value!r}")
        targets = getattr(task, "targets", ())
        fits = isinstance(targets, tuple) and set(targets) <= set(task.columns)
        check(fits, f"{self}: targets must be a tuple of names of its columns, and is {targets!r}")

    def test_fit_returns_what_can_be_kept(self, tmp_path: Path) -> None:
        """What the data teach is JSON, and the same for the same records."""
        first, second = (self._prepared(tmp_path).parts.task_state for _ in range(2))
        try:
            kept = orjson.loads(orjson.dumps(first))
        except TypeError as error:
            raise AssertionError(f"{self}: what fit returns must be JSON: {error}") from error
        check(kept == first, f"{self}: fit returns {first!r}, which JSON gives back as {kept!r}")
        check(first == second, f"{self}: fit returns {first!r}, and {second!r} for the same records")

    def test_what_it_learnt_can_be_loaded(self, tmp_path: Path) -> None:
        """A task with `load` takes up what `fit` returned, as JSON keeps it: the head and the batches are the same."""
        context = self._prepared(tmp_path)
        if not hasattr(context.task, "load"):
            return
        seed_everything(context.parts.seed, "task")
        loaded = self.use(tmp_path, self.arguments())
        loaded.load(orjson.loads(orjson.dumps(context.parts.task_state)))
        check_loaded(str(self), context, loaded)

    def test_its_head_says_what_the_model_must_provide(self, tmp_path: Path) -> None:
        """A mapping with `kind`, JSON as well; what `__codex_meta__["head"]` tells of it is true."""
        head = self._prepared(tmp_path).task.head()
        check(isinstance(head, dict) and isinstance(head.get("kind"), str), f"{self}: head gives {head!r}, no `kind`")
        told = meta_of(self.component).get("head", head["kind"])
        check(told == head["kind"], f"{self}: __codex_meta__['head'] is {told!r}, and head gives {head['kind']!r}")
        try:
            orjson.dumps(head)
        except TypeError as error:
            raise AssertionError(f"{self}: head must be JSON: {error}") from error

    def test_examples_are_plain(self, tmp_path: Path) -> None:
        """An iterator of dicts with `id` and `input_ids`, of values that the cache can keep."""
        context = self._prepared(tmp_path)
        for train in (True, False):
            made = context.task.examples(iter(context.parts.splits["train"]), context.tokenizer, train=train)
            check(isinstance(made, Iterator), f"{self}: examples gives a {type(made).__name__}; write it with `yield`")
            for example in made:
                told = f"{self}: examples gives {example!r}; an example is a dict with `id`, a string, and `input_ids`"
                check(isinstance(example, dict) and isinstance(example.get("id"), str), told)
                ids = example.get("input_ids")
                check(isinstance(ids, list) and all(type(each) is int for each in ids), told + ", a list of ints")
                strays = [key for key, value in example.items() if not is_plain(value)]
                check(not strays, f"{self}: examples gives the value {strays and example[strays[0]]!r}; make it plain")

    def test_each_record_has_its_example(self, tmp_path: Path) -> None:
        """One or several in a row, with the record's own id, in the order of the records.

        A part of a record may have `@` and more behind the record's id. An example that joins records has the id of the
        first of them, and no other example has the same.
        """
        context = self._prepared(tmp_path)
        wanted = [record["id"] for record in context.parts.splits["train"]]
        for train in (True, False):
            made = [example["id"] for example in self._examples(context, train=train)]
            # A record that is cut into several examples gives its id to each.
            ids = [each for each, _ in itertools.groupby(_record_of(name, wanted) for name in made)]
            told = f"{self}: examples gives the ids {made!r} for the records {wanted!r}"
            if self.packs:
                check(len(set(made)) == len(made), f"{told}; no two examples of joined records have the same")
                inside = iter(wanted)
                told += "; each begins in a record of its own id, in the records' order"
                check(all(each in inside for each in ids), told)
            else:
                check(ids == wanted, f"{told}; each record has an example of its own id, in the records' order")

    def test_max_length_limits_its_examples(self, tmp_path: Path) -> None:
        """An option of that name is the most tokens of an example."""
        if "max_length" not in self.schema.options:
            return
        longest = max(map(_length, self._examples(self._prepared(tmp_path), train=True)))
        limit = longest // 2
        try:
            arguments = self.arguments(max_length=limit)
            context = self._prepared(tmp_path, arguments)
        except (AssertionError, CodexError, ValueError):
            # Not every length is one that it takes.
            return
        for train in (True, False):
            length = max(map(_length, self._examples(context, train=train)))
            check(length <= limit, f"{self} gives an example of {length} tokens where max_length={limit}")

    def test_collate_gives_a_batch(self, tmp_path: Path) -> None:
        """Tensors, labels apart from the inputs, ids, and the number of targets."""
        import torch

        context = self._prepared(tmp_path)
        for train in (True, False):
            batch = self._collated(context, self._examples(context, train=train), train=train)
            strays = [key for key, value in batch.inputs.items() if not isinstance(value, torch.Tensor)]
            check(batch.inputs and not strays, f"{self}: the inputs of a batch are tensors; {strays} are none")
            check("labels" not in batch.inputs, f"{self}: `labels` stands among the inputs, for the model to see")
            wanted = [example["id"] for example in self._examples(context, train=train)]
            check(list(batch.ids) == wanted, f"{self}: the ids of a batch are {batch.ids!r}, not {wanted!r}")
            targets = 0
            if batch.labels is not None:
                check(batch.labels.dtype == torch.int64, f"{self}: labels must be int64, not {batch.labels.dtype}")
                targets = int((batch.labels != -100).sum())
            check(batch.count == targets, f"{self}: a batch counts {batch.count} targets and has {targets} labels")

    def test_collate_draws_no_random_numbers(self, tmp_path: Path) -> None:
        """A batch must be the same when a run is continued."""
        import numpy as np
        import torch

        context = self._prepared(tmp_path)
        examples = self._examples(context, train=True)

        def states() -> tuple[str, str, list[int]]:
            return repr(random.getstate()), repr(np.random.get_state()), torch.get_rng_state().tolist()

        before = states()
        self._collated(context, examples, train=True)
        check(states() == before, f"{self}: collate draws random numbers; let a record's id decide instead")

    def test_the_loss_is_the_sum_over_targets(self, tmp_path: Path) -> None:
        """A batch's loss is the sum of its records' losses, so that it does not depend on how records are batched."""
        from codex_ml.launch.evaluation import evaluating

        context = self._prepared(tmp_path)
        examples = self._examples(context, train=True)
        with evaluating(context.model):
            whole = self._collated(context, examples, train=True)
            total = self._loss(context, whole)
            parts = [self._collated(context, [example], train=True) for example in examples]
            losses = [self._loss(context, part) for part in parts]
        counts = [part.count for part in parts]
        check(whole.count == sum(counts), f"{self}: a batch counts {whole.count} targets, and its records {counts}")
        check(
            math.isclose(total, sum(losses), rel_tol=1e-4, abs_tol=1e-4),
            f"{self}: the loss of {len(examples)} records is {total:.6g} and their losses' sum {sum(losses):.6g}; "
            "loss must be the sum over the targets, not their mean",
        )

    def test_the_loss_can_be_trained_with(self, tmp_path: Path) -> None:
        """A finite scalar from which gradients reach the model."""
        context = self._prepared(tmp_path)
        batch = self._collated(context, self._examples(context, train=True), train=True)
        loss = context.task.loss(context.model, batch)
        check(loss.ndim == 0, f"{self}: the loss has the shape {tuple(loss.shape)}; it is a scalar")
        check(loss.requires_grad, f"{self}: the loss has no gradient: detach nothing on the way to it")
        loss.backward()
        moved = any(each.grad is not None and bool(each.grad.any()) for each in context.model.parameters())
        check(moved and math.isfinite(loss.item()), f"{self}: the loss {loss.item()} gives the model no gradient")

    def test_predict_gives_what_it_feeds(self, tmp_path: Path) -> None:
        """As many predictions as labels, in plain Python, for each metric input that is asked for."""
        from codex_ml.launch.evaluation import evaluating

        context = self._prepared(tmp_path)
        batch = self._collated(context, self._examples(context, train=False), train=False)
        for wanted in context.task.feeds:
            with evaluating(context.model):
                given = context.task.predict(context.model, batch, context.tokenizer, [wanted])
                again = context.task.predict(context.model, batch, context.tokenizer, [wanted])
            told = f"{self}: predict gives no {wanted!r}, which stands in its feeds (it gives {list(given)})"
            check(wanted in given, told)
            predictions, labels, *sizes = given[wanted]
            told = f"{self}: predict gives {len(predictions)} predictions for {len(labels)} labels ({wanted})"
            check(len(predictions) == len(labels), told)
            if wanted in _BY_RECORD:
                told = f"{self}: predict gives {len(labels)} {wanted} for {len(batch.ids)} records; each record has one"
                check(len(labels) == len(batch.ids), told)
            else:
                check_sizes(str(self), wanted, sizes, examples=len(batch.ids), labels=len(labels))
            for values in (predictions, labels):
                plain = isinstance(values, list | tuple | array) and all(map(is_plain, values))
                check(plain, f"{self}: predict gives {values!r}; metrics take lists or arrays of plain values")
            check(given == again, f"{self}: predict gives other {wanted} for the same batch")

    def test_predict_keeps_to_the_order_of_the_batch(self, tmp_path: Path) -> None:
        """What stands at a record's place is the record's: the same as where it is predicted alone."""
        from codex_ml.launch.evaluation import evaluating

        context = self._prepared(tmp_path)
        examples = self._examples(context, train=False)
        whole = self._collated(context, examples, train=False)
        parts = [self._collated(context, [example], train=False) for example in examples]
        for wanted in context.task.feeds:
            with evaluating(context.model):
                given, *alone = (
                    context.task.predict(context.model, batch, context.tokenizer, [wanted]).get(wanted, ((), ()))
                    for batch in (whole, *parts)
                )
            for what, place in (("labels", 1), ("predictions", 0)):
                values, single = list(given[place]), [each for pair in alone for each in pair[place]]
                told = f"{self}: predict gives the {what} {values!r} for a batch, and {single!r} for its records alone"
                same = len(values) == len(single) and all(map(is_same, values, single))
                check(same, f"{told}; they stand in the order of the batch ({wanted})")

    def test_it_answers_each_record(self, tmp_path: Path) -> None:
        """A task with `answers` has one for each record, also where what is to be predicted is not there."""
        context = self._prepared(tmp_path)
        if hasattr(context.task, "answers"):
            check_answers(str(self), context)

    def test_a_tiny_run_trains_with_it(self, tmp_path: Path) -> None:
        """The whole way, with the built-in trainer."""
        record = ran(tmp_path, self._assembly(tmp_path))
        check(record["status"] == "completed", f"the run of {self} ended with {record['error']}")

    def _assembly(self, folder: Path, arguments: Mapping[str, Any] | None = None) -> Any:
        told = f"{type(self).__name__} has {len(self.records)} records: set `records` to at least four"
        check(len(self.records) >= 4, told)
        model = by_hand("model", self.model)
        return tiny_assembly(folder, records=self.records, task=self.chosen(arguments), model=model, metrics=())

    def _prepared(self, folder: Path, arguments: Mapping[str, Any] | None = None) -> Any:
        return prepared(folder, self._assembly(folder, arguments))

    def _examples(self, context: Any, *, train: bool) -> list[dict[str, Any]]:
        return list(context.task.examples(iter(context.parts.splits["train"]), context.tokenizer, train=train))

    def _collated(self, context: Any, examples: Sequence[Any], *, train: bool) -> Any:
        batch = context.task.collate(examples, context.tokenizer, train=train)
        missing = [name for name in ("inputs", "labels", "ids", "count", "to") if not hasattr(batch, name)]
        told = f"{self}: collate gives a {type(batch).__name__} without {', '.join(missing)}; see interfaces.Batch"
        check(not missing, told)
        return batch

    def _loss(self, context: Any, batch: Any) -> float:
        return float(context.task.loss(context.model, batch)) if batch.count else 0.0


def _length(example: Mapping[str, Any]) -> int:
    return len(example["input_ids"])


def _record_of(name: str, records: Sequence[str]) -> str:
    """The id of the record that an example begins in."""
    return name if name in records else name.rpartition("@")[0]
