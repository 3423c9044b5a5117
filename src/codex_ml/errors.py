"""The errors a user can cause. Each says what is wrong and what to do; none needs a traceback."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["CodexError", "ConfigError", "DataError", "ModelError", "Problem", "RunInterrupted"]


class CodexError(Exception):
    """The base of every error of this package. A run that ends with one has failed: exit code 1."""

    exit_code = 1


class DataError(CodexError, ValueError):
    """Records that a run cannot use; the message names the file and the line or record."""


class ModelError(CodexError, ValueError):
    """A model or tokenizer that does not fit the task, found out by a trial before training."""


class RunInterrupted(CodexError):  # noqa: N818 (like KeyboardInterrupt, it is nobody's error)
    """The run was told to stop (Ctrl-C, SIGTERM)."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a config.

    Attributes:
        message: What is wrong and the way out, in one sentence or two.
        source: The override, or the `file:line`, that it came from; empty when it is nobody's.
    """

    message: str
    source: str = ""

    def __str__(self) -> str:
        """`source: message`, or the message alone."""
        return f"{self.source}: {self.message}" if self.source else self.message


class ConfigError(CodexError):
    """A config that is wrong, with everything that is wrong with it: exit code 2."""

    exit_code = 2

    def __init__(self, problems: Sequence[Problem] | str) -> None:
        self.problems = (Problem(problems),) if isinstance(problems, str) else tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))

    def __reduce__(self) -> tuple[type[ConfigError], tuple[tuple[Problem, ...]]]:
        """Launchers carry errors between processes by pickle."""
        return type(self), (self.problems,)
