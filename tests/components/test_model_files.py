from __future__ import annotations

import json
import pickle
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from tiny_models import CAUSAL, CLASSES, FACTORIES, build, load, logits

from codex_ml.models.family import ENCODERS
from codex_ml.models.gpt2 import FAMILY as GPT2

HEADS = {name: CAUSAL if name == "gpt2" else CLASSES for name in FACTORIES}


@pytest.fixture(scope="session")
def saved(tmp_path_factory):
    """A folder for each model, that `save_pretrained` wrote."""
    folders = {name: tmp_path_factory.mktemp(name) for name in FACTORIES}
    for name, folder in folders.items():
        build(name, HEADS[name]).save_pretrained(folder)
    return folders


# Each test is run for each of the models.
@pytest.fixture(params=FACTORIES)
def name(request):
    return request.param


@pytest.fixture
def folder(saved, name, tmp_path):
    """The model's folder, to be damaged."""
    return Path(shutil.copytree(saved[name], tmp_path / "model"))


@pytest.fixture
def fetch(name):
    """Loads the model from a folder."""
    return lambda folder, **options: load(name, folder, HEADS[name], **options)[0]


@pytest.fixture
def expected(name, saved):
    """The logits of the model as it was saved."""
    return logits(load(name, saved[name], HEADS[name])[0])


def leave_pickle(folder):
    """Puts a pickle in the place of the safe file."""
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def test_pickled_weights_load_only_when_asked_for_by_name(folder, fetch, expected):
    leave_pickle(folder)
    with pytest.raises(ValueError, match=r"only pickled weights; save them as safetensors, or set model\.allow_pickle"):
        fetch(folder)
    assert torch.equal(logits(fetch(folder, allow_pickle=True)), expected)


def test_pickled_weights_may_lie_in_several_files(folder, fetch, expected):
    weights = load_file(folder / "model.safetensors")
    names = {key: f"part-{number % 2}.bin" for number, key in enumerate(weights)}
    for file in set(names.values()):
        torch.save({key: weights[key] for key, part in names.items() if part == file}, folder / file)
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": names}))
    (folder / "model.safetensors").unlink()
    with pytest.raises(ValueError, match="only pickled weights"):
        fetch(folder)
    assert torch.equal(logits(fetch(folder, allow_pickle=True)), expected)


def test_safe_weights_are_taken_where_both_are_there(folder, fetch, expected):
    (folder / "pytorch_model.bin").write_bytes(b"no pickle at all")
    assert torch.equal(logits(fetch(folder, allow_pickle=True)), expected)


class Evil:
    def __reduce__(self):
        return print, ("it ran",)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_runs_no_code_even_when_it_is_asked_for(zipped, folder, fetch, capfd):
    leave_pickle(folder)
    if zipped:
        torch.save({"weight": Evil()}, folder / "pytorch_model.bin")
    else:
        (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(ValueError, match=r"holds something else than tensors, or is damaged$"):
        fetch(folder, allow_pickle=True)
    assert "it ran" not in capfd.readouterr().out


@pytest.mark.parametrize("content", [[1], {"a": 1}, torch.zeros(3)], ids=["list", "number", "tensor"])
def test_a_pickle_that_is_no_mapping_of_tensors_is_named(content, folder, fetch):
    leave_pickle(folder)
    torch.save(content, folder / "pytorch_model.bin")
    with pytest.raises(ValueError, match=r"pytorch_model\.bin is no mapping of names to tensors"):
        fetch(folder, allow_pickle=True)


@pytest.mark.parametrize("content", [b"", b"junk" * 9])
def test_a_damaged_pickle_is_named(content, folder, fetch):
    leave_pickle(folder)
    (folder / "pytorch_model.bin").write_bytes(content)
    with pytest.raises(ValueError, match=re.escape(f"cannot load {folder}")):
        fetch(folder, allow_pickle=True)


def test_no_path_leads_to_a_pickle_elsewhere(folder, fetch):
    change_config(folder, transformers_weights="../evil.bin")
    with pytest.raises(ValueError, match=r"only in \*\.safetensors files beside its config\.json"):
        fetch(folder, allow_pickle=True)


def change_config(folder, **changes):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))


def write_index(folder, file, name="model.safetensors.index.json"):
    weights = dict.fromkeys(load_file(folder / "model.safetensors"), file)
    (folder / name).write_text(json.dumps({"metadata": {}, "weight_map": weights}))


def hide_in_an_index(folder):
    write_index(folder, "w2.bin")


def hide_behind_a_name(folder):
    change_config(folder, transformers_weights="adapter_model.bin")


def hide_in_an_index_of_another_name(folder):
    change_config(folder, transformers_weights="mine.safetensors.index.json")
    write_index(folder, "w2.bin", "mine.safetensors.index.json")


def hide_nothing(folder):
    pass


HIDING = [hide_in_an_index, hide_behind_a_name, hide_in_an_index_of_another_name, hide_nothing]


def pickle_weights(folder, hide):
    """Leaves nothing but pickles in a folder, and something that leads to them."""
    hide(folder)
    (folder / "model.safetensors").unlink()
    for name in ("pytorch_model.bin", "w2.bin", "adapter_model.bin"):
        (folder / name).write_bytes(b"a pickle")


@pytest.mark.parametrize("hide", HIDING)
def test_no_file_of_a_folder_leads_to_a_pickle(hide, folder, monkeypatch, fetch):
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("it was unpickled"))
    pickle_weights(folder, hide)
    with pytest.raises(ValueError, match=r"only pickled weights; .* set model\.allow_pickle=true"):
        fetch(folder)


def test_no_file_of_the_hub_leads_to_a_pickle(name, saved, tmp_path):
    for hide in HIDING:
        repository = tmp_path / f"models--nobody--{hide.__name__}"
        place = repository / "snapshots" / "abc"
        shutil.copytree(saved[name], place)
        pickle_weights(place, hide)
        (repository / "refs").mkdir()
        (repository / "refs" / "main").write_text("abc")
    code = (
        f"import torch\nfrom codex_ml.models.{name} import {name}\n"
        "def load(*_, **__): print('it was unpickled')\n"
        "torch.load = load\n"
        f"for kind in {[hide.__name__ for hide in HIDING]}:\n"
        "  for local in (False, True):\n"
        f"    config = {{'model_name': f'nobody/{{kind}}', 'local_files_only': local, 'head': {HEADS[name]!r}}}\n"
        f"    try: {name}(config)\n"
        "    except ValueError as error: print(error)\n"
    )
    environment = {"HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    told = done.stdout.splitlines()
    assert len(told) == 2 * len(HIDING), done
    assert all("pickled" in line and "set model.allow_pickle=true" in line for line in told)


@pytest.mark.parametrize(
    "named", ["../w.safetensors", "/w.safetensors", "a/w.safetensors", "a\\w.safetensors", 1, "w.gguf"]
)
def test_weights_lie_beside_their_config(named, folder, fetch):
    change_config(folder, transformers_weights=named)
    with pytest.raises(ValueError, match=r"only in \*\.safetensors files beside its config\.json"):
        fetch(folder)
    change_config(folder, transformers_weights=None)
    write_index(folder, named)
    (folder / "model.safetensors").unlink()
    with pytest.raises(ValueError, match=r"only in \*\.safetensors files beside its config\.json"):
        fetch(folder)


@pytest.mark.parametrize("named", [None, "mine.safetensors", "mine.safetensors.index.json"])
def test_weights_may_lie_in_several_files_and_bear_another_name(named, folder, fetch, expected):
    weights = load_file(folder / "model.safetensors")
    if named == "mine.safetensors":
        (folder / "model.safetensors").rename(folder / named)
    else:
        names = {key: f"part-{number % 2}.safetensors" for number, key in enumerate(weights)}
        for file in set(names.values()):
            save_file({key: weights[key] for key, part in names.items() if part == file}, folder / file)
        index = {"metadata": {"total_size": 1}, "weight_map": names}
        (folder / (named or "model.safetensors.index.json")).write_text(json.dumps(index))
        (folder / "model.safetensors").unlink()
    change_config(folder, transformers_weights=named)
    assert torch.equal(logits(fetch(folder)), expected)


@pytest.mark.parametrize("content", ["{bad", "[]", "{}", '{"weight_map": []}', '{"weight_map": {"a": []}}'])
def test_a_damaged_index_is_named(content, folder, fetch):
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(content)
    with pytest.raises(ValueError, match=f"cannot load {folder}: .*is no index of weights"):
        fetch(folder)


def test_a_part_that_is_missing_is_named(folder, fetch):
    write_index(folder, "part.safetensors")
    (folder / "model.safetensors").unlink()
    with pytest.raises(ValueError, match=r"names part\.safetensors, which is not there"):
        fetch(folder)


@pytest.mark.parametrize("allow_pickle", [False, True])
def test_an_adapter_beside_the_weights_is_refused(allow_pickle, folder, fetch):
    (folder / "adapter_config.json").write_text('{"base_missing_or_path": "somebody/else"}')
    with pytest.raises(ValueError, match="holds an adapter"):
        fetch(folder, allow_pickle=allow_pickle)


@pytest.mark.parametrize("allow_pickle", [False, True])
def test_a_file_of_another_format_is_not_looked_at(allow_pickle, folder, fetch):
    (folder / "model.safetensors").rename(folder / "model.gguf")
    with pytest.raises(ValueError, match=f"cannot load {folder}"):
        fetch(folder, allow_pickle=allow_pickle)


@pytest.mark.parametrize("missing", ["./nowhere", "/nowhere", "a/b/c", "~/nowhere"])
def test_a_missing_folder_is_named(missing, fetch):
    with pytest.raises(ValueError, match=f"there is no folder {missing}"):
        fetch(missing)


def test_a_folder_without_a_config_is_named(tmp_path, fetch):
    with pytest.raises(ValueError, match=r"holds no config\.json"):
        fetch(tmp_path)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("config.json", b"{bad"),
        ("config.json", b"{}"),
        ("model.safetensors", b"junk" * 9),
        ("model.safetensors", b""),
        ("model.safetensors", None),
    ],
)
def test_a_damaged_folder_is_named(folder, file, content, fetch):
    (folder / file).unlink()
    if content is not None:
        (folder / file).write_bytes(content)
    with pytest.raises(ValueError, match=str(folder)):
        fetch(folder)


def test_code_beside_the_weights_is_never_run(folder, fetch, expected):
    makers = ("AutoModelForSequenceClassification", "AutoModelForCausalLM", "AutoModelForMaskedLM", "AutoTokenizer")
    code = {"AutoConfig": "code.Config", **dict.fromkeys(makers, "code.Model")}
    (folder / "code.py").write_text("raise SystemExit('it ran')")
    change_config(folder, auto_map=code)
    assert torch.equal(logits(fetch(folder)), expected)
    change_config(folder, model_type="mine")
    with pytest.raises(ValueError, match="the model_type 'mine'"):
        fetch(folder)


@pytest.mark.parametrize("chosen", ["somebody/kernel", {"": "somebody/kernel"}])
def test_no_config_asks_for_a_kernel_from_the_hub(chosen, folder, fetch):
    change_config(folder, attn_implementation=chosen)
    with pytest.raises(ValueError, match="asks for the attention 'somebody/kernel'"):
        fetch(folder, pretrained=False)


UNPICKLED = {"model_type": "timm_wrapper", "architecture": "resnet18", "model_args": {"checkpoint_path": "evil.pth"}}


@pytest.mark.parametrize("pretrained", [True, False])
@pytest.mark.parametrize(
    "config",
    [
        {"model_type": "gemma3", "vision_config": UNPICKLED},
        {"model_type": "modernvbert", "vision_config": UNPICKLED},
        UNPICKLED,
        {"model_type": "t5"},
        {"model_type": ["bert"]},
        {"hidden_size": 24},
        [],
    ],
    ids=str,
)
def test_what_is_no_plain_model_of_text_is_refused_before_anything_is_made(
    config, pretrained, name, tmp_path, monkeypatch, fetch
):
    monkeypatch.setattr(transformers.AutoConfig, "from_pretrained", lambda *_, **__: pytest.fail("it was made"))
    (tmp_path / "config.json").write_text(json.dumps(config))
    kind = config.get("model_type") if isinstance(config, dict) else None
    types = ", ".join(GPT2.types if name == "gpt2" else ENCODERS)
    told = rf"{re.escape(str(tmp_path))} has the model_type {re.escape(repr(kind))}; {name} takes .*: {types}$"
    with pytest.raises(ValueError, match=told):
        fetch(tmp_path, pretrained=pretrained)


def test_a_config_that_changes_between_two_looks_is_refused(folder, monkeypatch, fetch):
    made = transformers.T5Config()
    monkeypatch.setattr(transformers.AutoConfig, "from_pretrained", lambda *_, **__: made)
    with pytest.raises(ValueError, match="the model_type 't5'"):
        fetch(folder)


def test_a_model_with_a_part_of_its_own_is_refused(folder, monkeypatch, fetch):
    for made in (transformers.BertConfig, transformers.GPT2Config):
        monkeypatch.setattr(made, "sub_configs", {"vision_config": transformers.AutoConfig})
    with pytest.raises(ValueError, match="has sub_configs"):
        fetch(folder)


def test_quantized_weights_are_refused(folder, fetch):
    change_config(folder, quantization_config={"quant_method": "eetq"})
    with pytest.raises(ValueError, match="has quantization_config"):
        fetch(folder)
