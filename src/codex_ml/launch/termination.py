"""SIGTERM as an exception, so that a run that is told to stop can still write its record."""

from __future__ import annotations

import signal
import threading
from types import FrameType

__all__ = ["Terminated", "Termination"]


class Terminated(KeyboardInterrupt):
    """The process got a SIGTERM. Like Ctrl-C it passes every `except Exception` on its way."""


class Termination:
    """Raises `Terminated` in the main thread at the first SIGTERM, and takes no notice of further ones.

    A context manager that puts the former handler back. In any other thread it does nothing: signals are not for them.
    """

    def __init__(self) -> None:
        self._armed = False
        self._installed = False

    def __enter__(self) -> Termination:
        if threading.current_thread() is threading.main_thread():
            self._former = signal.signal(signal.SIGTERM, self._raise)
            self._installed = self._armed = True
        return self

    def disarm(self) -> None:
        """From now on a SIGTERM changes nothing: the run is writing its last words."""
        self._armed = False

    def __exit__(self, *_: object) -> None:
        self._armed = False
        if self._installed:
            signal.signal(signal.SIGTERM, signal.SIG_DFL if self._former is None else self._former)

    def _raise(self, number: int, frame: FrameType | None) -> None:
        if self._armed:
            self._armed = False
            raise Terminated("SIGTERM")
