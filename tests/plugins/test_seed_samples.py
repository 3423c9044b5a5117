"""Every sample of the plugin document runs as it is printed there, and does what the text around it says."""

from __future__ import annotations

import runpy
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from codex_addons.errors import DuplicateRegistrationWarning, EntryPointWarning
from codex_addons.registry import Registry

SEED = Path(__file__).parent / "seed"


def sample(name: str, **given: Any) -> dict[str, Any]:
    """Runs a sample, with the names that the ones before it made, and returns its own."""
    return runpy.run_path(str(SEED / f"{name}.py"), init_globals=given)


def source(name: str) -> str:
    return (SEED / f"{name}.py").read_text(encoding="utf-8")


def entry_points(*names: str) -> dict[str, dict[str, str]]:
    """The tables of the samples that belong into a package's pyproject.toml."""
    tables = [tomllib.loads((SEED / f"{name}.toml").read_text(encoding="utf-8")) for name in names]
    return {group: found for each in tables for group, found in each["project"]["entry-points"].items()}


@pytest.fixture
def my_package(install):
    """The package that the document's samples make when they are put together as it says."""
    modules = ("my_metrics", "my_models", "my_loaders")
    files = {f"my_package/{module}.py": source(module) for module in modules}
    install("my-package", entry_points(*modules), {"my_package/__init__.py": "", **files})


def test_stable_names_are_queried(capsys):
    names = sample("querying_stable_names")
    assert names["all_names"]["models"] == ["minilm", "bert_base_uncased", "gpt2"]
    assert names["all_names"].keys() == names["ALL_REGISTRY_NAMES"].keys()
    out = capsys.readouterr().out
    assert out.startswith("✓ Stable metric name\nF1 score: ")
    assert "None" not in out


def test_a_registry_lists_what_was_registered(capsys):
    names = sample("registry_classes")
    assert names["item"] is names["MyComponent"]
    assert names["names"] == ["my_component"]
    assert capsys.readouterr().out == "✓ Component registered\n"


def test_registering_again_is_silent_and_another_object_is_warned_about_and_ignored():
    with pytest.warns(
        DuplicateRegistrationWarning, match="my_accuracy, which stays; .*new_accuracy is ignored"
    ) as told:
        names = sample("registration_lifecycle")
    assert len(told) == 1
    assert names["registry"]["accuracy"] is names["my_accuracy"]
    assert callable(names["new_accuracy"])


def test_the_metric_plugin_scores_and_is_discovered_when_installed(my_package):
    from codex_ml.plugins.registry import discover, get

    metric = discover("codex_ml.metrics")["custom_accuracy"]
    assert metric is get("custom_accuracy", group="codex_ml.metrics")
    assert metric([1, 2, 3, 1], [1, 2, 0, 1]) == 0.75
    assert metric([], []) == 0.0


def test_the_model_plugin_loads_a_model_and_its_tokenizer(my_package, tmp_path):
    from codex_ml.plugins.registry import get

    tiny_bert(tmp_path / "tiny")
    factory = get("custom_model", group="codex_ml.models")
    model, tokenizer = factory({"model_name": str(tmp_path / "tiny"), "device": "cpu"})
    hidden = model(**tokenizer("the ball", return_tensors="pt")).last_hidden_state
    assert tuple(hidden.shape) == (1, 4, 8)


def tiny_bert(folder: Path) -> None:
    from transformers import BertConfig, BertModel, BertTokenizerFast

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "ball"]
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    BertModel(BertConfig(vocab_size=len(words), **sizes)).save_pretrained(folder)
    BertTokenizerFast(vocab={word: index for index, word in enumerate(words)}).save_pretrained(folder)


def test_the_loader_plugin_reads_records(my_package, tmp_path):
    from codex_ml.plugins.registry import get

    path = tmp_path / "records.txt"
    path.write_text('{"text": "ä"}\n\n{"text": "b"}\n', encoding="utf-8")
    loader = get("custom_format", group="codex_ml.data_loaders")
    assert list(loader(path, any_option=1)) == [{"text": "ä"}, {"text": "b"}]


@pytest.mark.parametrize(
    ("name", "function", "arguments"),
    [
        ("metric_adapter", "metric_adapter", ([1], [1])),
        ("model_factory_adapter", "model_factory", ({"model_name": "x"},)),
        ("data_loader_adapter", "data_loader", ("data.txt",)),
    ],
)
def test_the_adapters_are_called_as_they_say(name, function, arguments):
    assert sample(name)[function](*arguments) is None


def test_the_adapters_are_the_protocols():
    import inspect

    from codex_ml.interfaces import DataLoader, Metric, ModelFactory

    for name, function, protocol in [
        ("metric_adapter", "metric_adapter", Metric),
        ("model_factory_adapter", "model_factory", ModelFactory),
        ("data_loader_adapter", "data_loader", DataLoader),
    ]:
        documented = list(inspect.signature(sample(name)[function]).parameters)
        declared = [
            parameter.name
            for parameter in inspect.signature(protocol.__call__).parameters.values()
            if parameter.kind is not parameter.VAR_KEYWORD
        ][1:]
        assert documented[: len(declared)] == declared


def test_plugins_are_listed(my_package, capsys):
    names = sample("listing_available_plugins")
    out = capsys.readouterr().out
    assert f"Found {len(names['plugins'])} plugins:\n" in out
    assert " - progress: <class 'codex_ml.plugins.progress.Progress'>\n" in out
    assert {"accuracy", "custom_accuracy", "f1"} <= names["metrics"].keys()
    assert f"Available metrics: {sorted(names['metrics'])}\n" in out


def test_a_builtin_metric_scores(capsys):
    assert sample("using_registered_components")["score"] == 2 / 3
    assert capsys.readouterr().out.startswith("Accuracy: 0.666")


APP = """
    class MyComponent:
        def __init__(self, option):
            self.option = option


    def next_one():
        pass


    next_one.__codex_api__ = "v2"
"""


def test_components_are_loaded_from_entry_points(install, capsys):
    targets = {"my_component": "my_app:MyComponent", "missing": "my_app:missing", "next_one": "my_app:next_one"}
    install("my-app", {"my_app.components": targets}, {"my_app.py": APP})
    names = sample("loading_from_entry_points")
    assert names["count"] == 1
    assert names["component"].option == "value"
    assert names["errors"].keys() == {"missing", "next_one"}
    assert all("my-app" in message for message in names["errors"].values())
    out = capsys.readouterr().out
    assert out.startswith("Loaded 1 components\nErrors: {")
    assert out.endswith("Available: ['my_component']\n")


def test_without_errors_none_are_shown(install, capsys):
    install("my-app", {"my_app.components": {"my_component": "my_app:MyComponent"}}, {"my_app.py": APP})
    sample("loading_from_entry_points")
    assert capsys.readouterr().out == "Loaded 1 components\nAvailable: ['my_component']\n"


def test_only_plugins_of_the_required_api_are_loaded(install):
    """The version is declared as the sample does it, by either attribute."""
    declaring = source("declaring_an_api_version")
    older = "\n".join(line for line in declaring.splitlines() if "__codex_api__" not in line)
    modules = {"by_both": declaring, "by_older": older, "by_none": "def my_plugin(): pass"}
    modules |= {"other": declaring.replace('"v1"', '"v2"'), "older_other": older.replace('"v1"', '"v2"')}
    targets = {name: f"{name}_package:my_plugin" for name in modules}
    files = {f"{name}_package.py": text for name, text in modules.items()}
    install("versioned", {"codex_ml.plugins": targets}, files)
    registry = Registry(kind="plugins")
    sample("requiring_an_api_version", registry=registry)
    assert {"by_both", "by_older", "by_none"} <= set(registry)
    assert not {"other", "older_other"} & set(registry)


def test_names_and_metadata_are_told_by_the_registry():
    registry = Registry(kind="models")
    sample("use_descriptive_names", registry=registry)
    sample("provide_metadata", registry=registry)
    assert registry.describe("bert_base_uncased").stable
    assert not registry.describe("model1").stable
    assert registry.describe("custom_model").meta == {"category": "nlp", "requires": ["transformers", "torch"]}


def test_a_missing_dependency_is_told_with_the_command_that_installs_it():
    with pytest.raises(ImportError, match="Install with: pip install optional_library"):
        sample("handle_missing_dependencies")["load_optional_component"]({})


def test_an_installed_optional_dependency_is_used(install):
    install("optional-library", {}, {"optional_library.py": ""})
    assert sample("handle_missing_dependencies")["load_optional_component"]({}) is None


def test_a_config_without_a_required_key_is_refused():
    factory = sample("validate_configuration")["model_factory"]
    with pytest.raises(ValueError, match="Missing required config key: device"):
        factory({"model_name": "x"})
    assert factory({"model_name": "x", "device": "cpu"}) is None


def test_what_is_yielded_is_documented():
    loader = sample("document_return_types", Iterator=Iterator, Dict=dict, Any=Any)["data_loader"]
    assert "- label: int" in loader.__doc__
    assert loader("x") is None


def test_a_plugin_that_is_not_installed_is_not_found(capsys):
    sample("plugin_not_found")
    assert capsys.readouterr().out == "Plugin not found. Check entry point configuration.\n"


@pytest.fixture
def my_plugin(install):
    modules = {"my_plugin_package.py": source("declaring_an_api_version")}
    install("my-plugin", {"codex_ml.plugins": {"my_plugin": "my_plugin_package:my_plugin"}}, modules)


def test_a_plugin_that_is_installed_is_found(my_plugin, capsys):
    sample("plugin_not_found")
    assert capsys.readouterr().out == ""


def test_import_errors_are_told_by_name(install, capsys):
    install(
        "my-group", {"my_group": {"fine": "json:loads", "broken": "broken_one:x"}}, {"broken_one.py": "import none"}
    )
    assert sample("import_errors", Registry=Registry)["count"] == 1
    out = capsys.readouterr().out
    assert out.startswith("Failed to load broken: 'broken' of my-group 1.0 cannot be loaded")
    assert "No module named 'none'" in out


def test_a_duplicate_is_warned_about_and_the_first_stays(capsys):
    registry = Registry(kind="functions")
    names = sample("duplicate_registrations", registry=registry)
    assert [each.category for each in names["w"]] == [DuplicateRegistrationWarning]
    assert registry["duplicate"] is names["func1"]
    assert capsys.readouterr().out.startswith("Warning: functions: 'duplicate' is registered already")


def test_what_was_registered_by_hand_is_discovered_after_the_move(install):
    """This project's own metrics of the same names win, with a warning."""
    both = f"{source('my_metrics')}\n\naccuracy = f1 = custom_accuracy\n"
    files = {"my_package/__init__.py": "", "my_package/my_metrics.py": both}
    install("my-package", entry_points("migration_after"), files)
    by_hand = sample("migration_before")["METRICS"]
    with pytest.warns(EntryPointWarning, match="offered by both codex-ml and my-package"):
        discovered = sample("migration_after")["metrics"]
    assert by_hand.keys() <= discovered.keys()


def test_the_moved_metrics_are_those_of_the_package_under_names_of_its_own(install):
    both = f"{source('my_metrics')}\n\naccuracy = f1 = custom_accuracy\n"
    files = {"my_package/__init__.py": "", "my_package/my_metrics.py": both}
    targets = entry_points("migration_after")["codex_ml.metrics"]
    install("my-package", {"codex_ml.metrics": {f"my_{name}": target for name, target in targets.items()}}, files)
    by_hand = sample("migration_before")["METRICS"]
    discovered = sample("migration_after")["metrics"]
    assert {name: discovered[f"my_{name}"] for name in by_hand} == by_hand


def test_the_unit_test_passes_on_the_metric_plugin(my_package):
    sample("unit_tests")["test_my_metric"]()


def test_the_integration_test_passes_with_the_plugin_and_fails_without(my_plugin, site):
    test = sample("integration_tests")["test_plugin_discovery"]
    test()
    next(site.glob("my_plugin-*/entry_points.txt")).unlink()
    with pytest.raises(AssertionError):
        test()
