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


def train(kind, steps=20):
    """A layer of a number format, and the same in float32, after steps of AdamW with gradients as small as usual."""
    layers = []
    for each in (kind, torch.float32):
        torch.manual_seed(0)
        layer = torch.nn.Linear(4, 4).to(each)
        optimizer = torch.optim.AdamW(layer.parameters(), lr=1e-2)
        for _ in range(steps):
            optimizer.zero_grad()
            (layer(torch.ones(2, 4, dtype=each)) * 1e-4).sum().backward()
            optimizer.step()
        layers.append(layer.weight.detach().float())
    return layers


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_type_that_the_device_trains_with_is_taken(dtype):
    weights, expected = train(require_dtype("cpu", dtype))
    assert torch.allclose(weights, expected, atol=0.05)


def test_float16_is_refused_as_its_weights_are_ruined_by_training():
    assert not train(torch.float16)[0].isfinite().all()
    told = (
        r"^model\.dtype=float16: a model cannot be trained in float16, .*; keep model\.dtype=float32; "
        r"trainer\.precision=fp16 \(on a GPU\) or bf16 makes the forward pass faster$"
    )
    with pytest.raises(ValueError, match=told):
        require_dtype("cpu", "float16")


def test_bfloat16_comes_with_a_warning_that_small_steps_are_lost(caplog):
    weight = torch.ones(1, dtype=torch.bfloat16)
    assert weight - 1 / 520 == weight
    require_dtype("cpu", "float32")
    assert not caplog.records
    require_dtype("cpu", "bfloat16")
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "lost in rounding" in record.message
    assert "keep model.dtype=float32; trainer.precision=bf16" in record.message


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
