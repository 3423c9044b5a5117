"""What a stranger's component declares is known without importing what its module imports."""

import json
import os
import subprocess
import sys
import textwrap
import time
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest
from test_imports import HEAVY, imported

from codex_ml.launch import child, declarations
from codex_ml.launch.child import ChildError, forked, spawned
from codex_ml.launch.conversion import convert
from codex_ml.launch.declarations import declaration_of
from plugin_package import write_plugin

_numbers = count()

# Every kind at once, in a module that imports torch at its top.
SOURCE = '''
    """Everything of a stranger's who likes imports at the top."""
    from dataclasses import dataclass, field
    from enum import Enum
    from typing import Literal

    import torch


    class Pool(Enum):
        MEAN = "mean"
        MAX = "max"


    @dataclass
    class Config:
        width: int = field(default=4, metadata={"help": "How wide."})
        pool: Pool = Pool.MEAN
        device: str | None = None
        dtype: str | None = None

        def __post_init__(self):
            if self.width < 1:
                raise ValueError(f"model.width must be 1 or more, not {self.width}")


    class Bag(torch.nn.Module):
        def __init__(self, rows, width, labels):
            super().__init__()
            self.embedding = torch.nn.Embedding(rows, width)
            self.head = torch.nn.Linear(width, labels)

        def forward(self, input_ids, attention_mask):
            return self.head((self.embedding(input_ids) * attention_mask.unsqueeze(-1)).mean(1))


    def bag(config):
        """A bag of words."""
        assert isinstance(config["pool"], Pool), config["pool"]
        return Bag(config["head"]["vocab_size"], config["width"], config["head"]["num_labels"]), None


    bag.__codex_config__ = Config
    bag.__codex_meta__ = {"requires": ["torch"]}


    def share(predictions, labels, *, of: Literal["sport", "tech"] = "sport"):
        """How many of the predictions are one label."""
        return float(torch.tensor([prediction == of for prediction in predictions]).float().mean())


    share.__codex_meta__ = {"input": "labels", "greater_is_better": False}


    def columns(path, *, separator: str = "|"):
        """Text and label, with something between them."""
        with open(path, encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                text, found, label = line.rstrip().partition(separator)
                if not found:
                    raise ValueError(f"{path}:{number}: no {separator}")
                yield {"text": text, "label": label}
'''


@pytest.fixture
def heavy(tmp_path, monkeypatch):
    """The names of an installed package's `bag`, `share` and `columns`, whose module imports torch."""
    prefix = f"h{next(_numbers)}_"
    offered = {kind: {f"{prefix}{name}": f"{prefix}all:{name}"} for kind, name in KINDS.items()}
    write_plugin(tmp_path / "site", f"{prefix}plugin", modules={f"{prefix}all": SOURCE}, entry_points=offered)
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    return prefix


KINDS = {"models": "bag", "metrics": "share", "data_loaders": "columns"}


@pytest.fixture
def kept(tmp_path, monkeypatch, settled):
    """The name of a model whose module imports numpy, which takes less long than torch."""
    name = f"k{next(_numbers)}"
    source = '''
        import numpy


        def model(config, *, width: int = 4):
            """A bag of words."""


        model.__codex_meta__ = {"requires": ["torch"]}
    '''
    modules, offered = {f"{name}_all": source}, {"models": {name: f"{name}_all:model"}}
    write_plugin(tmp_path / "site", f"{name}-plugin", modules=modules, entry_points=offered)
    monkeypatch.syspath_prepend(tmp_path / "site")
    return name


@pytest.fixture
def settled(monkeypatch, tmp_path):
    """A cache folder of the test's own; everything on disk counts as settled, which takes two seconds otherwise."""
    monkeypatch.setenv("CODEX_ML_CACHE_DIR", str(tmp_path / "cache"))
    later = SimpleNamespace(time_ns=lambda: time.time_ns() + 3600 * 10**9, perf_counter=time.perf_counter)
    monkeypatch.setattr(declarations, "time", later)
    # This process may have torch already, and would then take the component itself.
    monkeypatch.setattr(declarations.Declaration, "deferred", True)
    return tmp_path / "cache" / "declarations"


@pytest.fixture
def reads(monkeypatch):
    """The components that were imported in a process of their own."""
    found = []
    apart = declarations.inspect_apart
    monkeypatch.setattr(
        declarations, "inspect_apart", lambda kind, entry: found.append(entry.name) or apart(kind, entry)
    )
    return found


def afresh(kind, name):
    """As the next process would find it."""
    declarations._known.cache_clear()
    return declaration_of(kind, name)


def chosen(prefix):
    return [f"model={prefix}bag", f"metric=[{prefix}share]", f"data_loader={prefix}columns"]


@pytest.mark.parametrize("arguments", [["--cfg", "job"], ["--help"], ["mode=check"], ["mode=check", "model.width=x"]])
def test_torch_at_the_top_of_a_plugin_stays_out_of_composing_and_checking(project, heavy, arguments):
    (project / "data.txt").write_text("a b|sport\nc d|tech\n")
    data = ["data=files", "data.train=data.txt", "tokenizer=none"]
    modules, code = imported([*arguments, *chosen(heavy), *data])
    assert code == (2 if "model.width=x" in arguments else 0)
    assert not modules & {*HEAVY}


def test_nor_does_completing_import_it(project, heavy):
    line = f"codex-run model={heavy}bag model."
    modules, code = imported(["-sc", "query=bash"], COMP_LINE=line, COMP_POINT=str(len(line)))
    assert code == 0
    assert not modules & {*HEAVY}


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("model.width=wide", "'model.width' must be int, not 'wide'"),
        ("model.pool=MEEN", "'model.pool' must be one of MEAN, MAX, not 'MEEN'; did you mean 'MEAN'?"),
        ("model.widht=3", "unknown key 'model.widht'; did you mean 'model.width'?"),
    ],
)
def test_its_options_are_checked_as_if_it_were_imported(codex_run, heavy, settled, records, override, told):
    assert codex_run("mode=check", *records, f"model={heavy}bag", override).problems == [f"{override}: {told}"]


def test_a_bad_record_is_found_by_a_loader_that_is_heavy(project, heavy):
    (project / "data.txt").write_text("a b|sport\nno label\n")
    modules, code = imported(["mode=check", *chosen(heavy), "data=files", "data.train=data.txt"])
    assert code == 2
    assert not modules & {*HEAVY}


def test_a_run_has_values_of_the_plugins_own_types_and_its_own_checks(codex_run, project, heavy, records):
    common = [*records, f"model={heavy}bag", f"metric=[{heavy}share]", "plugin=[]", "trainer.max_steps=1"]
    tokenizer = ["tokenizer=hf", f"tokenizer.tokenizer_name={_tokenizer(project)}"]
    ended = codex_run(*common, *tokenizer, "model.pool=MAX")
    assert ended.code == 0, ended.err
    (path,) = Path("outputs").glob("*/run.json")
    record = json.loads(path.read_text())
    assert record["metric_info"][f"{heavy}share"]["greater_is_better"] is False
    assert record["components"]["model"]["options"]["width"] == 4
    refused = codex_run(*common, *tokenizer, "model.width=0")
    assert refused.code == 2
    assert refused.problems == ["model.width=0: model.width must be 1 or more, not 0"]


def test_its_own_checks_are_run_in_another_process_where_nothing_is_run(project, heavy):
    (project / "data.txt").write_text("a b|sport\nc d|tech\n")
    arguments = ["mode=check", *chosen(heavy), "data=files", "data.train=data.txt", "model.width=0"]
    modules, code = imported(arguments)
    assert code == 2
    assert not modules & {*HEAVY}
    ended = subprocess.run(
        [sys.executable, "-m", "codex_ml", *arguments], capture_output=True, text=True, check=False, timeout=60
    )
    assert ended.stderr == "codex-run: model.width=0: model.width must be 1 or more, not 0\n"


def _tokenizer(folder):
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = {word: number for number, word in enumerate(["[PAD]", "[UNK]", "the", "ball", "goal", "chip"])}
    backend = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    made = PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="[UNK]", pad_token="[PAD]")
    made.save_pretrained(str(folder / "words"))
    return folder / "words"


def test_a_declaration_is_read_once(kept, settled, reads):
    first = afresh("model", kept)
    assert first.heavy == ("numpy",)
    assert (first.doc, first.api, first.meta["requires"]) == ("A bag of words.", "v1", ["torch"])
    again = afresh("model", kept)
    assert reads == [kept]
    assert again.schema.defaults() == first.schema.defaults() == {"width": 4, "device": None, "dtype": None}


def test_it_is_read_again_after_an_edit_and_after_an_upgrade(kept, settled, reads, tmp_path):
    afresh("model", kept)
    file = tmp_path / "site" / f"{kept}_all.py"
    file.write_text(file.read_text().replace("width: int = 4", "width: int = 16"))
    assert afresh("model", kept).schema.defaults()["width"] == 16
    (info,) = (tmp_path / "site").glob("*.dist-info")
    (info / "METADATA").write_text((info / "METADATA").read_text().replace("Version: 1.0", "Version: 1.1"))
    afresh("model", kept)
    assert reads == [kept] * 3


def test_an_edit_of_what_its_module_reads_or_imports_is_seen(settled, reads, tmp_path, monkeypatch):
    name, site = f"k{next(_numbers)}", tmp_path / "site"
    source = f"""
        import json, pathlib
        import numpy
        import {name}_sibling

        WIDTH = json.loads((pathlib.Path(__file__).parent / "preset.json").read_text())

        def model(config, *, width: int = WIDTH, depth: int = {name}_sibling.DEPTH): ...
    """
    write_plugin(site, f"{name}-plugin", entry_points={"models": {name: f"{name}_all.inner:model"}})
    (site / f"{name}_all").mkdir()
    (site / f"{name}_all" / "__init__.py").touch()
    (site / f"{name}_all" / "inner.py").write_text(textwrap.dedent(source))
    (site / f"{name}_all" / "preset.json").write_text("3")
    (site / f"{name}_sibling.py").write_text("DEPTH = 5\n")
    monkeypatch.syspath_prepend(site)
    width_and_depth = [afresh("model", name).schema.defaults()[key] for key in ("width", "depth")]
    (site / f"{name}_all" / "preset.json").write_text("30")
    (site / f"{name}_sibling.py").write_text("DEPTH = 5_0\n")
    assert width_and_depth == [3, 5]
    assert [afresh("model", name).schema.defaults()[key] for key in ("width", "depth")] == [30, 50]
    afresh("model", name)
    assert len(reads) == 2


def test_defaults_that_json_has_no_form_for_come_back_as_they_were(settled, tmp_path, monkeypatch):
    name = f"k{next(_numbers)}"
    source = """
        import numpy
        from typing import Literal

        def metric(p, l, *, by: dict[int, str] = {1: "a"}, near: Literal[0.5, 1.5] = 0.5, deep: list = [{2: 3}]): ...
    """
    offered = {"metrics": {name: f"{name}_all:metric"}}
    write_plugin(tmp_path / "site", f"{name}-plugin", modules={f"{name}_all": source}, entry_points=offered)
    monkeypatch.syspath_prepend(tmp_path / "site")
    for _ in range(2):
        schema = afresh("metric", name).schema
        assert schema.defaults() == {"by": {1: "a"}, "near": 0.5, "deep": [{2: 3}]}
        for option in schema.options.values():
            assert convert(option.default, option.annotation) == option.default


def test_one_that_hangs_is_told(tmp_path, monkeypatch, codex_run):
    name = f"hangs{next(_numbers)}"
    modules, offered = {f"{name}_all": "import time\ntime.sleep(1000)"}, {"models": {name: f"{name}_all:model"}}
    write_plugin(tmp_path / "site", f"{name}-plugin", modules=modules, entry_points=offered)
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.setattr(child, "PATIENCE", 1.0)
    (line,) = codex_run("mode=check", f"model={name}").problems
    assert line.endswith(f"'{name}' of {name}-plugin 1.0 cannot be loaded: it was not done after 1.0 s")


def test_one_that_prints_or_starts_a_thread_disturbs_no_command(tmp_path, project):
    name = f"loud{next(_numbers)}"
    source = """
        import threading, time
        print("NOISE", flush=True)
        threading.Thread(target=time.sleep, args=(1000,)).start()

        def metric(predictions, labels, *, of: str = "x"): ...
    """
    offered = {"metrics": {name: f"{name}_all:metric", f"{name}_quiet": f"{name}_quiet:metric"}}
    quiet = "print('NOISE')\ndef metric(predictions, labels): ..."
    modules = {f"{name}_all": source, f"{name}_quiet": quiet}
    write_plugin(tmp_path / "site", f"{name}-plugin", modules=modules, entry_points=offered)
    command = [sys.executable, "-m", "codex_ml", f"metric=[{name},{name}_quiet]", "--cfg", "job", "--package", "metric"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30, env=environment)
    assert ended.returncode == 0
    assert ended.stdout.startswith(f"# @package metric\n{name}:\n")
    assert "NOISE" not in ended.stdout


@pytest.mark.parametrize("spoil", [b"", b"{}", b"[]", b'{"key": 1}', b"\xff"])
def test_a_spoilt_declaration_is_read_again(kept, settled, reads, spoil):
    first = afresh("model", kept)
    (file,) = settled.iterdir()
    file.write_bytes(spoil)
    assert afresh("model", kept).schema.defaults() == first.schema.defaults()
    assert len(reads) == 2


def test_nothing_is_kept_of_what_changed_just_now_nor_when_told_so(kept, settled, reads, monkeypatch):
    monkeypatch.setenv("CODEX_ML_NO_CACHE", "1")
    afresh("model", kept)
    monkeypatch.delenv("CODEX_ML_NO_CACHE")
    monkeypatch.setattr(declarations, "time", time)
    afresh("model", kept)
    afresh("model", kept)
    assert len(reads) == 3
    assert not settled.exists()


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("import os\nos.kill(os.getpid(), 9)", "the process ended by SIGKILL"),
        ("import os\nos._exit(3)", "the process ended with exit code 3"),
        ("import torch\nraise SystemExit('bye')", "SystemExit: bye"),
        ("import torch\nimport no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        (
            "print('noise')\ndef model(config): pass\nmodel.__codex_api__ = 'v2'",
            "declares the plugin API 'v2', and 'v1'",
        ),
        ("def model(config): pass\nmodel.__codex_config__ = 3", "__codex_config__ must be a dataclass, not 3"),
        ("model = 3", "is a int, which cannot be called"),
    ],
)
def test_one_that_cannot_be_read_is_one_message(codex_run, tmp_path, monkeypatch, source, told):
    name = f"broken{next(_numbers)}"
    modules, offered = {f"{name}_all": source}, {"models": {name: f"{name}_all:model"}}
    write_plugin(tmp_path / "site", f"{name}-plugin", modules=modules, entry_points=offered)
    monkeypatch.syspath_prepend(tmp_path / "site")
    ended = codex_run("mode=check", f"model={name}")
    assert ended.code == 2
    (line,) = ended.problems
    assert line.startswith(f"model={name}: ")
    assert f"{name}-plugin" in line
    assert told in line


def test_a_child_answers_or_is_told_to_have_ended():
    assert spawned("posixpath:basename", "/a/b") == "b"
    with pytest.raises(ChildError, match="exit code 1: AttributeError"):
        spawned("os:nothing")
    assert forked(lambda: [1, "two", None]) == [1, "two", None]
    with pytest.raises(ChildError, match="exit code 1"):
        forked(lambda: 1 / 0)
    with pytest.raises(ChildError, match="SIGKILL"):
        forked(lambda: os.kill(os.getpid(), 9))


def test_what_a_child_prints_is_not_its_answer(capfd):
    assert forked(lambda: print("noise") or (os.write(1, b"more") and 7)) == 7
    assert capfd.readouterr() == ("", "")


def test_a_declaration_that_changes_while_it_is_read_is_not_kept(kept, settled, reads, tmp_path, monkeypatch):
    apart = declarations.inspect_apart

    def reading(kind, entry):
        found = apart(kind, entry)
        file = tmp_path / "site" / f"{kept}_all.py"
        file.write_text(file.read_text().replace("width: int = 4", "width: int = 16"))
        return found

    monkeypatch.setattr(declarations, "inspect_apart", reading)
    assert afresh("model", kept).schema.defaults()["width"] == 4
    monkeypatch.setattr(declarations, "inspect_apart", apart)
    assert afresh("model", kept).schema.defaults()["width"] == 16
