"""What a component declares about itself: attributes, so that a plugin needs no import from this package."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar, cast

__all__ = ["api_version", "component", "meta_of"]

T = TypeVar("T")

# In this order: the second is what plugins declared before there was a first.
_API_ATTRIBUTES = ("__codex_api__", "__codex_ext_api__")


def component(*, api: str = "v1", config: type | None = None, **meta: Any) -> Callable[[T], T]:
    """Declares a component; the decorated object itself is returned.

    Args:
        api: The version of the plugin API that it is written for.
        config: A dataclass with its options, their types and defaults and, in field metadata, a `help` line.
        **meta: Anything else to tell (`category`, `requires`, and for a metric `greater_is_better`, `input`, `scale`).

    Returns:
        The decorator.

    Raises:
        TypeError: The object takes no attributes (a builtin, a bound method), or `config` is not a dataclass.
    """
    if config is not None and not hasattr(config, "__dataclass_fields__"):
        raise TypeError(f"config must be a dataclass, not {config!r}: put @dataclass above it.")

    def declare(obj: T) -> T:
        target: Any = obj
        try:
            target.__codex_api__ = api
            target.__codex_meta__ = dict(meta)
            if config is not None:
                target.__codex_config__ = config
        except (AttributeError, TypeError) as error:
            raise TypeError(f"{obj!r} takes no attributes: wrap it in a function and declare that.") from error
        return obj

    return declare


def api_version(obj: object) -> str:
    """The version of the plugin API that an object declares; "v1" when it declares none."""
    for attribute in _API_ATTRIBUTES:
        declared = getattr(obj, attribute, None)
        if declared is not None:
            return str(declared)
    return "v1"


def meta_of(obj: object) -> Mapping[str, Any]:
    """What an object declares in `__codex_meta__`, read-only; empty when it declares nothing.

    Raises:
        TypeError: It declares something else than a mapping.
    """
    declared: Any = getattr(obj, "__codex_meta__", None)
    if declared is None:
        return MappingProxyType({})
    if not isinstance(declared, Mapping):
        raise TypeError(f"__codex_meta__ of {obj!r} must be a mapping, not {type(declared).__name__}.")
    items = cast("Mapping[Any, Any]", declared)
    return MappingProxyType({str(key): value for key, value in items.items()})
