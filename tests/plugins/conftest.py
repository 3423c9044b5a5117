"""Real distributions, made on the fly."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import dedent

import pytest

Install = Callable[..., None]


@pytest.fixture
def install(site: Path) -> Install:
    """Installs a distribution: `install(name, {group: {name: target}}, {file: source})`."""

    def installing(name: str, groups: Mapping[str, Mapping[str, str]], files: Mapping[str, str]) -> None:
        for file, source in files.items():
            path = site / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(source), encoding="utf-8")
        metadata = site / f"{name.replace('-', '_')}-1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", encoding="utf-8")
        lines = [
            line
            for group, targets in groups.items()
            for line in (f"[{group}]", *(f"{key} = {target}" for key, target in targets.items()))
        ]
        (metadata / "entry_points.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        importlib.invalidate_caches()

    return installing
