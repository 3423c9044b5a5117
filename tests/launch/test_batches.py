import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from codex_ml.launch.batches import chunks

sizes = st.integers(1, 9)


@given(count=st.integers(1, 400), size=sizes, seed=st.integers(-5, 5), epoch=st.integers(0, 3), by_length=st.booleans())
def test_an_epoch_has_each_example_once(count, size, seed, epoch, by_length):
    lengths = np.arange(count) % 17 if by_length else None
    found = chunks(count, seed=seed, epoch=epoch, size=size, lengths=lengths)
    assert sorted(int(index) for chunk in found for index in chunk) == list(range(count))
    assert [len(chunk) for chunk in found[:-1]] == [size] * (len(found) - 1)
    again = chunks(count, seed=seed, epoch=epoch, size=size, lengths=lengths)
    assert all(np.array_equal(one, other) for one, other in zip(found, again, strict=True))


def test_another_epoch_has_another_order_and_so_has_another_seed():
    first, *others = (
        np.concatenate(chunks(50, seed=seed, epoch=epoch, size=8)) for seed, epoch in ((0, 0), (0, 1), (1, 0))
    )
    assert not any(np.array_equal(first, other) for other in others)


def test_batches_by_length_hold_like_ones_and_still_come_in_any_order():
    lengths = np.random.default_rng(0).integers(1, 100, 4000)
    spread = [int(np.ptp(lengths[chunk])) for chunk in chunks(4000, seed=0, epoch=0, size=16, lengths=lengths)]
    apart = [int(np.ptp(lengths[chunk])) for chunk in chunks(4000, seed=0, epoch=0, size=16)]
    assert np.mean(spread) < np.mean(apart) / 10
    means = [lengths[chunk].mean() for chunk in chunks(4000, seed=0, epoch=0, size=16, lengths=lengths)]
    assert abs(np.corrcoef(np.arange(len(means)), means)[0, 1]) < 0.3


@pytest.mark.parametrize("options", [{"workers": 2}, {"by_length": True}, {"start": 2}, {"start": 1, "workers": 1}])
def test_how_batches_are_made_changes_no_random_state_and_no_batch(context, options):
    made = context()
    plain = list(made.batches(1, batch_size=8))
    state = torch.get_rng_state()
    found = list(made.batches(1, batch_size=8, **options))
    assert torch.equal(torch.get_rng_state(), state)
    if options.get("by_length"):
        assert sorted(name for batch in found for name in batch.ids) == sorted(n for batch in plain for n in batch.ids)
        return
    expected = plain[options.get("start", 0) :]
    assert [batch.ids for batch in found] == [batch.ids for batch in expected]
    for one, other in zip(found, expected, strict=True):
        assert all(torch.equal(one.inputs[name], other.inputs[name]) for name in other.inputs)
