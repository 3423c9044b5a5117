"""Whose failure it is: an error on its way out gets the component's name and distribution."""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from codex_ml.errors import CodexError
from codex_ml.launch.assembly import Component

__all__ = ["blame", "is_unexpected", "label"]

# Where a model's code is that no plugin wrote.
_OF_MODELS = ("torch.nn.modules.", "transformers.models.")


def label(component: Component) -> str:
    """How messages call a component: `model=minilm (codex-ml 0.1.0)`."""
    return f"{component.kind}={component.name} ({component.entry.distribution} {component.entry.version})"


def is_unexpected(error: BaseException | None) -> bool:
    """Whether an exception is none that a component raises to say what the user did wrong."""
    said = isinstance(error, CodexError | KeyboardInterrupt)
    # The system's own OSError has a number; one without was raised to say something.
    spoken = isinstance(error, OSError) and error.errno is None
    told = (spoken or isinstance(error, ValueError | ImportError)) and str(error)
    return error is not None and not (said or told)


@contextmanager
def blame(
    component: Component, doing: str = "", *, error: type[CodexError] = CodexError, among: Iterable[Component] = ()
) -> Iterator[None]:
    """Turns whatever the component raises into an error that names it; errors of this package pass as they are.

    Args:
        component: Whose code runs inside.
        doing: What it was asked to do, for the message.
        error: The type raised.
        among: The components that it calls in turn: where the code of one of them raised, that one is named.
    """
    try:
        yield
    except CodexError:
        raise
    except (Exception, SystemExit) as cause:
        told = f"{type(cause).__name__}: {cause}" if is_unexpected(cause) else str(cause)
        culprit = _culprit(cause, among) or component
        raise error(f"{label(culprit)}{f' {doing}' if doing else ''}: {told}") from cause


def _culprit(cause: BaseException, among: Iterable[Component]) -> Component | None:
    """The component whose own code, or the library's code of its model, was the last to run before an exception."""
    parts = {component.kind: component for component in among}
    by_module = {component.entry.target.partition(":")[0]: component for component in parts.values()}
    # A stranger's component may lie in any module of its package; in this project's, each has a module of its own.
    by_package = {name.partition(".")[0]: part for name, part in by_module.items() if not name.startswith("codex_ml.")}
    for frame, _ in reversed(list(traceback.walk_tb(cause.__traceback__))):
        name = str(frame.f_globals.get("__name__", ""))
        if name.startswith(_OF_MODELS):
            return parts.get("model")
        if found := by_module.get(name) or by_package.get(name.partition(".")[0]):
            return found
    return None
