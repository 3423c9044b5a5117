import random

import numpy as np
import torch

from codex_ml.launch.seeding import seed_everything, undisturbed


def draws():
    return random.random(), float(np.random.random()), float(torch.rand(1))


def test_seeding_depends_on_seed_and_kind_alone():
    def drawn(seed, kind):
        seed_everything(seed, kind)
        return draws()

    first = drawn(0, "model")
    assert drawn(0, "model") == first
    assert all(a != b for a, b in zip(drawn(0, "task"), first, strict=True))
    assert all(a != b for a, b in zip(drawn(1, "model"), first, strict=True))
    assert drawn(-1, "model") != first


def test_undisturbed_puts_every_random_state_back():
    seed_everything(0, "x")
    expected = draws()
    seed_everything(0, "x")
    with undisturbed():
        draws()
    assert draws() == expected
