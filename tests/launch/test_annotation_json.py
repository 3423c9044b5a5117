"""An annotation that went through JSON checks and names values as the original does."""

import collections.abc
import dataclasses
import enum
import json
import typing
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_ml.launch.annotation_json import from_json, to_json
from codex_ml.launch.annotations import choices, type_name
from codex_ml.launch.conversion import ConversionError, convert


class Pool(enum.Enum):
    MEAN = "mean"
    MAX = 2
    BOTH = (1, 2)


@dataclasses.dataclass
class Inner:
    size: int
    names: list[str] = dataclasses.field(default_factory=list)
    of: "Inner | None" = None


class Odd:
    pass


PLAIN = [Any, None, bool, int, float, str, Path, Pool, Inner, Odd, list, dict, tuple, set, frozenset]
PLAIN += [Literal["a", "b"], Literal[1, 2, True, None], Literal[Pool.MEAN, "x"], collections.abc.Sequence]
PLAIN += [Annotated[int, "steps"], typing.NewType("Steps", int), typing.Callable, collections.abc.Mapping]
ANNOTATIONS = st.recursive(
    st.sampled_from(PLAIN),
    lambda inner: st.one_of(
        inner.map(lambda a: list[a]),
        inner.map(lambda a: tuple[a, ...]),
        st.tuples(inner, inner).map(lambda pair: tuple[pair]),
        inner.map(lambda a: collections.abc.Sequence[a]),
        inner.map(lambda a: dict[str, a]),
        inner.map(lambda a: collections.abc.Mapping[str, a]),
        inner.map(lambda a: typing.Optional[a]),  # noqa: UP045 (None as a member of | is none)
        st.tuples(inner, inner).map(lambda pair: typing.Union[pair]),  # noqa: UP007
        inner.map(lambda a: set[a]),
    ),
    max_leaves=4,
)
TEXTS = st.sampled_from(["a", "b", "x", "MEAN", "mean", "MAX", "", "???", "1", "text"])
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.sampled_from([0.5, 1.0, float("inf")]), TEXTS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["size", "names", "of", "z"]), inner, max_size=3),
    ),
    max_leaves=5,
)


def outcome(value, annotation):
    try:
        return comparable(convert(value, annotation))
    except ConversionError as errors:
        return [(error.message, error.where, error.known) for error in errors]


def comparable(value):
    """Without the identity of classes that came back as others of the same name."""
    if isinstance(value, enum.Enum):
        return ("member", value.name)
    if dataclasses.is_dataclass(value):
        # What was left to its default is the author's, and not known.
        return ("Inner", comparable(value.size))
    if isinstance(value, list | tuple | set | frozenset):
        items = [comparable(item) for item in value]
        return type(value).__name__, sorted(items, key=repr) if isinstance(value, set | frozenset) else items
    if isinstance(value, dict):
        return {key: comparable(item) for key, item in value.items()}
    return repr(value)


@given(annotation=ANNOTATIONS, value=VALUES)
def test_values_are_converted_and_refused_alike(annotation, value):
    again = from_json(json.loads(json.dumps(to_json(annotation))))
    assert outcome(value, again) == outcome(value, annotation)
    assert type_name(again) == type_name(annotation)
    assert choices(again) == choices(annotation)


@pytest.mark.parametrize("annotation", [Pool, Inner, list[Inner], Literal[Pool.MEAN], Inner | None])
def test_a_class_of_an_authors_own_is_told_by_its_parts(annotation):
    text = json.dumps(to_json(annotation))
    assert "Pool" not in text or "MEAN" in text
    assert "Inner" not in text or '"size", "int", true' in text


def test_what_is_no_annotation_is_a_key_error():
    with pytest.raises(KeyError):
        from_json("os.system")
