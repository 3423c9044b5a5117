"""Which installed distributions may offer components here: two lists in the environment."""

from __future__ import annotations

import os

from codex_addons.metadata_folders import canonical

__all__ = ["ALLOW", "DENY", "refusal"]

ALLOW = "CODEX_ML_PLUGINS_ALLOW"
DENY = "CODEX_ML_PLUGINS_DENY"


def refusal(distribution: str, own: str = "codex-ml") -> str:
    """Why a distribution may not offer components; empty where it may.

    Args:
        distribution: Its name, in any spelling.
        own: The distribution that both lists leave alone: without it there would be nothing to choose.
    """
    name = canonical(distribution)
    if name == canonical(own):
        return ""
    if name in _listed(DENY):
        return f"{DENY} names {distribution}"
    allowed = _listed(ALLOW)
    return f"{ALLOW} does not name {distribution}" if allowed and name not in allowed else ""


def _listed(variable: str) -> set[str]:
    return {canonical(name.strip()) for name in os.environ.get(variable, "").split(",") if name.strip()}
