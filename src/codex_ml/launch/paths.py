"""How messages write a path."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["shown"]


def shown(path: str | Path) -> str:
    """A path as a user would write it: relative where it is below the working directory."""
    try:
        relative = os.path.relpath(path)
    except ValueError:
        return str(path)
    return str(path) if relative.startswith("..") else relative
