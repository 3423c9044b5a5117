"""What Hydra and OmegaConf complain of, said in one line, with the way out."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.types import Override
from omegaconf import (
    BooleanNode,
    DictConfig,
    EnumNode,
    FloatNode,
    IntegerNode,
    ListConfig,
    Node,
    OmegaConf,
    StringNode,
)
from omegaconf.errors import OmegaConfBaseException

from codex_addons.errors import CodexAddonsError
from codex_addons.policy import refusal
from codex_ml import registries
from codex_ml.launch.annotations import said
from codex_ml.launch.declarations import schema_of
from codex_ml.launch.nearest import nearest
from codex_ml.launch.nodes import nodes, written_out

__all__ = ["is_unreadable", "misfits", "of_empty", "of_failure", "of_nobody", "of_syntax", "of_unknown_key", "unchosen"]

Keys = tuple[Any, ...]

# What OmegaConf adds to each of its messages.
_NOISE = ("full_key:", "reference_type=", "object_type=")
_TYPED = {BooleanNode: "true or false", FloatNode: "float", IntegerNode: "int", StringNode: "str"}


def of_failure(error: BaseException, override: Override | None = None) -> str:
    """What to say of anything else: a failure's first and last line, or its cause's where that says more."""
    if isinstance(error, RecursionError):
        return "a YAML file builds on itself: it may not bear the name of the option that its defaults list names"
    if type(error) is KeyError:
        # Raised by Hydra itself for this alone.
        return f"hydra.job.env_copy names {error}, and there is no such variable here"
    text = str(error)
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith(_NOISE)]
    twice = any(phrase in text for phrase in ("appears more than once", "Multiple values for", "An item is already at"))
    if twice and override is not None and override.is_add():
        return f"'{override.key_or_group}' is there already: leave out the +"
    if twice:
        return f"{lines[0].rstrip('.')}; in a defaults list write 'override /group: option' to change a choice"
    if text.startswith("Could not delete") and override is not None:
        return (
            f"'{override.key_or_group}' has no such choice to take away; for none at all: {override.key_or_group}=none"
        )
    cause = error.__cause__
    if cause is not None and str(cause).strip() and str(cause).splitlines()[0] not in lines:
        lines.append(str(cause).splitlines()[0])
    place = error.full_key if isinstance(error, OmegaConfBaseException) and override is None else None
    told = ": ".join(line.rstrip(".:") for line in dict.fromkeys(lines[:1] + lines[-1:]))
    return (f"'{place}': " if place else "") + (told or type(error).__name__)


def of_syntax(text: str, message: str) -> str:
    """What to say of an override that cannot be parsed, or that needs --multirun."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip("+~"):
        return "not an override: write key=value (see codex-run --help)"
    if "Ambiguous value" in message or "requires --multirun" in message:
        single = key.strip("+") in registries.KINDS and key.strip("+") not in registries.MANY
        return "several values need --multirun" + ("" if single else f"; for one list write '{key}=[{value}]'")
    quoted = f"'{key}=\"{value}\"'" if not {'"', "'"} & {*value} else f"'{key}=\"...\"'"
    reason = re.sub(r" expecting .*", "", message.partition("\n")[0])
    return f"cannot be parsed: {reason}; quote special characters: {quoted}"


def of_empty(group: str, loader: ConfigLoader) -> str:
    """What to type instead of `group=null`."""
    options = [str(option) for option in loader.get_group_options(group)]
    return (
        f"a group takes the name of an option: {group}=none"
        if "none" in options
        else (f"a group takes the name of an option: one of {', '.join(options)}")
    )


def of_unknown_key(override: Override, config: DictConfig, loader: ConfigLoader) -> str:
    """What to say of an override of a key that isn't there; empty when that isn't the trouble."""
    if override.is_add() or override.is_force_add():
        return ""
    if override.package is not None:
        return f"there is no such choice to override; to add one: +{override.input_line}"
    node, path = config, ""
    for part in override.key_or_group.split("."):
        if node._get_node(part, validate_access=False) is None:
            # Some nodes take keys of the user's own.
            free = not (OmegaConf.is_struct(node) or override.is_delete())
            return "" if free else _absent(override, path, part, node, loader)
        child, path = node._get_node(part), f"{path}.{part}".strip(".")
        if not isinstance(child, DictConfig) or child._is_none() or child._is_interpolation():
            inside = override.key_or_group.removeprefix(path).strip(".").partition(".")[0]
            whole = f"; set it whole: '{path}={{{inside}: ...}}'" if child is not None and child._is_none() else ""
            return f"'{path}' holds no keys{whole}" if path != override.key_or_group else ""
        node = child
    value = override.value()
    given = value if isinstance(value, dict) and OmegaConf.is_struct(node) else {}
    strays = [str(key) for key in given if node._get_node(key, validate_access=False) is None]
    return f"'{path}' has no key {strays[0]}{nearest(strays[0], (str(key) for key in node))}" if strays else ""


def _absent(override: Override, path: str, part: str, node: DictConfig, loader: ConfigLoader) -> str:
    names = [str(key) for key in node if key not in ("name", "factory", "hydra")]
    key = override.key_or_group
    if path in registries.MANY:
        return _not_chosen(path, part, names, loader)
    if not path:
        # modle=minilm means model, though mode is nearer by a letter.
        meant = [
            name for name in names if name in registries.KINDS and str(override.value()) in registries.options(name)
        ]
        near = nearest(part, meant) or nearest(part, names) or _elsewhere(key, config=node)
        return f"unknown key '{key}'{near or '; the keys: ' + ', '.join(names) + '; values of your own go under vars'}"
    near = nearest(part, names, f"{path}.{{}}")
    more = f"; to add it: +{override.input_line}" if _is_open(path, node) else ""
    return f"unknown key '{key}'{near or f'; the keys of {path}: ' + (', '.join(names) or 'none')}{more}"


def of_nobody(kind: str, name: str) -> str:
    """What to say of a component that the distribution in its name doesn't offer, or may not."""
    distribution = name.rpartition("/")[0]
    refused = refusal(distribution)
    return f"there is no {kind} '{name}': " + (refused or f"no installed distribution '{distribution}' offers one")


def is_unreadable(key: str, config: DictConfig) -> bool:
    """Whether a key is below a component that cannot be loaded, which is told by itself: its options are unknown."""
    for kind, path, node in nodes(config):
        if key.startswith(f"{path}."):
            try:
                schema_of(kind, str(node._get_node("name")))
            except CodexAddonsError:
                return True
    return False


def _is_open(path: str, node: DictConfig) -> bool:
    """Whether a node is that of a component that takes any key."""
    kind, name = path.partition(".")[0], node._get_node("name", validate_access=False)
    return kind in registries.KINDS and name is not None and schema_of(kind, str(name)).open


def _not_chosen(kind: str, part: str, chosen: list[str], loader: ConfigLoader) -> str:
    """For `metric.f2.average=macro`, or `metric.average=macro`."""
    options = [str(option) for option in loader.get_group_options(kind) if option != "none"]
    if part in options:
        return f"{kind} '{part}' is not chosen: '{kind}=[{','.join([*chosen, part])}]'"
    inside = [name for name in chosen if name in registries.options(kind)]
    near = nearest(part, chosen, kind + ".{}") or f"; an option is {kind}.<name>.{part}, and chosen are: "
    return f"unknown {kind} '{part}'{near}{'' if near.endswith('?') else ', '.join(chosen or inside) or 'none'}"


def _elsewhere(key: str, config: DictConfig) -> str:
    """A hint for `lr=1` where `trainer.lr` was meant."""
    for place in ("trainer", "data", "run", *registries.KINDS):
        node = config._get_node(place) if place in config else None
        if (
            isinstance(node, DictConfig)
            and not node._is_none()
            and node._get_node(key, validate_access=False) is not None
        ):
            return f"; did you mean '{place}.{key}'?"
    return ""


def misfits(merged: DictConfig, config: Any, *, primary: bool) -> list[tuple[Keys, str]]:
    """The keys of a config that cannot be merged with the configs before it, each with what to say of it.

    Args:
        merged: What the configs before it gave.
        config: The config, at its place.
        primary: Whether it is the primary config, whose defaults list chooses rather than overrides.
    """
    wrong = unchosen(config)
    if not wrong and _merging(merged, config) is None:
        return []
    plain: Any = OmegaConf.to_container(config, resolve=False)
    found = [((key,), _of_choice(key, value, primary=primary)) for key, value in wrong.items()]
    return found + _misfits(merged, {key: value for key, value in plain.items() if key not in wrong}, ())


def unchosen(config: Any) -> dict[str, Any]:
    """The groups of components that a config sets as if they were values, `model: minilm`."""
    if not isinstance(config, DictConfig):
        return {}
    found: dict[str, Any] = {}
    for kind in (*registries.KINDS, "data"):
        node: Any = config._get_node(kind, validate_access=False)
        if node is None or isinstance(node, DictConfig) or node._is_none() or node._is_missing():
            continue
        value: Any = OmegaConf.to_container(node, resolve=False) if isinstance(node, ListConfig) else node._value()
        # The check of the whole config says what to do about an interpolation.
        if not node._is_interpolation() and (kind in registries.KINDS or _names_of(value)):
            found[kind] = value
    return found


def _names_of(value: Any) -> list[str]:
    names = value if isinstance(value, list) else [value]
    return names if all(isinstance(name, str) for name in names) else []


def _of_choice(group: str, value: Any, *, primary: bool) -> str:
    names = _names_of(value)
    option = (f"[{', '.join(names)}]" if group in registries.MANY else names[0]) if names else "<name>"
    option = "none" if value == [] and group in registries.MANY else option
    verb = "" if primary else "override /"
    return f"'{group}' must be chosen by name: in its defaults list, {verb}{group}: {option}"


def _merging(merged: DictConfig, config: Any) -> OmegaConfBaseException | None:
    """Why one cannot be merged with the other; both stay as they are."""
    try:
        copy.deepcopy(merged).merge_with(config)
    except OmegaConfBaseException as error:
        return error
    return None


def _misfits(merged: DictConfig, values: Mapping[Any, Any], above: Keys) -> list[tuple[Keys, str]]:
    """The same of the keys below a place, as far down as one can be told."""
    found: list[tuple[Keys, str]] = []
    for key, value in values.items():
        keys, nested = (*above, key), value
        for part in reversed(keys):
            nested = {part: nested}
        error = _merging(merged, OmegaConf.create(nested))
        if error is not None:
            inside = isinstance(value, dict) and isinstance(_node(merged, keys), DictConfig)
            inner = _misfits(merged, value, keys) if inside else []
            found += inner or [(keys, _of_misfit(merged, keys, value, error))]
    return found


def _of_misfit(merged: DictConfig, keys: Keys, value: Any, error: OmegaConfBaseException) -> str:
    path, above = ".".join(map(str, keys)), ".".join(map(str, keys[:-1]))
    node, parent = _node(merged, keys), _node(merged, keys[:-1])
    given = "a list" if isinstance(value, list) else "a mapping" if isinstance(value, dict) else said(value)
    given = repr(value) if isinstance(value, str) else given
    if isinstance(node, DictConfig) and not isinstance(value, dict):
        return f"'{path}' must be a mapping, not {given}"
    if isinstance(node, ListConfig) and not isinstance(value, list):
        return f"'{path}' must be a list, not {given}"
    if node is None and isinstance(parent, DictConfig):
        names = [str(name) for name in parent]
        near = nearest(str(keys[-1]), names, f"{above}.{{}}")
        return f"unknown key '{path}'{near or f'; the keys of {above}: ' + ', '.join(names)}"
    if isinstance(node, EnumNode):
        return f"'{path}' must be one of {', '.join(node.enum_type.__members__)}, not {given}"
    wanted = next((name for kind, name in _TYPED.items() if isinstance(node, kind)), None)
    return f"'{path}' must be {wanted}, not {given}" if wanted else f"'{path}' cannot be set: {of_failure(error)}"


def _node(config: DictConfig, keys: Sequence[Any]) -> Node | None:
    node: Any = config
    for key in keys:
        node = node._get_node(key, validate_access=False) if written_out(node) else None
    return node
