"""SIGTERM and Ctrl-C, so that a run that is told to stop can still save and write its record."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["Terminated", "Termination"]

logger = logging.getLogger(__name__)


class Terminated(KeyboardInterrupt):
    """The process got a SIGTERM. Like Ctrl-C it passes every `except Exception` on its way."""


class Termination:
    """Raises `Terminated` in the main thread at the first SIGTERM, and takes no notice of further ones.

    A context manager that puts the former handlers back. In any other thread it does nothing: signals are not for them.

    Attributes:
        asked: What was put off, and is to be raised once the step at hand is done; None as long as nobody asked.
    """

    def __init__(self) -> None:
        self.asked: KeyboardInterrupt | None = None
        self._armed = False
        self._deferred = False
        self._former: dict[int, signal._HANDLER] = {}

    def __enter__(self) -> Termination:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                # Somebody who shut Ctrl-C out (nohup, a shell's background job) is not to get it back.
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._former[number] = signal.signal(number, self._take)
            self._armed = True
        return self

    def disarm(self) -> None:
        """From now on a SIGTERM changes nothing: the run is writing its last words."""
        self._armed = False

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Inside, the first signal is only noted in `asked`, for one who looks at it after each step."""
        self._deferred = True
        try:
            yield
        finally:
            self._deferred = False

    def __exit__(self, *_: object) -> None:
        self._armed = False
        for number, former in self._former.items():
            signal.signal(number, signal.SIG_DFL if former is None else former)

    def _take(self, number: int, frame: FrameType | None) -> None:
        told = Terminated("SIGTERM") if number == signal.SIGTERM else KeyboardInterrupt()
        if not self._armed:
            if number == signal.SIGINT:
                raise told
            return
        if self._deferred and self.asked is None:
            self.asked = told
            logger.warning("stopping after this step; once more stops at once")
            return
        # Ctrl-C again and again is for a run that hangs in its last words.
        self._armed = False
        raise told
