"""Random states that depend on the run's seed and on what is built, and on nothing that happened before."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b

__all__ = ["seed_everything", "undisturbed"]


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


@contextmanager
def undisturbed() -> Iterator[None]:
    """Puts the random states back as they were, whatever was drawn inside."""
    import numpy as np
    import torch

    python, numpy_state, cpu = random.getstate(), np.random.get_state(), torch.get_rng_state()
    gpu = torch.cuda.get_rng_state_all() if torch.cuda.is_available() and torch.cuda.is_initialized() else None
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy_state)
        torch.set_rng_state(cpu)
        if gpu is not None:
            torch.cuda.set_rng_state_all(gpu)
