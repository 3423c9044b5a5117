from __future__ import annotations

import pytest
import torch
from tiny_run import model_of, tiny_model

from codex_ml.errors import ModelError
from codex_ml.launch.building import resolve_device


def device(wanted):
    return resolve_device(model_of(tiny_model, device=wanted))


@pytest.mark.parametrize(
    ("cuda", "mps", "chosen"),
    [(True, True, "cuda"), (True, False, "cuda"), (False, True, "mps"), (False, False, "cpu")],
)
@pytest.mark.parametrize("wanted", [None, "auto"])
def test_auto_takes_a_gpu_before_an_apple_one_before_the_cpu(wanted, cuda, mps, chosen, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert device(wanted) == chosen
    assert resolve_device(model_of(tiny_model)) == chosen


@pytest.mark.parametrize("wanted", ["cpu", "meta"])
def test_what_is_there_is_taken(wanted):
    assert device(wanted) == wanted


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [("cuda", "torch sees no such GPU here"), ("cuda:0", "torch sees no such GPU"), ("mps", "torch sees no Apple GPU")],
)
def test_a_gpu_that_is_not_there_is_refused_with_the_way_out(wanted, reason, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(ModelError, match=f"model.device={wanted}: {reason}.*; choose model.device=auto or cpu$"):
        device(wanted)


def test_a_gpu_s_number_must_be_one_of_those_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert [device(each) for each in ("cuda", "cuda:0", "cuda:1")] == ["cuda", "cuda:0", "cuda:1"]
    with pytest.raises(ModelError, match=r"model\.device=cuda:2: torch sees 2 GPUs here, numbered from 0"):
        device("cuda:2")


@pytest.mark.parametrize("wanted", ["toaster", "gpu", "cuda:x", "", 3.5])
def test_a_device_that_torch_does_not_know_is_refused(wanted):
    with pytest.raises(ModelError, match=r"torch knows no such device; choose auto, cpu, cuda, cuda:<number> or mps"):
        device(wanted)
