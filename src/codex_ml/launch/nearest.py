"""The hint at the name that was probably meant."""

from __future__ import annotations

from collections.abc import Iterable

from codex_addons.errors import closest

__all__ = ["nearest"]


def nearest(name: str, candidates: Iterable[str], form: str = "{}") -> str:
    """`; did you mean 'trainer.lr'?`, or nothing when no candidate is near."""
    near = closest(name, list(candidates), 1)
    return f"; did you mean '{form.format(near[0])}'?" if near else ""
