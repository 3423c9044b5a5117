"""Reads pretrained weights from safetensors files and from nothing else.

transformers unpickles whatever an index or a config.json names that is no safetensors file, and an adapter's file
beside it. So the files are found and read here, and transformers gets the tensors.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

__all__ = ["read_safetensors", "refuse_adapter"]

_SUFFIX = ".safetensors"
_INDEX = f"{_SUFFIX}.index.json"
_PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
_ONLY_PICKLED = "it has only pickled weights; model.weights=pickle loads them: do so only if you trust their source"


def read_safetensors(source: Path | str, named: Any, revision: str) -> dict[str, Any]:
    """The tensors of a model by their names.

    Args:
        source: Its folder, or its id on the hub.
        named: The file that its config names for them; None for the usual ones.
        revision: Branch, tag or commit on the hub.

    Raises:
        ValueError: There is no such file, or it names others that are no safetensors files.
        OSError: The hub cannot be reached, or a file cannot be read.
        safetensors.SafetensorError: A file is damaged.
    """
    from safetensors.torch import load_file

    return {name: tensor for file in _files(source, named, revision) for name, tensor in load_file(file).items()}


def refuse_adapter(source: Path | str, revision: str) -> None:
    """Refuses a model with a PEFT adapter: where peft is installed it may bring a pickle, or lead to another model.

    Raises:
        ValueError: There is an adapter_config.json.
    """
    if _found(source, "adapter_config.json", revision):
        raise ValueError(
            f"model.model_name: {source} holds an adapter (adapter_config.json); merge it into its model, and save that"
        )


def _files(source: Path | str, named: Any, revision: str) -> list[str | Path]:
    if named is not None and not _plain(named, _SUFFIX, _INDEX):
        raise ValueError(f"model.model_name: cannot load {source}: {_refusal(named)}")
    for name in (f"model{_SUFFIX}", f"model{_INDEX}") if named is None else (named,):
        if file := _found(source, name, revision):
            return _shards(source, Path(file), revision) if name.endswith(_INDEX) else [file]
    if not isinstance(source, Path):
        raise ValueError(
            f"model.model_name: the Hugging Face hub and its cache have no safetensors weights of {source!r}. If "
            f"{_ONLY_PICKLED.removeprefix('it has only ')}"
        )
    pickled = any(path.suffix in _PICKLED for path in source.iterdir())
    reason = _ONLY_PICKLED if pickled else f"it holds no {named or f'model{_SUFFIX}'}"
    raise ValueError(f"model.model_name: cannot load {source}: {reason}")


def _shards(source: Path | str, index: Path, revision: str) -> list[str | Path]:
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"model.model_name: cannot load {source}: {index.name} is no index of weights") from error
    files: list[str | Path] = []
    for name in names:
        if not _plain(name, _SUFFIX):
            raise ValueError(f"model.model_name: cannot load {source}: {_refusal(name)}")
        file = _found(source, name, revision)
        if file is None:
            raise ValueError(f"model.model_name: cannot load {source}: {index.name} names {name}, which is not there")
        files.append(file)
    return files


def _plain(name: Any, *suffixes: str) -> bool:
    return isinstance(name, str) and name.endswith(suffixes) and not any(mark in name for mark in "/\\:")


def _refusal(name: Any) -> str:
    if isinstance(name, str) and name.endswith(_PICKLED):
        return f"{_ONLY_PICKLED} ({name})"
    return f"its weights may be only in *{_SUFFIX} files beside its config.json, not in {name!r}"


def _found(source: Path | str, name: str, revision: str) -> str | Path | None:
    if isinstance(source, Path):
        return source / name if (source / name).is_file() else None
    from transformers.utils.hub import cached_file

    return cached_file(source, name, revision=revision, _raise_exceptions_for_missing_entries=False)
