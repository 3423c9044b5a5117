"""A package with components of chosen kinds: its name is checked, and it is written whole or not at all."""

from __future__ import annotations

import importlib.util
import keyword
import re
import secrets
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from string import Template

from codex_addons.entry_points import canonical
from codex_ml import registries
from codex_ml.errors import ConfigError, Problem

__all__ = ["Skeleton", "plan", "write"]

_DISTRIBUTION = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
# The folder of a package's own tests, which would hide an installed package of that name from them.
_TAKEN = frozenset({"tests"})
_FILES = "data=files data.train=train.jsonl data.validation=validation.jsonl"


@dataclass(frozen=True)
class _Kind:
    """What stands about the template of a kind.

    Attributes:
        attribute: What the entry point names in the component's file.
        summary: What the component is.
        usage: A command that chooses it.
        requires: What the package then depends on.
    """

    attribute: str
    summary: str
    usage: str
    requires: tuple[str, ...] = ()


_KINDS: Mapping[str, _Kind] = {
    "task": _Kind(
        "HighRating",
        "tells from a text whether its rating is high",
        f"codex-run task=$name {_FILES}",
        ("torch>=2.6",),
    ),
    "model": _Kind(
        "bag_of_words",
        "a bag-of-words classifier in plain torch",
        "codex-run model=$name $tokenizer",
        ("torch>=2.6",),
    ),
    "tokenizer": _Kind(
        "hashed_words",
        "words between spaces, by their hash",
        "codex-run tokenizer=$name tokenizer.size=1000 --cfg job",
    ),
    "data_loader": _Kind(
        "load_blocks",
        "blocks of `key: value` lines",
        "codex-run data_loader=$name data=files data.train=train.txt data.validation=validation.txt",
    ),
    "trainer": _Kind(
        "momentum",
        "stochastic gradient descent with momentum",
        "codex-run trainer=$name trainer.lr=0.05",
        ("torch>=2.6",),
    ),
    "metric": _Kind(
        "error_rate",
        "the share of wrong predictions",
        "codex-run 'metric=[accuracy,$name]' metric.$name.tolerance=0",
    ),
    "plugin": _Kind(
        "StopWhenStale",
        "ends a training that no longer gets better",
        "codex-run 'plugin=[progress,$name]' plugin.$name.patience=2",
    ),
}


@dataclass(frozen=True)
class Skeleton:
    """A package that is not written yet.

    Attributes:
        distribution: What pip calls it.
        package: What Python calls it.
        name: What its components are called in a config.
        targets: Its components: kind to `module:attribute`.
        usage: A command for each kind.
        files: Its files: path in the package's folder to content.
    """

    distribution: str
    package: str
    name: str
    targets: Mapping[str, str]
    usage: Sequence[str]
    files: Mapping[str, str] = field(repr=False)


def plan(distribution: str, kinds: Iterable[str]) -> Skeleton:
    """A package of a name with a component of each kind; writes nothing.

    Args:
        distribution: The name of the distribution; its package and components are called so with underscores.
        kinds: The kinds, each counted once.

    Raises:
        ConfigError: With everything that is wrong with the name.
    """
    chosen = tuple(dict.fromkeys(kinds))
    package = re.sub(r"[-_.]+", "_", distribution).lower()
    if problems := list(_problems(distribution, package, chosen)):
        raise ConfigError([Problem(problem) for problem in problems])
    values = _values(distribution, package, chosen)
    return Skeleton(
        distribution=distribution,
        package=package,
        name=package,
        targets={kind: _target(kind, package) for kind in chosen},
        usage=values["usage"].splitlines(),
        files=dict(_files(chosen, values)),
    )


def write(skeleton: Skeleton, folder: Path) -> Path:
    """Writes a package into a folder of its name, which appears whole or not at all; returns that folder.

    Args:
        skeleton: The package.
        folder: Where its folder is to stand.

    Raises:
        ConfigError: There is no such folder, something of that name is in it, or it cannot be written to.
    """
    target = folder / skeleton.distribution
    if not folder.is_dir():
        raise ConfigError(f"there is no folder {folder}: make it, or choose another one with --folder")
    if target.exists() or target.is_symlink():
        raise ConfigError(f"{target} is there already: choose another name, or another folder with --folder")
    partial = folder / f".{skeleton.distribution}.{secrets.token_hex(4)}"
    try:
        for name, content in skeleton.files.items():
            path = partial / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
        partial.rename(target)
    except OSError as error:
        raise ConfigError(f"cannot write {target}: {error.strerror}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return target


def _problems(distribution: str, package: str, kinds: Sequence[str]) -> Iterator[str]:
    named = f"the name {distribution!r}"
    if not _DISTRIBUTION.fullmatch(distribution):
        yield f"{named} is none that pip takes: use letters, digits and hyphens, with a letter or digit at both ends"
        return
    if not package.isidentifier() or keyword.iskeyword(package):
        yield f"{named} makes the package {package!r}, which Python cannot import: begin with a letter, use no keyword"
        return
    if not registries.is_option(package):
        yield f"{named} makes the option {package!r}, which means something else in YAML: choose another one"
    if package in sys.stdlib_module_names or package in _TAKEN:
        yield f"{named} makes the package {package!r}, which would hide another one of that name: choose another one"
    elif _installed(distribution, package):
        yield f"{named} is that of something installed already: choose another one"
    for kind in kinds:
        entry = registries.options(kind).get(package)
        if entry is not None:
            yield f"there is a {kind} {package!r} already, of {entry.distribution}: choose another name"


def _installed(distribution: str, package: str) -> bool:
    from importlib_metadata import PackageNotFoundError, metadata

    try:
        metadata(canonical(distribution))
    except PackageNotFoundError:
        spec = importlib.util.find_spec(package)
        # A folder of that name, such as the one that an earlier try left here, is no package.
        return spec is not None and spec.origin is not None
    return True


def _values(distribution: str, package: str, kinds: Sequence[str]) -> dict[str, str]:
    """What the templates' words stand for."""
    requires = sorted({each for kind in kinds for each in _KINDS[kind].requires})
    rows = [f"| `{kind}={package}` | {_KINDS[kind].summary} | `src/{package}/{kind}.py` |" for kind in kinds]
    named = {"package": package, "name": package, "tokenizer": _tokenizer(package, kinds)}
    what = f"A {kinds[0]} for codex-ml: {_KINDS[kinds[0]].summary}." if len(kinds) == 1 else ""
    return {
        "distribution": distribution,
        **named,
        "summary": what or f"Components for codex-ml: {', '.join(kinds)}.",
        "dependencies": ", ".join(f'"{each}"' for each in requires),
        "entry_points": "".join(_entry_point(kind, package) for kind in kinds),
        "table": "\n".join(rows),
        "usage": "\n".join(Template(_KINDS[kind].usage).substitute(named) for kind in kinds),
    }


def _tokenizer(package: str, kinds: Sequence[str]) -> str:
    """The override that names a tokenizer: the package's own where it has one."""
    return f"tokenizer={package}" if "tokenizer" in kinds else "tokenizer=hf tokenizer.tokenizer_name=bert-base-uncased"


def _entry_point(kind: str, package: str) -> str:
    return f'\n[project.entry-points."{registries.GROUPS[kind]}"]\n{package} = "{_target(kind, package)}"\n'


def _target(kind: str, package: str) -> str:
    return f"{package}.{kind}:{_KINDS[kind].attribute}"


def _files(kinds: Sequence[str], values: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    templates = files("codex_ml.cli.plugins") / "templates"
    source = f"src/{values['package']}"
    places = [("pyproject.toml", "pyproject.toml"), ("README.md", "README.md"), ("init.py", f"{source}/__init__.py")]
    for kind in kinds:
        own = {"component.py": f"{source}/{kind}.py", "test.py": f"tests/test_{kind}.py"}
        names = sorted(each.name.removesuffix(".tmpl") for each in (templates / kind).iterdir())
        places += [(f"{kind}/{name}", own.get(name, f"{source}/{name}")) for name in names]
    for template, place in places:
        text = (templates / f"{template}.tmpl").read_text(encoding="utf-8")
        yield place, Template(text).substitute(values)
