import collections.abc
import enum
import math
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Annotated, Any, Literal, NewType, Optional, Union

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codex_ml.launch.annotations import choices, type_name
from codex_ml.launch.conversion import ConversionError, convert

MISSING = "???"


class Colour(enum.Enum):
    RED = "r"
    BLUE = 2


@dataclass
class Inner:
    size: int
    names: list[str] = field(default_factory=list)


@dataclass
class Outer:
    inner: Inner
    rate: float = 0.5
    inners: list[Inner] = field(default_factory=list)


class RefusedError(Exception):
    pass


@dataclass(frozen=True)
class Kind:
    """An annotation and, written by hand, what it makes of a value."""

    annotation: Any
    reads: Callable[[Any], Any]


def refuse_unless(fits):
    if not fits:
        raise RefusedError


def a_bool(value):
    refuse_unless(value is True or value is False)
    return value


def an_int(value):
    refuse_unless(type(value) is int or (type(value) is float and value.is_integer()))
    return int(value)


def a_float(value):
    refuse_unless(type(value) in (int, float))
    return float(value)


def a_str(value):
    refuse_unless(type(value) in (str, int))
    return str(value)


def a_null(value):
    refuse_unless(value is None)


def a_literal(value):
    words = {"linear": "linear", "x": "x", "7": "7", 7: "7", 3: 3}
    refuse_unless(type(value) in (str, int) and value in words)
    return words[value]


def a_colour(value):
    named = {"RED": Colour.RED, "BLUE": Colour.BLUE, "r": Colour.RED, 2: Colour.BLUE}
    refuse_unless(type(value) in (str, int) and value in named)
    return named[value]


def a_path(value):
    refuse_unless(type(value) is str and value != "")
    return Path(value)


PLAIN = [
    Kind(bool, a_bool),
    Kind(int, an_int),
    Kind(float, a_float),
    Kind(str, a_str),
    Kind(None, a_null),
    Kind(Any, lambda value: value),
    Kind(Literal["linear", "x", "7", 3], a_literal),
    Kind(Colour, a_colour),
    Kind(Path, a_path),
    Kind(PurePath, a_path),
    Kind(NewType("Width", int), an_int),
    Kind(bytes, lambda value: value),
]


def or_null(kind):
    return Kind(Optional[kind.annotation], lambda value: None if value is None else kind.reads(value))  # noqa: UP045


def list_of(kind, annotation=list):
    def read(value):
        refuse_unless(type(value) is list)
        return [kind.reads(item) for item in value]

    return Kind(annotation[kind.annotation], read)


def tuple_of(kind):
    return Kind(tuple[kind.annotation, ...], lambda value: tuple(list_of(kind).reads(value)))


def pair_of(first, second):
    def read(value):
        refuse_unless(type(value) is list and len(value) == 2)
        return first.reads(value[0]), second.reads(value[1])

    return Kind(tuple[first.annotation, second.annotation], read)


def set_of(kind):
    def read(value):
        items = list_of(kind).reads(value)
        refuse_unless(not any(isinstance(item, list | dict) for item in items))
        return set(items)

    return Kind(set[kind.annotation], read)


def mapping_of(kind, annotation=dict):
    def read(value):
        refuse_unless(type(value) is dict)
        return {key: kind.reads(item) for key, item in value.items()}

    return Kind(annotation[str, kind.annotation], read)


def grow(inner):
    return st.one_of(
        inner.map(or_null),
        inner.map(lambda kind: Kind(Annotated[kind.annotation, "a note"], kind.reads)),
        inner.map(list_of),
        inner.map(lambda kind: list_of(kind, Sequence)),
        inner.map(lambda kind: list_of(kind, collections.abc.Iterable)),
        inner.map(tuple_of),
        st.builds(pair_of, inner, inner),
        st.sampled_from(PLAIN).map(set_of),
        inner.map(mapping_of),
        inner.map(lambda kind: mapping_of(kind, collections.abc.Mapping)),
    )


KINDS = st.recursive(st.sampled_from(PLAIN), grow, max_leaves=4)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.sampled_from([0.5, 1.0, -2.0, math.inf])
    | st.sampled_from(["", "linear", "x", "7", "RED", "r", "true", "0.5", "a b"])
    | st.text(string.ascii_letters, max_size=3)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1, max_size=2), inner, max_size=3)
    ),
    max_leaves=6,
)


def same(left, right):
    """Equal, and of equal types all the way down: 1, 1.0 and True are three."""
    if type(left) is not type(right):
        return False
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(same(a, b) for a, b in zip(left, right, strict=True))
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, set):
        return {(type(item), item) for item in left} == {(type(item), item) for item in right}
    return left == right


@settings(derandomize=True, deadline=None, max_examples=600)
@given(KINDS, VALUES)
def test_a_value_is_taken_and_typed_as_by_hand(kind, value):
    try:
        expected = kind.reads(value)
    except RefusedError:
        with pytest.raises(ConversionError):
            convert(value, kind.annotation)
    else:
        assert same(convert(value, kind.annotation), expected)


@settings(derandomize=True, deadline=None, max_examples=200)
@given(KINDS, VALUES)
def test_every_kind_has_a_name_without_python_in_it(kind, value):
    assert not {"typing", "class", "Union", "[", "NoneType"} & {*type_name(kind.annotation).replace("[", " [ ").split()}


@pytest.mark.parametrize(
    ("annotation", "value", "expected"),
    [
        (str | int, 3, 3),
        (str | int, "3", "3"),
        (int | float, 3, 3),
        (float | int, 3, 3),
        (float | None, 3, 3.0),
        (str | float, 3, 3.0),
        (str | Path, "x", "x"),
        (Path | None, "x", Path("x")),
        (bool | str, True, True),
        (str | bool, "true", "true"),
        (int | bool, True, True),
        (str | list[str], ["a"], ["a"]),
        (str | list[str] | None, 5, "5"),
        (Literal["auto"] | int, "auto", "auto"),
        (Literal["auto"] | int, 4, 4),
        (Union[Annotated[int, "x"], str], "a", "a"),  # noqa: UP007
        (dict[str, int] | list[int], [1], [1]),
        (Inner | None, {"size": 2}, Inner(2)),
        (Literal["16", "32"], 16, "16"),
        (Literal[Colour.RED], "RED", Colour.RED),
        (Colour, "BLUE", Colour.BLUE),
        (Colour, 2, Colour.BLUE),
        (dict[int, str], {1: "a"}, {1: "a"}),
        (dict, {"a": [1]}, {"a": [1]}),
        (list, [1, "a"], [1, "a"]),
        (tuple, [1], (1,)),
        (frozenset[int], [1, 1], frozenset({1})),
        (collections.abc.Set[int], [1], {1}),
        (complex, "anything at all", "anything at all"),
        (Callable[[], int], 3, 3),
        ("a name that nobody knows", 3, 3),
    ],
)
def test_of_several_kinds_the_nearest_takes_the_value(annotation, value, expected):
    assert same(convert(value, annotation), expected)


@pytest.mark.parametrize(
    ("annotation", "value", "message"),
    [
        (int, True, "must be int, not true"),
        (int, 1.5, "must be int, not 1.5"),
        (int, math.nan, "must be int, not nan"),
        (int, "1", "must be int, not '1'"),
        (float, "fast", "must be float, not 'fast'"),
        (float, None, "must be float, not null"),
        (bool, 1, "must be true or false, not 1"),
        (bool, "yes", "must be true or false, not 'yes'"),
        (str, 1.5, "must be str, not 1.5; quote it if it is text"),
        (str | None, True, "must be str or null, not true; quote it if it is text"),
        (int | None, "x", "must be int or null, not 'x'"),
        (Literal["linear", "cosine"], "lineal", "must be one of linear, cosine, not 'lineal'; did you mean 'linear'?"),
        (Literal["linear"] | None, "liner", "must be one of linear or null, not 'liner'; did you mean 'linear'?"),
        (Literal["no", "yes"], False, "must be one of no, yes, not false"),
        (Literal["true", "x"], True, "must be one of true, x, not true; quote it if it is text"),
        (Colour, "RAD", "must be one of RED, BLUE, not 'RAD'; did you mean 'RED'?"),
        (Colour, True, "must be one of RED, BLUE, not true"),
        (list[str], "a", "must be a list of str, not 'a'"),
        (dict[str, int], [1], "must be a mapping, not [1]"),
        (tuple[int, str], [1], "must have 2 items, not 1"),
        (Path, "", "must be path, not ''"),
        (Inner, 3, "must be a mapping, not 3"),
        (str | list[str], {"a": 1}, "must be str or list of str, not {'a': 1}"),
        (set, [[1]], "must hold plain values, for each counts once"),
        (int, MISSING, "has no value"),
        (Any, MISSING, "has no value"),
    ],
)
def test_what_does_not_fit_is_told_in_the_words_of_yaml(annotation, value, message):
    with pytest.raises(ConversionError) as caught:
        convert(value, annotation)
    assert (caught.value.message, caught.value.where) == (message, "")


def test_a_long_value_is_cut_short():
    with pytest.raises(ConversionError) as caught:
        convert(list(range(1000)), int)
    assert len(caught.value.message) < 120


@settings(derandomize=True, deadline=None, max_examples=100)
@given(st.data())
def test_the_place_of_an_error_is_told(data):
    annotation, value, where = int, "wrong", ""
    for _ in range(data.draw(st.integers(0, 4))):
        if data.draw(st.booleans()):
            before, after = data.draw(st.integers(0, 2)), data.draw(st.integers(0, 2))
            good = sample(annotation)
            annotation, value = list[annotation], [good] * before + [value] + [good] * after
            where = f"[{before}]{where}"
        else:
            key = data.draw(st.text("abc", min_size=1, max_size=3))
            good = sample(annotation)
            annotation, value, where = dict[str, annotation], {"good": good, key: value}, f".{key}{where}"
    with pytest.raises(ConversionError) as caught:
        convert(value, annotation)
    assert [error.where for error in caught.value] == [where]
    assert caught.value.message == "must be int, not 'wrong'"


def sample(annotation):
    """A value that fits: an int, or an empty list or mapping."""
    return 1 if annotation is int else getattr(annotation, "__origin__", list)()


def test_a_nested_dataclass_is_made_with_its_parts_typed():
    value = {"inner": {"size": 1.0, "names": ["a", 2]}, "rate": 1, "inners": [{"size": 3}]}
    assert convert(value, Outer) == Outer(Inner(1, ["a", "2"]), 1.0, [Inner(3)])


def test_everything_wrong_inside_a_value_is_told_at_once():
    value = {"inner": {"sise": 1}, "rate": "fast", "inners": [{"size": 1}, {"size": "x", "names": [None]}]}
    with pytest.raises(ConversionError) as caught:
        convert(value, Outer)
    assert [(error.where, error.message) for error in caught.value] == [
        (".inner.size", "has no value"),
        (".inner.sise", "unknown key"),
        (".rate", "must be float, not 'fast'"),
        (".inners[1].size", "must be int, not 'x'"),
        (".inners[1].names[0]", "must be str, not null"),
    ]
    assert list(caught.value)[1].known == ("size", "names")


def test_what_is_wrong_inside_says_more_than_that_the_union_does_not_fit():
    with pytest.raises(ConversionError) as caught:
        convert(["a", None], str | list[str])
    assert (caught.value.where, caught.value.message) == ("[1]", "must be str, not null")


def test_what_a_dataclass_itself_refuses_is_a_conversion_error():
    @dataclass
    class Positive:
        size: int

        def __post_init__(self):
            if self.size < 1:
                raise ValueError("size must be positive")

    with pytest.raises(ConversionError, match="does not fit: size must be positive"):
        convert({"size": 0}, Positive)


@pytest.mark.parametrize(
    ("annotation", "name"),
    [
        (Any, "anything"),
        (bool, "true or false"),
        (Literal["a", None, True], "one of a, null, true"),
        (list[str], "list of str"),
        (tuple[int, str], "list of int and str"),
        (tuple[int, ...], "list of int"),
        (set[int], "list of int"),
        (list, "list"),
        (dict[str, int], "mapping"),
        (Inner, "mapping"),
        (Path | None, "path or null"),
        (Annotated[int, "x"], "int"),
        (Colour, "one of RED, BLUE"),
        (str | list[str] | None, "str or list of str or null"),
    ],
)
def test_kinds_are_named_as_a_user_would_say_them(annotation, name):
    assert type_name(annotation) == name


def test_the_words_of_an_annotation_are_those_of_all_its_members():
    assert choices(Literal["a", "b"] | Colour | None) == ["a", "b", "RED", "BLUE"]
    assert choices(str | None) == []
