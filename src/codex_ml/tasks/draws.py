"""Random numbers that are a function of what they are for, and of nothing else."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

__all__ = ["generator_for"]


def generator_for(seed: int, *names: str | int, tokens: Sequence[int]) -> np.random.Generator:
    """A generator of its own for what these name: the same numbers every time, whatever else was drawn before.

    Counter-based (Philox; Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", 2011), as thousands are made
    a second, each for a few numbers.
    """
    import numpy as np

    digest = blake2b(repr((seed, *names)).encode("utf-8", "surrogatepass"), digest_size=16)
    digest.update(array("q", tokens).tobytes())
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest.digest(), "little")))
