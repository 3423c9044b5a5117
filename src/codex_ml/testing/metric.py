"""Checks of a metric."""

from __future__ import annotations

import math
import re
from array import array
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, ClassVar

from codex_addons.component import meta_of
from codex_ml.testing.component import ComponentTests
from codex_ml.testing.expectation import check, raised

__all__ = ["MetricTests"]

# The inputs of which a record may have any number of values.
_FLAT = ("tokens", "logprobs")
_SCALE = re.compile(r"(-?\d+(?:\.\d+)?)-(\d+(?:\.\d+)?)")


class MetricTests(ComponentTests):
    """Checks that a metric is one: `metric(predictions, labels, **options) -> float`.

    Attributes:
        cases: Predictions, labels, the score that they must get and, as a fourth item, options of this case alone.
        bad_inputs: Predictions and labels that must raise `ValueError`; by default, nothing to score. That lengths
            which differ do so is checked in any case.
        tolerance: How far a score may be off.
        inputs: What a metric may score; a task of one's own may have more to give.
    """

    kind: ClassVar[str] = "metric"
    cases: Sequence[tuple[Any, ...]] = ()
    bad_inputs: Sequence[tuple[Sequence[Any], Sequence[Any]]] = (([], []),)
    tolerance: float = 1e-9
    inputs: Sequence[str] = ("labels", "text", "tokens", "logprobs")

    def use(self, folder: Path, arguments: Mapping[str, Any]) -> Any:
        """Scores the first case."""
        predictions, labels, *_ = self._cases()[0]
        return self.component(predictions, labels, **arguments)

    def test_it_scores_the_cases(self) -> None:
        """The score is a float and the one expected."""
        for predictions, labels, expected, arguments in self._called():
            score = self._score(predictions, labels, arguments)
            close = math.isclose(score, expected, rel_tol=self.tolerance, abs_tol=self.tolerance)
            check(
                close or (math.isnan(score) and math.isnan(expected)),
                f"{self} scores {score!r}, not {expected!r}: predictions {predictions!r}, labels {labels!r}",
            )

    def test_lists_tuples_and_arrays_score_alike(self) -> None:
        """Evaluation hands over lists, and arrays where all values are numbers."""
        for predictions, labels, _, arguments in self._called():
            expected = self._score(list(predictions), list(labels), arguments)
            for kind in (tuple, _array):
                score = self._score(kind(predictions), kind(labels), arguments)
                same = score == expected or (math.isnan(score) and math.isnan(expected))
                made = type(kind(predictions)).__name__
                check(
                    same, f"{self} scores {expected!r} for lists and {score!r} for the same as {made}: {predictions!r}"
                )

    def test_its_inputs_stay_as_they_are(self) -> None:
        """The next metric scores the same objects."""
        for predictions, labels, _, arguments in self._called():
            given = list(deepcopy(predictions)), list(deepcopy(labels))
            before = deepcopy(given)
            self._score(*given, arguments)
            check(given == before, f"{self} changes its inputs: {before!r} became {given!r}")

    def test_inputs_that_do_not_fit_raise_value_error(self) -> None:
        """A number that means nothing is worse than none."""
        arguments = self.arguments()
        first, labels, *_ = self._cases()[0]
        pairs = [(list(first), list(labels)[:-1]), (list(first)[:-1], list(labels))]
        for predictions, true in [*pairs, *self.bad_inputs]:
            doing = f"{self} with the predictions {predictions!r} and the labels {true!r}"
            raised(ValueError, doing, lambda pair=(predictions, true): self.component(*pair, **arguments))

    def test_its_meta_can_be_used(self) -> None:
        """What it scores, which direction is better, and its scale, which the scores keep to."""
        meta = meta_of(self.component)
        wanted = meta.get("input", self.inputs[0])
        check(wanted in self.inputs, f"{self}: the meta key `input` must be one of {list(self.inputs)}, not {wanted!r}")
        better = meta.get("greater_is_better", True)
        check(
            isinstance(better, bool), f"{self}: the meta key `greater_is_better` must be True or False, not {better!r}"
        )
        scale = meta.get("scale", "0-1")
        check(
            isinstance(scale, str) and scale, f"{self}: the meta key `scale` must be text such as '0-1', not {scale!r}"
        )
        bounds = _SCALE.fullmatch(scale) if "scale" in meta else None
        if bounds is None:
            return
        for predictions, labels, _, arguments in self._called():
            score = self._score(predictions, labels, arguments)
            check(float(bounds[1]) <= score <= float(bounds[2]), f"{self} says its scale is {scale} and scores {score}")

    def test_its_standard_error_is_one_and_the_same(self) -> None:
        """Where a metric declares one, it is drawn from a seed alone, so that a run can be repeated from its record."""
        declared = getattr(self.component, "__codex_standard_error__", None)
        if declared is None:
            return
        check(callable(declared), f"{self}: __codex_standard_error__ is a {type(declared).__name__}, not a function")
        for predictions, labels, _, arguments in self._called():
            self._error(declared, predictions, labels, None, arguments)

    def test_its_standard_error_is_one_over_records(self) -> None:
        """A run gives it flat tokens with `sizes`, how many of them each record has; a record is drawn as a whole."""
        declared = getattr(self.component, "__codex_standard_error__", None)
        if not callable(declared) or meta_of(self.component).get("input") not in _FLAT:
            return
        for predictions, labels, _, arguments in self._called():
            nested = all(isinstance(row, list | tuple) for row in labels)
            flat, true = (_joined(side) if nested else _array(side) for side in (predictions, labels))
            sizes = [len(row) for row in labels] if nested else [1] * len(labels)
            error = self._error(declared, flat, true, sizes, arguments)
            if nested:
                other = self._error(declared, predictions, labels, None, arguments)
                told = f"{self}: the standard error is {other!r} for {predictions!r}, one list a record, and {error!r}"
                check(_same(error, other), f"{told} for the same flat with the sizes {sizes}")
            whole = self._error(declared, flat, true, [sum(sizes)], arguments)
            told = f"{self}: the standard error of {flat!r} as one record is {whole!r}: draw records, which `sizes`"
            check(not whole, f"{told} tells apart, and no single tokens; of one record there is none (None, or 0.0)")

    def _error(
        self, declared: Any, predictions: Any, labels: Any, sizes: Sequence[int] | None, arguments: Mapping[str, Any]
    ) -> float | None:
        errors = [declared(predictions, labels, sizes=sizes, seed=0, **arguments) for _ in range(2)]
        told = f"{self}: the standard error of predictions {predictions!r} and labels {labels!r}"
        for error in errors:
            fits = error is None or (isinstance(error, float) and 0 <= error < math.inf)
            check(fits, f"{told} is {error!r}; it must be a float, 0 or more, or None where it cannot be told")
        check(errors[0] == errors[1], f"{told} is once {errors[0]!r} and once {errors[1]!r}, with the same seed")
        return errors[0]

    def _cases(self) -> Sequence[tuple[Any, ...]]:
        check(self.cases, f"{type(self).__name__} has no cases: set `cases` to [(predictions, labels, score), ...]")
        return self.cases

    def _called(self) -> Iterator[tuple[Sequence[Any], Sequence[Any], float, dict[str, Any]]]:
        for predictions, labels, expected, *changes in self._cases():
            # Copies, as a metric that changes its inputs would change the author's cases.
            yield *deepcopy((predictions, labels)), float(expected), self.arguments(**(changes[0] if changes else {}))

    def _score(self, predictions: Any, labels: Any, arguments: Mapping[str, Any]) -> float:
        score = self.component(predictions, labels, **arguments)
        told = f"{self} returns {score!r} of type {type(score).__name__}; it must return a float"
        check(isinstance(score, float), told)
        return score


def _same(error: float | None, other: float | None) -> bool:
    if error is None or other is None:
        return error is other
    return math.isclose(error, other, rel_tol=1e-9, abs_tol=1e-12)


def _joined(rows: Sequence[Sequence[Any]]) -> Sequence[Any]:
    return _array([value for row in rows for value in row])


def _array(values: Sequence[Any]) -> Sequence[Any]:
    """The values as evaluation packs them: an array where all are numbers of one type."""
    kinds = {type(value) for value in values}
    code = {frozenset({int}): "q", frozenset({float}): "d"}.get(frozenset(kinds))
    return array(code, values) if code else list(values)
