"""The trained model in a folder from which it can be loaded again, and its weights in a file."""

from __future__ import annotations

import inspect
import os
import re
import secrets
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import orjson

from codex_ml.errors import CodexError, ModelError
from codex_ml.launch.assembly import Assembly
from codex_ml.launch.checkpoints import clear_partial
from codex_ml.launch.provenance import component_record
from codex_ml.launch.record import RECORD_FILE, sync_folder

__all__ = ["EXPORT_FILE", "WEIGHTS_FILE", "clear_leftovers", "export", "read_weights", "write_weights"]

EXPORT_FILE = "codex.json"
WEIGHTS_FILE = "model.safetensors"

_OURS = r"\d+-[0-9a-f]{8}"
_CUT_FOLDER = re.compile(rf"\.model\.{_OURS}")
_CUT_RECORD = re.compile(rf"\.{re.escape(RECORD_FILE)}\.{_OURS}")
# The first is safetensors' own: it writes beside the file that it is told to write, which is itself a part of ours.
_CUT_WEIGHTS = re.compile(rf"\.tmp[0-9A-Za-z]{{6}}|\.{re.escape(WEIGHTS_FILE)}\.{_OURS}")


def clear_leftovers(folder: Path) -> None:
    """Removes from a run's folder what processes that were killed while they wrote have left there, and nothing else.

    That is parts of records, weights and exports; what cannot be removed stays. The caller holds the folder's lock, as
    the parts of a process at work have such names too.

    Args:
        folder: The run's folder; it need not be there.
    """
    with suppress(OSError):
        for path in folder.iterdir():
            if _CUT_FOLDER.fullmatch(path.name) and path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
        _remove_files(folder, _CUT_RECORD)
    clear_partial(folder)
    _remove_files(folder / "checkpoints" / "best", _CUT_WEIGHTS)


def _remove_files(folder: Path, names: re.Pattern[str]) -> None:
    with suppress(OSError):
        for path in folder.iterdir():
            if names.fullmatch(path.name) and path.is_file() and not path.is_symlink():
                path.unlink()


def write_weights(model: Any, path: Path, metadata: Mapping[str, str] | None = None) -> None:
    """Writes a torch module's state to a safetensors file, which appears whole or not at all.

    Tensors that share their memory are written one by one, so that the file loads into any model of that shape.

    Args:
        model: A torch module.
        path: The file; its folder is made.
        metadata: Strings kept in the file's header. At most one, as the header's order is not fixed.

    Raises:
        OSError: The file cannot be written; what was there is whole.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    tensors, seen = {}, set()
    for name, value in model.state_dict().items():
        if not hasattr(value, "untyped_storage"):
            continue
        tensor = value.detach().contiguous()
        memory = tensor.untyped_storage().data_ptr()
        tensors[name] = tensor.clone() if memory in seen else tensor
        seen.add(memory)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}")
    try:
        # safetensors makes a file that its owner alone may read; this one is to be as any other that is written here.
        partial.touch()
        mode = partial.stat().st_mode
        save_file(tensors, partial, metadata=dict(metadata or {"format": "pt"}))
        partial.chmod(mode)
        _sync_file(partial)
        os.replace(partial, path)
    except SafetensorError as error:
        raise OSError(str(error)) from error
    finally:
        partial.unlink(missing_ok=True)
    sync_folder(path.parent)


def read_weights(model: Any, path: Path) -> None:
    """Loads what `write_weights` wrote into a model of the same shape.

    Raises:
        ModelError: The file holds the weights of another model.
    """
    from safetensors.torch import load_file

    found = model.load_state_dict(load_file(path), strict=False)
    # What is no tensor (a module's extra state) is not written. Of tensors that share their memory save_pretrained
    # writes one, which is all of them.
    places = {
        name: value.untyped_storage().data_ptr()
        for name, value in model.state_dict().items()
        if hasattr(value, "untyped_storage")
    }
    filled = {place for name, place in places.items() if name not in found.missing_keys}
    lost = [name for name in found.missing_keys if name in places and places[name] not in filled]
    if found.unexpected_keys or lost:
        raise ModelError(f"{path} holds the weights of another model")


def export(
    folder: Path,
    *,
    assembly: Assembly,
    model: Any,
    tokenizer: Any,
    task_state: Mapping[str, Any],
    head: Mapping[str, Any],
    card: str = "",
) -> Path:
    """Writes the model, its tokenizer and `codex.json` (components, task state, head); returns the folder.

    With `save_pretrained` where they have it; else the weights alone, which together with the model's name and options
    in `codex.json` are enough to build it again. The folder appears whole or not at all.

    Args:
        folder: The folder; one that is there already is replaced.
        assembly: The run's parts.
        model: The model.
        tokenizer: The tokenizer, or None.
        task_state: What the task learnt from the data.
        head: What the model was asked to provide.
        card: The text of its README.md; none is written where it is empty.

    Raises:
        CodexError: It cannot be written.
    """
    partial = folder.with_name(f".{folder.name}.{os.getpid()}-{secrets.token_hex(4)}")
    try:
        partial.mkdir(parents=True)
        _save(model, partial)
        if hasattr(tokenizer, "save_pretrained"):
            tokenizer.save_pretrained(str(partial))
        if card:
            (partial / "README.md").write_text(card, encoding="utf-8")
        (partial / EXPORT_FILE).write_bytes(_told(assembly, task_state, head))
        _replace_folder(partial, folder)
    except Exception as error:
        raise CodexError(f"cannot export the model to {folder}: {type(error).__name__}: {error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder


def _told(assembly: Assembly, task_state: Mapping[str, Any], head: Mapping[str, Any]) -> bytes:
    parts = {kind: component_record(getattr(assembly, kind)) for kind in ("task", "model", "tokenizer")}
    state = {"format": 1, **parts, "task_state": task_state, "head": head}
    return orjson.dumps(state, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS, default=str) + b"\n"


def _save(model: Any, folder: Path) -> None:
    save = getattr(model, "save_pretrained", None)
    if save is None:
        if hasattr(model, "state_dict"):
            write_weights(model, folder / WEIGHTS_FILE)
        return
    # Where there is a choice (other libraries; transformers has none from its version 5 on), never a pickle.
    safe = {"safe_serialization": True} if "safe_serialization" in inspect.signature(save).parameters else {}
    with _no_bars():
        save(str(folder), **safe)


@contextmanager
def _no_bars() -> Iterator[None]:
    """Keeps transformers, where it is used, from drawing a bar for each file that it writes."""
    chatter = sys.modules.get("transformers.utils.logging")
    if chatter is None or not chatter.is_progress_bar_enabled():
        yield
        return
    chatter.disable_progress_bar()
    try:
        yield
    finally:
        chatter.enable_progress_bar()


def _replace_folder(partial: Path, folder: Path) -> None:
    mode = (partial / EXPORT_FILE).stat().st_mode
    for path in sorted(partial.rglob("*")):
        if path.is_file():
            path.chmod(mode)
            _sync_file(path)
        else:
            sync_folder(path)
    sync_folder(partial)
    if folder.exists():
        old = folder.with_name(f".{folder.name}.old-{secrets.token_hex(4)}")
        os.replace(folder, old)
        os.replace(partial, folder)
        shutil.rmtree(old, ignore_errors=True)
    else:
        os.replace(partial, folder)
    sync_folder(folder.parent)


def _sync_file(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
