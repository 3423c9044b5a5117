"""Whose failure it is: an error on its way out gets the component's name and distribution."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from codex_ml.errors import CodexError
from codex_ml.launch.assembly import Component

__all__ = ["blame", "label"]


def label(component: Component) -> str:
    """How messages call a component: `model=minilm (codex-ml 0.1.0)`."""
    return f"{component.kind}={component.name} ({component.entry.distribution} {component.entry.version})"


@contextmanager
def blame(component: Component, doing: str = "", *, error: type[CodexError] = CodexError) -> Iterator[None]:
    """Turns whatever the component raises into an error that names it; errors of this package pass as they are.

    Args:
        component: Whose code runs inside.
        doing: What it was asked to do, for the message.
        error: The type raised.
    """
    try:
        yield
    except CodexError:
        raise
    except (Exception, SystemExit) as cause:
        expected = isinstance(cause, ValueError | ImportError) and str(cause)
        told = str(cause) if expected else f"{type(cause).__name__}: {cause}"
        raise error(f"{label(component)}{f' {doing}' if doing else ''}: {told}") from cause
