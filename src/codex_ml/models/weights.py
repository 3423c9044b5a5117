"""Reads pretrained weights from files that hold tensors and nothing else.

transformers unpickles whatever an index or a config.json names that is no safetensors file, and an adapter's file
beside it. So the files are found and read here, and transformers gets the tensors.
"""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

from codex_ml.models.sources import Source

__all__ = ["read_tensors", "refuse_adapter"]

_SUFFIX = ".safetensors"
_SAFE = (f"model{_SUFFIX}", f"model{_SUFFIX}.index.json")
_PICKLE = ("pytorch_model.bin", "pytorch_model.bin.index.json")
_INDEX = ".index.json"
_PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
_INSTEAD = "save them as safetensors, or set model.allow_pickle=true, which takes tensors and nothing else from them"
_ONLY_PICKLED = f"it has only pickled weights; {_INSTEAD}"


def read_tensors(source: Source, named: Any, *, allow_pickle: bool) -> dict[str, Any]:
    """The tensors of a model by their names, from safetensors files where there are any.

    Args:
        source: Where its files are.
        named: The file that its config names for them; None for the usual ones.
        allow_pickle: Whether a pickle is read where there are no others. torch then makes tensors and plain values of
            it alone (`weights_only`), and refuses one that asks for more.

    Raises:
        ValueError: There is no such file, it names others that may not be read, or a pickle holds more than tensors.
        OSError: The hub cannot be reached, or a file cannot be read.
        safetensors.SafetensorError: A file is damaged.
    """
    tensors: dict[str, Any] = {}
    for file in _files(source, named, allow_pickle):
        tensors.update(_read(file, source))
    return tensors


def refuse_adapter(source: Source) -> None:
    """Refuses a model with a PEFT adapter: where peft is installed it may bring a pickle, or lead to another model.

    Raises:
        ValueError: There is an adapter_config.json.
    """
    if source.file("adapter_config.json"):
        raise ValueError(
            f"model.model_name: {source} holds an adapter (adapter_config.json); merge it into its model, and save that"
        )


def _read(file: Path, source: Source) -> dict[str, Any]:
    if file.suffix == _SUFFIX:
        from safetensors.torch import load_file

        return load_file(file)
    import torch

    try:
        told = torch.load(file, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, EOFError) as error:
        # torch goes on to advise how to run what the file holds.
        raise ValueError(
            f"model.model_name: cannot load {source}: {file.name} holds something else than tensors, or is damaged"
        ) from error
    if not isinstance(told, dict) or not all(isinstance(value, torch.Tensor) for value in told.values()):
        raise ValueError(f"model.model_name: cannot load {source}: {file.name} is no mapping of names to tensors")
    return told


def _files(source: Source, named: Any, allow_pickle: bool) -> list[Path]:
    suffixes = (_SUFFIX, *(_PICKLED if allow_pickle else ()))
    endings = (*suffixes, *(f"{suffix}{_INDEX}" for suffix in suffixes))
    if named is not None and not _plain(named, endings):
        raise ValueError(f"model.model_name: cannot load {source}: {_refusal(named)}")
    usual = (*_SAFE, *(_PICKLE if allow_pickle else ()))
    for name in usual if named is None else (named,):
        if file := source.file(name):
            return _shards(source, file, suffixes) if name.endswith(_INDEX) else [file]
    if source.folder is None:
        lacks = "weights" if allow_pickle else "safetensors weights"
        hint = "" if allow_pickle else f"; if there are pickled ones, {_INSTEAD}"
        raise ValueError(
            f"model.model_name: the Hugging Face hub and its cache have no {lacks} of {str(source)!r}{hint}"
        )
    pickled = not allow_pickle and any(path.suffix in _PICKLED for path in source.folder.iterdir())
    reason = _ONLY_PICKLED if pickled else f"it holds no {named or ' or '.join(usual[::2])}"
    raise ValueError(f"model.model_name: cannot load {source}: {reason}")


def _shards(source: Source, index: Path, suffixes: tuple[str, ...]) -> list[Path]:
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"model.model_name: cannot load {source}: {index.name} is no index of weights") from error
    files: list[Path] = []
    for name in names:
        if not _plain(name, suffixes):
            raise ValueError(f"model.model_name: cannot load {source}: {_refusal(name)}")
        file = source.file(name)
        if file is None:
            raise ValueError(f"model.model_name: cannot load {source}: {index.name} names {name}, which is not there")
        files.append(file)
    return files


def _plain(name: Any, endings: tuple[str, ...]) -> bool:
    return isinstance(name, str) and name.endswith(endings) and not any(mark in name for mark in "/\\:")


def _refusal(name: Any) -> str:
    plain = isinstance(name, str) and not any(mark in name for mark in "/\\:")
    if plain and name.removesuffix(_INDEX).endswith(_PICKLED):
        return f"{_ONLY_PICKLED} ({name})"
    return f"its weights may be only in *{_SUFFIX} files beside its config.json, not in {name!r}"
