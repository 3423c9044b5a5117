from __future__ import annotations

import json
import subprocess
import sys

import pytest

from codex_ml.tokenizers.hf import HfTokenizerConfig, hf


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(WordLevel({"[PAD]": 0, "[UNK]": 1, "a": 2, "text": 3}, unk_token="[UNK]"))
    backend.pre_tokenizer = Whitespace()  # type: ignore[assignment]
    path = tmp_path_factory.mktemp("words")
    PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="[PAD]", unk_token="[UNK]").save_pretrained(path)
    return path


def test_loads_a_folder(folder):
    tokenizer = hf({"tokenizer_name": str(folder)})
    assert tokenizer(["a text here"])["input_ids"] == [[2, 3, 1]]
    assert tokenizer.padding_side == "right"


def test_padding_side_can_be_chosen(folder):
    tokenizer = hf({"tokenizer_name": str(folder), "padding_side": "left"})
    assert tokenizer(["a text", "a"], padding=True)["input_ids"] == [[2, 3], [0, 2]]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, r"needs tokenizer\.tokenizer_name"),
        ({"tokenizer_name": " "}, "must be a hub id or a folder"),
        ({"tokenizer_name": "/nowhere"}, "there is no folder /nowhere"),
        ({"tokenizer_name": "a", "padding_side": "up"}, "left, right or null"),
        ({"tokenizer_name": "a", "fast": True}, "has no option fast; it has tokenizer_name, revision"),
    ],
)
def test_a_wrong_option_is_named(config, message):
    with pytest.raises(ValueError, match=message):
        hf(config)


def test_a_folder_without_a_tokenizer_is_an_error(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(ValueError, match="holds no tokenizer"):
        hf({"tokenizer_name": str(tmp_path)})


def test_a_damaged_tokenizer_is_an_error(tmp_path):
    (tmp_path / "tokenizer.json").write_text("{bad")
    with pytest.raises(ValueError, match=f"cannot load {tmp_path}"):
        hf({"tokenizer_name": str(tmp_path)})


def test_code_beside_the_tokenizer_is_never_run(folder, tmp_path):
    (tmp_path / "tokenizer.json").write_bytes((folder / "tokenizer.json").read_bytes())
    auto = {"tokenizer_class": "Mine", "auto_map": {"AutoTokenizer": ["code.Mine", None]}}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(auto))
    (tmp_path / "code.py").write_text("raise SystemExit('it ran')")
    with pytest.raises(ValueError, match="custom code"):
        hf({"tokenizer_name": str(tmp_path)})


def test_offline_and_not_cached_tells_the_way_out(tmp_path):
    code = "from codex_ml.tokenizers.hf import hf\nhf({'tokenizer_name': 'nobody/nothing'})"
    environment = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ValueError: tokenizer.tokenizer_name: cannot get 'nobody/nothing'")
    assert "local folder" in last


def test_without_transformers_the_error_names_the_extra():
    code = (
        "import sys; sys.modules['transformers'] = None\n"
        "from codex_ml.tokenizers.hf import hf\nhf({'tokenizer_name': 'a'})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "pip install 'codex-ml[train]'" in done.stderr.strip().splitlines()[-1]


def test_declares_its_options():
    assert hf.__codex_api__ == "v1"
    assert hf.__codex_config__ is HfTokenizerConfig
    assert all(each.metadata["help"] for each in HfTokenizerConfig.__dataclass_fields__.values())
