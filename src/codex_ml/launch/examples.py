"""A split's tokenised examples, cached under everything that they depend on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from codex_ml.errors import CodexError, DataError
from codex_ml.interfaces import Example
from codex_ml.launch import token_cache
from codex_ml.launch.assembly import Assembly, Component
from codex_ml.launch.blame import blame, label
from codex_ml.launch.digests import place_digest, text_digest
from codex_ml.launch.identity import component_identity
from codex_ml.launch.splits import Split
from codex_ml.launch.versions import version_of

__all__ = ["examples_of", "tokenizer_identity"]


def examples_of(
    split: Split, assembly: Assembly, *, task: Any, task_state: Mapping[str, Any], tokenizer: Any
) -> Sequence[Example]:
    """The examples of a split: from the cache, or made now and kept there.

    A tokenizer that cannot be told from another one (no `backend_tokenizer`, no `get_vocab`) has its examples kept in
    memory instead.

    Raises:
        DataError: The split makes no example.
        CodexError: The task failed; the message names it.
    """
    train = split.name == "train"
    named = assembly.tokenizer or assembly.model
    identity = tokenizer_identity(tokenizer, named)
    with blame(assembly.task, f"on tokenising the {split.name} split"):
        if identity is None:
            found: Sequence[Example] = list(task.examples(split, tokenizer, train=train))
        else:
            key = _key(split, assembly, task_state, identity)

            def made() -> Iterator[Example]:
                yield from task.examples(split, tokenizer, train=train)
                # Kept under what was read, or not at all.
                if _key(split, assembly, task_state, identity) != key:
                    names = ", ".join(map(str, split.files))
                    raise DataError(f"{names} changed while the {split.name} split was read; run it again")

            found = token_cache.open_or_build(key, made)
    if not len(found):
        raise DataError(f"{label(assembly.task)} makes no example of the {split.name} split")
    return found


def tokenizer_identity(tokenizer: Any, component: Component) -> dict[str, Any] | None:
    """What tells a tokenizer from others, or None where nothing does.

    Args:
        tokenizer: The tokenizer.
        component: The factory that it came from.
    """
    kind = type(tokenizer)
    settings = {
        name: str(getattr(tokenizer, name, None))
        for name in ("model_max_length", "padding_side", "truncation_side", "special_tokens_map")
    }
    identity: dict[str, Any] = {"class": f"{kind.__module__}.{kind.__qualname__}", "settings": settings}
    identity["libraries"] = [version_of("transformers"), version_of("tokenizers")]
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is not None:
        content = orjson.loads(backend.to_str())
        # What the last call asked for, and the next one sets anew.
        content |= {"truncation": None, "padding": None}
        return identity | {"content": text_digest(content)}
    if hasattr(tokenizer, "get_vocab"):
        # A tokenizer in Python may do anything with its vocabulary: what made it counts as well.
        return identity | {"content": text_digest(tokenizer.get_vocab()), "made_by": component_identity(component)}
    return None


def _key(split: Split, assembly: Assembly, task_state: Mapping[str, Any], tokenizer: Mapping[str, Any]) -> str:
    data = assembly.data
    aside = 0.0 if data.validation else data.validation_fraction
    parts = {
        "split": split.name,
        "files": [[path.name, place_digest(path)] for path in split.files],
        "fraction": aside if split.name != "test" else 0.0,
        "limit": data.limit,
        "columns": dict(data.columns),
        "loader": component_identity(assembly.data_loader),
        "task": component_identity(assembly.task),
        "task_state": dict(task_state),
        "tokenizer": dict(tokenizer),
    }
    try:
        return text_digest(parts)
    except TypeError as error:
        raise CodexError(
            f"{label(assembly.task)}: what its fit returns, and every option, must be JSON: {error}"
        ) from error
