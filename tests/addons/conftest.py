"""Real distributions, made on the fly."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

Install = Callable[..., Path]


def make_distribution(
    folder: Path,
    name: str,
    *,
    version: str = "1.0",
    entry_points: str | bytes | None = None,
    editable: Path | None = None,
    **modules: str,
) -> Path:
    """Writes the modules and the metadata folder, as pip would, and returns the metadata folder."""
    folder.mkdir(parents=True, exist_ok=True)
    metadata = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\nName: wrong\n")
    if entry_points is not None:
        content = entry_points if isinstance(entry_points, bytes) else dedent(entry_points).encode()
        (metadata / "entry_points.txt").write_bytes(content)
    if editable is not None:
        origin = {"url": editable.as_uri(), "dir_info": {"editable": True}}
        (metadata / "direct_url.json").write_text(json.dumps(origin))
    for module, source in modules.items():
        (folder / f"{module}.py").write_text(dedent(source))
    importlib.invalidate_caches()
    return metadata


@pytest.fixture
def install(site: Path) -> Install:
    """Installs a distribution: `install(name, entry_points=..., module=source)`."""

    def installing(name: str, *, into: Path = site, **options: object) -> Path:
        return make_distribution(into, name, **options)  # type: ignore[arg-type]

    return installing
