"""Loading without a word on the terminal."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["quiet"]

# What fetches the files; its name differs between versions of huggingface_hub.
_FETCHING = ("huggingface_hub", "httpx", "httpx2")


@contextmanager
def quiet() -> Iterator[None]:
    """Keeps transformers from announcing a new head and drawing bars, and the hub's library from telling of each try.

    Their settings are left as they were.
    """
    import huggingface_hub  # noqa: F401 - it sets its logger's level when it is imported
    from transformers.utils import logging as chatter

    level, bars = chatter.get_verbosity(), chatter.is_progress_bar_enabled()
    fetching = {name: logging.getLogger(name) for name in _FETCHING}
    levels = {name: logger.level for name, logger in fetching.items()}
    chatter.set_verbosity_error()
    chatter.disable_progress_bar()
    for logger in fetching.values():
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for name, logger in fetching.items():
            logger.setLevel(levels[name])
        chatter.set_verbosity(level)
        if bars:
            chatter.enable_progress_bar()
