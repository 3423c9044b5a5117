import json
import os
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file
from tiny_run import TinyModel, assembly, make_tokenizer

from codex_ml.errors import CodexError, ModelError
from codex_ml.launch.export import WEIGHTS_FILE, clear_leftovers, export, read_weights, write_weights


def test_weights_survive_a_round_trip(tmp_path):
    one, other = TinyModel(5, 2), TinyModel(5, 2)
    write_weights(one, tmp_path / "new" / "w.safetensors")
    read_weights(other, tmp_path / "new" / "w.safetensors")
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    assert os.listdir(tmp_path / "new") == ["w.safetensors"]


def test_shared_and_transposed_weights_survive_too(tmp_path):
    class Tied(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.a = torch.nn.Linear(3, 3)
            self.b = torch.nn.Linear(3, 3)
            self.b.weight = self.a.weight
            self.register_buffer("view", torch.arange(6.0).reshape(2, 3).t())

    one, other = Tied(), Tied()
    write_weights(one, tmp_path / "w.safetensors")
    read_weights(other, tmp_path / "w.safetensors")
    assert other.b.weight is other.a.weight
    assert torch.equal(one.a.weight, other.a.weight)
    assert torch.equal(one.view, other.view)


def test_weights_that_cannot_be_written_leave_the_earlier_ones_whole(tmp_path, monkeypatch):
    path = tmp_path / "w.safetensors"
    write_weights(TinyModel(5, 2), path)
    before = path.read_bytes()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_weights(TinyModel(5, 2), path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["w.safetensors"]


@pytest.fixture
def parts(tmp_path):
    return {"assembly": assembly(tmp_path), "task_state": {"labels": ["a", "b"]}, "head": {"num_labels": 2}}


def test_a_plain_module_is_exported_as_weights_with_what_rebuilds_it(tmp_path, parts):
    model = TinyModel(5, 2)
    folder = export(tmp_path / "model", model=model, tokenizer=make_tokenizer(), **parts)
    assert set(load_file(folder / "model.safetensors")) == set(model.state_dict())
    told = json.loads((folder / "codex.json").read_text())
    assert told["task_state"] == {"labels": ["a", "b"]}
    assert told["head"] == {"num_labels": 2}
    assert told["task"]["name"] == "classification"
    assert told["task"]["options"] == {"max_length": 16}
    assert told["model"]["distribution"] == "tiny-plugin"
    assert told["tokenizer"] is None


def test_a_transformers_model_loads_again_from_its_folder(tmp_path, parts):
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, BertConfig

    config = BertConfig(
        vocab_size=20, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8, num_labels=3
    )
    model = AutoModelForSequenceClassification.from_config(config)
    folder = export(tmp_path / "model", model=model, tokenizer=make_tokenizer(), **parts)
    again = AutoModelForSequenceClassification.from_pretrained(folder)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))
    text = "the ball and"
    assert AutoTokenizer.from_pretrained(folder)(text).input_ids == make_tokenizer()(text).input_ids
    assert (folder / "codex.json").exists()
    assert not list(folder.glob("*.bin"))


def test_a_model_that_can_choose_is_told_to_write_no_pickle(tmp_path, parts):
    class Own:
        def save_pretrained(self, folder, safe_serialization=False):
            assert safe_serialization

    export(tmp_path / "model", model=Own(), tokenizer=None, **parts)
    assert os.listdir(tmp_path / "model") == ["codex.json"]


def test_an_export_replaces_an_earlier_one_and_a_failed_one_does_not(tmp_path, parts):
    class Broken:
        def save_pretrained(self, folder):
            raise RuntimeError("cannot")

    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "old").touch()
    with pytest.raises(CodexError, match=r"cannot export the model to .*model: RuntimeError: cannot"):
        export(tmp_path / "model", model=Broken(), tokenizer=None, **parts)
    assert os.listdir(tmp_path / "model") == ["old"]
    export(tmp_path / "model", model=TinyModel(5, 2), tokenizer=None, **parts)
    assert sorted(os.listdir(tmp_path / "model")) == ["codex.json", "model.safetensors"]
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".")]


def test_files_may_be_read_by_whoever_may_read_others(tmp_path):
    model = torch.nn.Linear(2, 2)
    write_weights(model, tmp_path / WEIGHTS_FILE)
    (tmp_path / "other").touch()
    assert (tmp_path / WEIGHTS_FILE).stat().st_mode == (tmp_path / "other").stat().st_mode


def test_the_weights_of_another_model_are_refused(tmp_path):
    write_weights(torch.nn.Linear(2, 2, bias=False), tmp_path / WEIGHTS_FILE)
    with pytest.raises(ModelError, match="another model"):
        read_weights(torch.nn.Linear(2, 2), tmp_path / WEIGHTS_FILE)


LEFTOVERS = [
    ".run.json.12-0123abcd",
    ".model.34-89efcdab/model.safetensors",
    ".model.34-89efcdab/.tmpaB3dE9",
    "checkpoints/best/.tmpaB3dE9",
    "checkpoints/best/.model.safetensors.5-00000000",
]
KEPT = [
    "run.json",
    ".lock",
    ".hydra/config.yaml",
    ".tmpaB3dE9",
    ".run.json.12-0123abcd~",
    ".run.json.swp",
    ".run.json.x-0123abcd",
    ".model.34-89efcdab.tar",
    ".model.old-89efcdab/codex.json",
    ".model.safetensors.5-00000000",
    "model/.model.safetensors.5-00000000",
    "model/.tmpaB3dE9",
    "sub/.run.json.12-0123abcd",
    "checkpoints/.tmpaB3dE9",
    "checkpoints/best/model.safetensors",
    "checkpoints/best/.tmpaB3dE9x",
    "checkpoints/best/.tmp_aB3d",
    "checkpoints/best/x.tmpaB3dE9",
]


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())


def test_what_killed_processes_left_is_cleared_and_nothing_else(tmp_path):
    for name in (*LEFTOVERS, *KEPT):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    clear_leftovers(tmp_path)
    assert files(tmp_path) == sorted(KEPT)
    assert not (tmp_path / ".model.34-89efcdab").exists()
    clear_leftovers(tmp_path / "nowhere")


def test_links_and_other_kinds_of_files_are_no_leftovers(tmp_path):
    run, other = tmp_path / "run", tmp_path / "other"
    for folder in (run / ".run.json.12-0123abcd", run / "checkpoints" / "best" / ".tmpaB3dE9", other):
        folder.mkdir(parents=True)
    (other / "file").touch()
    (run / ".model.1-89efcdab").touch()
    (run / ".model.2-89efcdab").symlink_to(other)
    (run / "checkpoints" / "best" / ".tmpAAAAAA").symlink_to(other / "file")
    before = sorted(run.rglob("*"))
    clear_leftovers(run)
    assert sorted(run.rglob("*")) == before
    assert files(other) == ["file"]


def test_every_part_of_weights_that_a_killed_process_was_writing_is_cleared(tmp_path):
    best = tmp_path / "checkpoints" / "best"
    # A file beyond the limit ends the process by a signal that leaves it no time to clean up.
    code = (
        "import resource, signal, torch\nfrom pathlib import Path\n"
        "from codex_ml.launch.export import write_weights\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_DFL)\n"
        "resource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        f"write_weights(torch.nn.Linear(100, 100), Path({str(best / WEIGHTS_FILE)!r}))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode < 0
    left = os.listdir(best)
    assert any(name.startswith(".tmp") for name in left)
    assert any(name.startswith(".model.safetensors.") for name in left)
    clear_leftovers(tmp_path)
    assert os.listdir(best) == []
