"""The same work has the same id; whatever may change a number changes it."""

from dataclasses import replace

import pytest
from tiny_run import assembly, component

from codex_ml.launch import identity
from codex_ml.launch.identity import run_id


@pytest.fixture
def parts(tmp_path):
    return assembly(tmp_path)


@pytest.fixture
def installed(monkeypatch):
    """Versions that a test may change."""
    versions = {}
    real = identity.version_of
    monkeypatch.setattr(identity, "version_of", lambda name: versions.get(name) or real(name))
    return versions


def test_the_same_parts_have_the_same_id(parts, tmp_path):
    assert run_id(parts, "train") == run_id(assembly(tmp_path), "train")
    assert len(run_id(parts, "train")) == 12


@pytest.mark.parametrize("library", ["torch", "transformers"])
def test_another_version_of_torch_or_transformers_is_another_run(parts, installed, library):
    before = run_id(parts, "train")
    installed[library] = "99.0"
    assert run_id(parts, "train") != before


@pytest.mark.parametrize("declared", ["requires", "uses"])
def test_another_version_of_what_a_component_says_it_uses_is_another_run(parts, installed, declared):
    metric = component("metric", "m", max, meta={declared: ("some-library",)})
    parts = replace(parts, metrics=(metric,))
    before = run_id(parts, "train")
    installed["some-library"] = "2.0"
    assert run_id(parts, "train") != before
    installed.clear()
    installed["another-library"] = "2.0"
    assert run_id(parts, "train") == before


def test_who_only_watches_has_no_part_in_it(parts):
    watcher = component("plugin", "watcher", dict, meta={"observer": True}, often=3)
    actor = component("plugin", "actor", dict)
    before = run_id(parts, "train")
    assert run_id(replace(parts, plugins=(watcher,)), "train") == before
    assert run_id(replace(parts, plugins=(watcher, actor)), "train") != before


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"objective": "f1"},
        {"metrics": ()},
        {"trainer": "lr"},
        {"data": "limit"},
        {"data": "validation_fraction"},
    ],
    ids=str,
)
def test_another_value_is_another_run(parts, change):
    (field, value) = next(iter(change.items()))
    if value == "lr":
        value = replace(parts.trainer, options={**parts.trainer.options, "lr": 0.5})
    elif field == "data":
        value = replace(parts.data, **{value: 1 if value == "limit" else 0.5})
    assert run_id(replace(parts, **{field: value}), "train") != run_id(parts, "train")


def test_a_file_that_an_option_names_counts_by_its_content(parts, tmp_path):
    words = tmp_path / "words.txt"
    words.write_text("the\n")
    loader = replace(parts.data_loader, options={"stopwords": str(words)})
    parts = replace(parts, data_loader=loader)
    before = run_id(parts, "train")
    words.write_text("the\na\n")
    assert run_id(parts, "train") != before
