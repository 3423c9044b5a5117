import enum
import functools
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Optional

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from codex_addons.errors import PluginLoadError, UnknownComponentError
from codex_ml.launch.conversion import REQUIRED
from codex_ml.launch.declarations import schema_of
from codex_ml.launch.schema import read_schema
from plugin_package import write_plugin

if TYPE_CHECKING:
    from nowhere import Unseen


class Size(enum.Enum):
    SMALL = 1
    LARGE = 2


@dataclass
class Layer:
    width: int = 4
    where: Path = Path("a")


@dataclass
class Base:
    seed: int = 1
    unseen: "Unseen | None" = None


@dataclass
class Declared(Base):
    """Every kind of default there is."""

    lr: float = field(default=0.1, metadata={"help": "How fast."})
    size: Size = Size.SMALL
    where: Path = Path("x/y")
    names: Sequence[str] = ("a", "b")
    tags: frozenset[str] = frozenset({"q", "p"})
    numbers: dict[int, str] = field(default_factory=lambda: {1: "one"})
    layer: Layer = field(default_factory=Layer)
    layers: list[Layer] = field(default_factory=lambda: [Layer(8)])
    text: str = "${not.an} ${interpolation}"
    mode: Annotated[Literal["a", "b"], "a note"] = "a"
    call: Any = print
    raw: bytes = b"x"
    dots: str = "???"
    hidden: int = field(default=3, init=False)
    given: str = field(kw_only=True)
    maybe: int = None  # type: ignore[assignment]
    slip: int = 0.5  # type: ignore[assignment]
    name: str = "mine"
    factory: str = "mine"
    head: int = 7


def declared(context):
    """A trainer."""


declared.__codex_config__ = Declared


def plain(
    context,
    rate: float,
    *,
    steps: int = 3,
    size: Size = Size.LARGE,
    note: str = None,  # noqa: RUF013
    untyped=5,
    call=print,
):
    """A trainer without a declaration."""


def partly_unseen(
    context,
    *,
    good: int = 1,
    bad: "Unseen" = None,
    worse: "list[" = 2,  # noqa: F722
    after: "float | None" = 3.0,
):
    """Annotations that only a type checker can read."""


def anything(context, *, known: int = 1, **more):
    """Takes whatever it is given."""


class ByClass:
    """A class; its own annotations are no options."""

    state: int = 0

    def __init__(self, context, *, width: int = 2, label: str | None = None):
        self.width = width


class Callable_:  # noqa: N801
    rows: int

    def __call__(self, context, *, depth: int = 6):
        """An object that is called."""


by_object = Callable_()


def wide(context, width: int, *, depth: int = 1):
    """To be bound."""


bound = functools.partial(wide, width=9)
bound_twice = functools.partial(functools.partial(wide, depth=2), width=9)


@functools.wraps(plain)
def wrapped(*args, **kwargs):
    return plain(*args, **kwargs)


class Counted:
    """A decorator that is a class."""

    def __init__(self, inside):
        functools.update_wrapper(self, inside)
        self.calls = 0

    def __call__(self, *args, **kwargs):
        self.calls += 1


counted = Counted(plain)


def bare(config):
    """A factory in the user's own style."""


def no_parameters():
    """Nothing to set."""


def typed_model(config, *, width: int = 8):
    """A model whose signature says everything."""


def open_model(config, *, width: int = 8, **more):
    """A model that takes more."""


def two(predictions, labels, average="macro"):
    """A metric."""


def two_by_keyword(predictions, labels, *, average: Literal["macro", "micro"] = "macro"):
    """A metric."""


def path_first(path, encoding: str = "utf-8"):
    """A loader."""


def undeclared(context):
    """What it declares is no dataclass."""


undeclared.__codex_config__ = {"lr": 1}


@dataclass
class Failing:
    a: int = field(default_factory=lambda: 1 // 0)


def failing(context):
    """Its defaults cannot be made."""


failing.__codex_config__ = Failing


TRAINERS = [
    *(
        "declared",
        "plain",
        "partly_unseen",
        "anything",
        "ByClass",
        "by_object",
        "bound",
        "bound_twice",
        "wrapped",
        "counted",
    ),
    *("no_parameters", "undeclared", "failing"),
]


@pytest.fixture(scope="module", autouse=True)
def plugin(tmp_path_factory):
    """A plugin whose module is this one."""
    site = tmp_path_factory.mktemp("site")
    targets = {
        "trainers": TRAINERS,
        "models": ["bare", "typed_model", "open_model", "declared"],
        "tokenizers": ["bare", "no_parameters"],
        "metrics": ["two", "two_by_keyword"],
        "data_loaders": ["path_first"],
        "plugins": ["plain"],
    }
    write_plugin(
        site,
        "schema-cases",
        entry_points={
            group: {f"sc_{name}": f"{__name__}:{name}" for name in names} for group, names in targets.items()
        },
    )
    sys.path.append(str(site))
    yield
    sys.path.remove(str(site))


def schema(kind, name):
    return schema_of(kind, f"sc_{name}")


def types(kind, name):
    return {option.name: option.annotation for option in schema(kind, name).options.values()}


def test_a_dataclass_gives_types_defaults_and_help():
    options = schema("trainer", "declared").options
    assert list(options)[:5] == ["seed", "unseen", "lr", "size", "where"]
    assert (options["lr"].annotation, options["lr"].default, options["lr"].help) == (float, 0.1, "How fast.")
    assert options["seed"].annotation is int
    assert options["mode"].annotation == Annotated[Literal["a", "b"], "a note"]


def test_defaults_stand_in_the_node_as_yaml_holds_them():
    assert schema("trainer", "declared").defaults() == {
        "seed": 1,
        "unseen": None,
        "lr": 0.1,
        "size": "SMALL",
        "where": "x/y",
        "names": ["a", "b"],
        "tags": ["p", "q"],
        "numbers": {1: "one"},
        "layer": {"width": 4, "where": "a"},
        "layers": [{"width": 8, "where": "a"}],
        "text": "\\${not.an} \\${interpolation}",
        "mode": "a",
        "given": REQUIRED,
        "maybe": None,
        "slip": 0.5,
        "head": 7,
    }


def test_a_default_that_is_no_yaml_is_an_option_that_the_node_does_not_show():
    options = schema("trainer", "declared").options
    assert {name for name, option in options.items() if not option.listed} == {"call", "raw", "dots"}
    assert options["raw"].annotation is bytes


def test_name_and_factory_are_no_options_and_head_is_none_of_a_model():
    assert not {"name", "factory", "hidden"} & {*schema("trainer", "declared").options}
    assert "head" in schema("trainer", "declared").options
    assert "head" not in schema("model", "declared").options


def test_a_signature_gives_types_and_defaults():
    assert types("trainer", "plain") == {
        "rate": float,
        "steps": int,
        "size": Size,
        "note": Optional[str],  # noqa: UP045
        "untyped": Any,
        "call": Any,
    }
    assert schema("trainer", "plain").defaults() == {
        "rate": REQUIRED,
        "steps": 3,
        "size": "LARGE",
        "note": None,
        "untyped": 5,
    }
    assert not schema("trainer", "plain").open


def test_a_none_default_makes_an_option_optional_and_a_wrong_one_says_nothing():
    options = schema("trainer", "declared").options
    assert options["maybe"].annotation == int | None
    assert options["slip"].annotation is Any


def test_an_annotation_that_cannot_be_read_takes_anything_and_the_others_stay():
    assert types("trainer", "partly_unseen") == {"good": int, "bad": Any, "worse": Any, "after": float | None}
    assert schema("trainer", "declared").options["unseen"].annotation is Any


@pytest.mark.parametrize(
    ("kind", "name", "expected"),
    [
        ("trainer", "ByClass", {"width": int, "label": str | None}),
        ("trainer", "by_object", {"depth": int}),
        ("trainer", "bound", {"width": int, "depth": int}),
        ("trainer", "bound_twice", {"width": int, "depth": int}),
        ("trainer", "no_parameters", {}),
        ("metric", "two", {"average": Any}),
        ("metric", "two_by_keyword", {"average": Literal["macro", "micro"]}),
        ("data_loader", "path_first", {"encoding": str}),
        ("tokenizer", "no_parameters", {}),
    ],
)
def test_each_kind_of_callable_is_read_without_its_conventional_arguments(kind, name, expected):
    assert types(kind, name) == expected


def test_a_decorated_function_has_the_options_of_the_one_inside():
    assert types("trainer", "wrapped") == types("trainer", "counted") == types("trainer", "plain")


def test_a_partial_shows_what_it_binds():
    assert schema("trainer", "bound").defaults() == {"width": 9, "depth": 1}


def test_a_general_plugin_has_no_conventional_arguments():
    assert list(types("plugin", "plain"))[:2] == ["context", "rate"]


def test_further_keywords_leave_a_component_open():
    assert schema("trainer", "anything").open
    assert types("trainer", "anything") == {"known": int}


def test_a_bare_config_leaves_a_model_and_a_tokenizer_open_and_no_trainer():
    assert schema("model", "bare").open
    assert schema("tokenizer", "bare").open
    assert not schema("trainer", "no_parameters").open


def test_every_model_has_a_device_and_a_dtype_and_an_open_one_a_model_name():
    assert types("model", "typed_model") == {"width": int, "device": str | None, "dtype": str | None}
    assert list(types("model", "bare")) == ["model_name", "device", "dtype"]
    assert list(types("model", "open_model")) == ["width", "model_name", "device", "dtype"]
    assert {"device", "dtype"} <= {*types("model", "declared")}
    assert all(option.help for option in schema("model", "bare").options.values())
    assert list(types("tokenizer", "bare")) == []


@pytest.mark.parametrize(("name", "reason"), [("undeclared", "must be a dataclass"), ("failing", "ZeroDivisionError")])
def test_a_declaration_that_cannot_be_read_names_its_distribution(name, reason):
    with pytest.raises(PluginLoadError, match=f"sc_{name}.*schema-cases.*{reason}"):
        schema("trainer", name)


def test_a_name_that_nobody_installed_is_unknown():
    with pytest.raises(UnknownComponentError, match="sc_plain"):
        schema_of("trainer", "sc_plian")


def test_a_schema_is_read_once():
    assert schema("trainer", "plain") is schema("trainer", "plain")
    assert isinstance(schema("trainer", "plain").options, Mapping | MappingProxyType)


TEXT = st.lists(st.sampled_from(["\\", "${", "}", "a", "$", "{", ":", "'"]), max_size=6).map("".join)


@settings(derandomize=True, deadline=None, max_examples=300)
@given(st.dictionaries(st.sampled_from("ab"), TEXT | st.lists(TEXT, max_size=2)))
def test_text_in_a_default_is_never_an_interpolation(value):
    @dataclass
    class Options:
        text: Any = field(default_factory=lambda: value)

    def factory(context):
        pass

    factory.__codex_config__ = Options
    node = OmegaConf.create(read_schema("trainer", factory).defaults())
    assert OmegaConf.to_container(node, resolve=True)["text"] == value


def test_several_complaints_are_told_apart_and_a_semicolon_within_one_stays():
    @dataclass
    class Options:
        lr: float = 1.0

        def __post_init__(self):
            raise ValueError("trainer.lr is odd; choose another; trainer.steps must be 1")

    def trainer(context, **options):
        pass

    trainer.__codex_config__ = Options
    told = read_schema("trainer", trainer).complaints({"lr": 2.0})
    assert told == ["trainer.lr is odd; choose another", "trainer.steps must be 1"]
