"""What is wrong with the jobs of a sweep, before the first one is started."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from hydra.types import RunMode

from codex_ml.errors import Problem
from codex_ml.launch.diagnosis import Diagnosis
from codex_ml.launch.loader import Loader

__all__ = ["problems_of_jobs"]

# Each value of a sweep is looked at, not each combination of them; of a long range the beginning.
_MOST = 20


def problems_of_jobs(loader: Loader, overrides: Sequence[str]) -> list[Problem]:
    """Every problem that the values of a sweep's overrides have, each told by the override that it came from."""
    columns = [_values(text) for text in overrides]
    found: list[Problem] = []
    for number in range(max(map(len, columns), default=0)):
        job = [column[number % len(column)] for column in columns]
        typed = dict(zip(job, overrides, strict=True))
        found += (
            replace(problem, source=typed.get(problem.source, problem.source))
            for problem in Diagnosis(loader, RunMode.RUN).problems_of(job, None)
        )
    return list(dict.fromkeys(found))


def _values(text: str) -> list[str]:
    """An override once for each of its values."""
    try:
        override: Override = OverridesParser.create().parse_override(text)
        if not override.is_sweep_override():
            return [text]
        key = override.get_key_element()
        return [f"{key}={value}" for value in islice(override.sweep_string_iterator(), _MOST)] or [text]
    except (HydraException, ValueError):
        # Told as it is.
        return [text]
