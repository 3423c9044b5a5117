"""Install a package with an entry point, and it is an option: listed, typed, completed, run."""

import json
import os
import subprocess
import sys
import textwrap
from itertools import count

import pytest

from plugin_package import write_plugin

SOURCE = '''
    """Components of a stranger's, who imports nothing of this project."""

    from typing import Literal


    def tiny(config, *, width: int = 8, pool: Literal["mean", "max"] = "mean"):
        """A bag of words."""
        import torch

        class Bag(torch.nn.Module):
            def __init__(self, rows, labels):
                super().__init__()
                self.embedding = torch.nn.Embedding(rows, width)
                self.head = torch.nn.Linear(width, labels)

            def forward(self, input_ids, attention_mask):
                vectors = self.embedding(input_ids) * attention_mask.unsqueeze(-1)
                pooled = vectors.mean(1) if pool == "mean" else vectors.max(1).values

                class Output:
                    logits = self.head(pooled)

                return Output

        return Bag(config["head"]["vocab_size"], config["head"]["num_labels"]), None


    def share(predictions, labels, *, of: str = "sport"):
        """How many of the predictions are one label."""
        return sum(prediction == of for prediction in predictions) / len(predictions)


    def columns(path, *, separator: str = "|"):
        """Text and label, with something between them."""
        with open(path, encoding="utf-8") as file:
            for line in file:
                text, label = line.rstrip().split(separator)
                yield {"text": text, "label": label}
'''


def targets(prefix, module):
    return {
        "models": {f"{prefix}tiny": f"{module}:tiny"},
        "metrics": {f"{prefix}share": f"{module}:share"},
        "data_loaders": {f"{prefix}columns": f"{module}:columns"},
    }


_numbers = count()


@pytest.fixture
def prefix(tmp_path, monkeypatch):
    """What the names of the stranger's components begin with, in a package installed for this process."""
    prefix = f"p{next(_numbers)}_"
    module = f"{prefix}components"
    write_plugin(tmp_path / "site", f"{prefix}plugin", modules={module: SOURCE}, entry_points=targets(prefix, module))
    monkeypatch.syspath_prepend(tmp_path / "site")
    return prefix


def test_an_installed_component_is_listed(codex_run, prefix):
    out = codex_run("--help").out
    assert all(f"{prefix}{name}" in out for name in ("tiny", "share", "columns"))


def test_its_options_are_those_of_its_signature(codex_run, prefix):
    out = codex_run("--help", f"model={prefix}tiny", f"metric={prefix}share").out
    assert "model.width=8 " in out
    assert "one of mean, max" in out
    assert f"metric.{prefix}share.of=sport " in out


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("model.width=wide", "'model.width' must be int, not 'wide'"),
        ("model.pool=men", "'model.pool' must be one of mean, max, not 'men'; did you mean 'mean'?"),
        ("model.widht=3", "unknown key 'model.widht'; did you mean 'model.width'?"),
    ],
)
def test_a_wrong_value_is_told(codex_run, prefix, override, told):
    assert codex_run(f"model={prefix}tiny", override).problems == [f"{override}: {told}"]


def test_what_is_uninstalled_is_unknown(codex_run, prefix, monkeypatch, tmp_path):
    assert codex_run("--cfg", "job", f"model={prefix}tiny").code == 0
    sys.path.remove(str(tmp_path / "site"))
    (line,) = codex_run("--cfg", "job", f"model={prefix}tiny").problems
    assert line.startswith(f"model={prefix}tiny: there is no model '{prefix}tiny'; ")
    assert f"{prefix}tiny" not in line.partition("'; ")[2]


def test_a_component_that_cannot_be_imported_is_told_beside_the_rest(codex_run, tmp_path, monkeypatch):
    write_plugin(
        tmp_path / "site",
        "broken-plugin",
        modules={"broken_components": "raise RuntimeError('not today')"},
        entry_points={"models": {"broken": "broken_components:model"}},
    )
    monkeypatch.syspath_prepend(tmp_path / "site")
    first, second = codex_run("mode=check", "model=broken", "trainer.lrr=1").problems
    assert first.startswith("model=broken: 'broken' of broken-plugin 1.0 cannot be loaded")
    assert first.endswith("RuntimeError: not today")
    assert second == "trainer.lrr=1: unknown key 'trainer.lrr'; did you mean 'trainer.lr'?"
    assert codex_run("--help").code == 0
    assert "cannot be loaded" in codex_run("--help", "model=broken").out
    (alone,) = codex_run("mode=check", "model=broken", "model.width=3").problems
    assert alone == first


def test_names_that_cannot_be_typed_are_no_options(codex_run, tmp_path, monkeypatch):
    module = {"odd_components": "def model(config): ..."}
    names = dict.fromkeys(["none", "true", "with space", "a/b", "5x", "good_name"], "odd_components:model")
    write_plugin(tmp_path / "site", "odd-names", modules=module, entry_points={"models": names})
    monkeypatch.syspath_prepend(tmp_path / "site")
    (line,) = [line for line in codex_run("--help").out.splitlines() if line.startswith("  model:")]
    assert (
        line.split(":")[1].strip() == "bert_base_uncased, bert_tiny, good_name, gpt2, gpt2_tiny, minilm, minilm_small"
    )


@pytest.fixture
def process(project):
    """Runs `codex-run` in a process of its own that has a folder of plugins."""

    def run(site, *arguments, **environment):
        path = os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH", "")]))
        return subprocess.run(
            [sys.executable, "-m", "codex_ml", *arguments],
            check=False,
            capture_output=True,
            text=True,
            timeout=200,
            env={**os.environ, "PYTHONPATH": path, **environment},
        )

    return run


@pytest.fixture
def training(project):
    """Twelve records and a tokenizer for them; the overrides of a run on them."""
    from tiny_run import TOPICS, make_tokenizer

    lines = [f"the {TOPICS[topic][number % 4]},{topic}" for number in range(6) for topic in TOPICS]
    (project / "train.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    make_tokenizer().save_pretrained(project / "tokenizer")
    return [
        *("data=files", "data.train=train.txt", "data.validation=train.txt"),
        *("data_loader=columns", "data_loader.separator=','", "tokenizer=hf", "tokenizer.tokenizer_name=tokenizer"),
        *("model=tiny", "model.width=4", "metric=[accuracy,share]", "metric.share.of=tech"),
        *("trainer.epochs=2", "trainer.batch_size=4", "trainer.lr=0.1", "trainer.threads=1"),
    ]


def records_of(project):
    return [json.loads(path.read_text()) for path in sorted(project.glob("outputs/*/run.json"))]


def test_a_strangers_model_metric_and_loader_train_and_an_edit_trains_anew(process, project, training, tmp_path):
    site = tmp_path / "site"
    write_plugin(site, "tiny-plugin", modules={"tiny_components": SOURCE}, entry_points=targets("", "tiny_components"))
    first = process(site, *training)
    assert (first.returncode, "Traceback" in first.stderr) == (0, False), first.stderr
    (record,) = records_of(project)
    assert record["status"] == "completed"
    assert {*record["metrics"]} == {"accuracy", "share"}
    assert record["components"]["model"]["distribution"] == "tiny-plugin"
    assert "share (of:tech)" in first.stdout

    again = process(site, *training)
    assert again.returncode == 0
    assert "finished before" in again.stdout
    assert records_of(project) == [record]

    module = site / "tiny_components.py"
    module.write_text(module.read_text().replace("vectors.mean(1)", "vectors.sum(1)"))
    edited = process(site, *training)
    assert edited.returncode == 0, edited.stderr
    assert "finished before" not in edited.stdout
    assert len({item["run_id"] for item in records_of(project)}) == 2


def test_a_package_that_pip_installed_is_an_option_until_it_is_removed(process, project, tmp_path):
    package = tmp_path / "package"
    package.mkdir()
    (package / "pip_components.py").write_text(textwrap.dedent(SOURCE))
    groups = "".join(
        f"[project.entry-points.'codex_ml.{group}']\n"
        + "".join(f"{name} = '{target}'\n" for name, target in found.items())
        for group, found in targets("pip_", "pip_components").items()
    )
    (package / "pyproject.toml").write_text(
        "[build-system]\nrequires = ['setuptools']\nbuild-backend = 'setuptools.build_meta'\n"
        f"[project]\nname = 'pip-plugin'\nversion = '2.0'\n{groups}"
        "[tool.setuptools]\npy-modules = ['pip_components']\n"
    )
    site = tmp_path / "site"
    quiet = ["-q", "--disable-pip-version-check", "--no-deps", "--no-index", "--no-build-isolation"]
    subprocess.run(
        [sys.executable, "-m", "pip", "install", *quiet, "--target", str(site), str(package)], check=True, timeout=200
    )
    told = process(site, "model=pip_tiny", "model.width=wide", "metric=pip_shar")
    assert told.stderr.splitlines() == [
        "codex-run: model.width=wide: 'model.width' must be int, not 'wide'",
        "codex-run: metric=pip_shar: there is no metric 'pip_shar'; did you mean 'pip_share'?",
    ]
    offered = process(site, "-sc", "query=bash", COMP_LINE="codex-run model=pip", COMP_POINT="19")
    assert offered.stdout.split() == ["model=pip_tiny"]
    keys = process(site, "-sc", "query=bash", COMP_LINE="codex-run model=pip_tiny model.p", COMP_POINT="32")
    assert keys.stdout.split() == ["model.pool="]
    for path in site.glob("pip_*"):
        if path.name.endswith(".dist-info"):
            path.rename(tmp_path / "removed")
    gone = process(site, "model=pip_tiny")
    assert gone.returncode == 2
    assert "there is no model 'pip_tiny'" in gone.stderr
