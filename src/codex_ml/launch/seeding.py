"""Random states that depend on the run's seed and on what is built, and on nothing that happened before."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import blake2b
from typing import Any

__all__ = ["random_states", "seed_everything", "set_random_states", "undisturbed"]


def seed_everything(seed: int, kind: str) -> None:
    """Seeds random, numpy and torch from (seed, kind), the same in every process.

    Args:
        seed: The run's seed.
        kind: What is built next; another kind gets an unrelated stream.
    """
    import numpy as np
    import torch

    value = int.from_bytes(blake2b(f"{seed}:{kind}".encode(), digest_size=8).digest(), "big")
    random.seed(value)
    np.random.seed(value % 2**32)
    torch.manual_seed(value)


def random_states() -> dict[str, Any]:
    """The states of random, numpy and torch, those of its GPUs among them where they are in use."""
    import numpy as np
    import torch

    used = torch.cuda.is_available() and torch.cuda.is_initialized()
    return {
        "python": random.getstate(),
        "numpy": np.random.get_state(),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if used else None,
    }


def set_random_states(states: Mapping[str, Any]) -> None:
    """Puts the states back that `random_states` gave."""
    import numpy as np
    import torch

    random.setstate(states["python"])
    np.random.set_state(states["numpy"])
    torch.set_rng_state(states["torch"])
    if states["cuda"] is not None:
        torch.cuda.set_rng_state_all(states["cuda"])


@contextmanager
def undisturbed() -> Iterator[None]:
    """Puts the random states back as they were, whatever was drawn inside."""
    states = random_states()
    try:
        yield
    finally:
        set_random_states(states)
