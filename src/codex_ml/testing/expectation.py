"""How a check fails: with a sentence for the author, and also under `python -O`, which leaves `assert` out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from codex_ml.errors import CodexError

__all__ = ["check", "raised"]


def check(fits: object, message: str) -> None:
    """Fails the test with a message unless something is true.

    Raises:
        AssertionError: It is not.
    """
    if not fits:
        raise AssertionError(message)


def raised(error: type[Exception], doing: str, call: Callable[[], Any]) -> Exception:
    """What a call raises, which must be of a type.

    An error that the launcher put the component's name on counts as what the component raised.

    Args:
        error: The type.
        doing: What is done, for the message.
        call: Does it.

    Raises:
        AssertionError: It raises something else, or nothing.
    """
    try:
        value = call()
    except Exception as problem:
        cause = problem.__cause__ if isinstance(problem, CodexError) and problem.__cause__ else problem
        if isinstance(cause, error) and isinstance(cause, Exception):
            return cause
        raise AssertionError(
            f"{doing} must raise {error.__name__}, and raises {type(cause).__name__}: {cause}"
        ) from problem
    raise AssertionError(f"{doing} must raise {error.__name__}, and gives {value!r}")
