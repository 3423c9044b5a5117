from __future__ import annotations

import pytest
import torch
from tiny_models import FACTORIES, build

from codex_ml.models.placement import choose_device, require_dtype


@pytest.mark.parametrize("wanted", [None, "auto"])
def test_auto_is_a_gpu_where_there_is_one(wanted, monkeypatch):
    for cuda, mps, chosen in ((True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda cuda=cuda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda mps=mps: mps)
        assert choose_device(wanted) == chosen


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize("wanted", ["cuda", "cuda:1", "toaster", "gpu"])
def test_a_device_that_torch_cannot_use_is_named(wanted):
    with pytest.raises(ValueError, match=f"model.device={wanted}: torch cannot use it here .*; choose auto or cpu$"):
        choose_device(wanted)


@pytest.mark.parametrize("device", ["cpu", "meta"])
@pytest.mark.parametrize("name", FACTORIES)
def test_weights_lie_where_they_are_wanted(name, device):
    model = build(name, device=device)
    assert {each.device.type for each in (*model.parameters(), *model.buffers())} == {device}


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_a_type_that_the_device_trains_with_is_taken(dtype):
    layer = torch.nn.Linear(2, 2, dtype=require_dtype("cpu", dtype))
    layer(torch.ones(1, 2, dtype=layer.weight.dtype)).sum().backward()
    assert layer.weight.grad is not None


# torch has these types, and the CPU computes with them no more than an old GPU with bfloat16.
@pytest.mark.parametrize("dtype", ["float8_e4m3fn", "int64", "bool"])
def test_a_type_that_the_device_cannot_train_with_is_refused(dtype):
    with pytest.raises(ValueError, match=f"model.dtype={dtype}: the device cpu cannot train with it .*choose float32$"):
        require_dtype("cpu", dtype)


def test_the_trial_draws_no_random_numbers():
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    require_dtype("cpu", "bfloat16")
    assert torch.equal(torch.rand(3), expected)
