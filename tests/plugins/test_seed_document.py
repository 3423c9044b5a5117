"""No sample of the plugin document is forgotten, and none is changed."""

from __future__ import annotations

from pathlib import Path

SEED = Path(__file__).parent / "seed"
DOCUMENT = [line.strip() for line in (SEED / "plugin_api.txt").read_text(encoding="utf-8").splitlines()]
# The document's text lost these; they are written anew from what stands around them.
RECONSTRUCTED = {
    *("my_metrics.toml", "my_models.toml", "migration_before.py"),
    *("use_descriptive_names.py", "provide_metadata.py"),
}
# How the lines begin that are neither code nor a heading nor a row of a table.
PROSE = (
    "Plugin API - Broader",
    "Comprehensive guide to",
    "The Codex plugin system ",
    "- Factory Registries - ",
    "- Entry Points - ",
    "- Adapter Interfaces - ",
    "Stability guarantee: ",
    "The following entry point groups",
    "All registries follow",
    "Key guarantees:",
    "- list() and names() always",
    "- register() is idempotent",
    "- Registry names are case-sensitive",
    "Register via entry point",
    "All metrics should follow",
    "Model factories should follow",
    "Data loaders should follow",
    "Plugins can declare their",
    "When loading plugins, specify",
    "The registry will warn about",
    "Before:",
    "After:",
    "- API Documentation - ",
    "- Metrics Guide - ",
    "- Examples - ",
    "- GitHub Issues: ",
    "[plugins]",
    "- Example Plugins: ",
    "examples/plugins/directory - Tests",
    "tests/plugins/for usage",
)


def place_of(path: Path) -> set[int]:
    """The numbers of the document's lines that a file repeats, all of them, in their order."""
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    starts = [start for start in range(len(DOCUMENT)) if DOCUMENT[start : start + len(lines)] == lines]
    assert starts, f"{path.name} is not verbatim"
    return set(range(starts[0], starts[0] + len(lines)))


def test_every_line_of_the_document_is_in_a_verbatim_sample_or_is_no_code():
    samples = [path for path in SEED.glob("*.*") if path.name not in {*RECONSTRUCTED, "plugin_api.txt"}]
    code = {number for path in samples for number in place_of(path)}
    heading_or_table = ("¶", "|")
    forgotten = [
        line
        for number, line in enumerate(DOCUMENT)
        if number not in code and not line.endswith(heading_or_table) and not line.startswith(PROSE)
    ]
    assert forgotten == []
    assert len(code) > 200


def test_every_sample_is_run():
    tests = (Path(__file__).parent / "test_seed_samples.py").read_text(encoding="utf-8")
    assert [path.name for path in SEED.glob("*.py") if f'"{path.stem}"' not in tests] == []
    assert [path.name for path in SEED.glob("*.toml") if f'"{path.stem}"' not in tests] == []
