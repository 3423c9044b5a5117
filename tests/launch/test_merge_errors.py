"""Mistakes in a YAML file that keep Hydra from merging it: told with file, line and key, beside all others."""

import pytest

COLUMNS = "'data.columns' must be a mapping, not a list"
CHOSEN = "'{}' must be chosen by name: in its defaults list, override /{}: {}"


@pytest.fixture
def write(project):
    """Writes a file below `conf/`."""

    def make(path, text):
        file = project / "conf" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    return make


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("metric: [accuracy]", CHOSEN.format("metric", "metric", "[accuracy]")),
        ("metric: []", CHOSEN.format("metric", "metric", "none")),
        ("metric: f1", CHOSEN.format("metric", "metric", "[f1]")),
        ("model: minilm", CHOSEN.format("model", "model", "minilm")),
        ("model: 3", CHOSEN.format("model", "model", "<name>")),
        ("trainer: [x]", CHOSEN.format("trainer", "trainer", "x")),
        ("data: files", CHOSEN.format("data", "data", "files")),
        ("data: 3", "'data' must be a mapping, not 3"),
        ("data: {columns: [text]}", COLUMNS),
        ("run: [x]", "'run' must be a mapping, not a list"),
        ("hydra: 3", "'hydra' must be a mapping, not 3"),
        ("hydra: {run: null}", "'hydra.run' must be a mapping, not null"),
        ("hydra: {run: {dirr: x}}", "unknown key 'hydra.run.dirr'; did you mean 'hydra.run.dir'?"),
        ("hydra: {run: {zzz: x}}", "unknown key 'hydra.run.zzz'; the keys of hydra.run: dir"),
        ("hydra: {job: {chdir: maybe}}", "'hydra.job.chdir' must be true or false, not 'maybe'"),
        ("hydra: {job: {env_copy: {a: b}}}", "'hydra.job.env_copy' must be a list, not a mapping"),
        ("hydra: {mode: x}", "'hydra.mode' must be one of RUN, MULTIRUN, not 'x'"),
        ("hydra: {run: {dir: [x]}}", "'hydra.run.dir' must be str, not a list"),
        (
            "hydra: {searchpath: [x]}",
            "'hydra.searchpath' counts only in the primary config; elsewhere pass hydra.searchpath=[<folder>]",
        ),
        ("vars: &a {x: *a}", "an anchor refers to itself: write out what the alias inside it stands for"),
        ("vars: {b: &a [1, {c: *a}]}", "an anchor refers to itself: write out what the alias inside it stands for"),
    ],
)
def test_what_cannot_be_merged_is_told_by_its_line_beside_the_rest(codex_run, write, text, told):
    write("experiment/m.yaml", f"# @package _global_\n{text}\n")
    ended = codex_run("experiment=m", "trainer.lrr=1")
    assert (ended.code, ended.problems) == (
        2,
        ["trainer.lrr=1: unknown key 'trainer.lrr'; did you mean 'trainer.lr'?", f"conf/experiment/m.yaml:2: {told}"],
    )


def test_it_hides_no_other_mistake_of_its_file(codex_run, write):
    lines = ["data: {columns: [text], limit: x}", "run: {resume: maybe}", "hydra: {mode: x, run: {dirr: 1}}"]
    write("experiment/m.yaml", "\n".join(["# @package _global_", *lines, "seed: 1.5", "model: minilm"]))
    assert codex_run("experiment=m").problems == [
        f"conf/experiment/m.yaml:2: {COLUMNS}",
        "conf/experiment/m.yaml:2: 'data.limit' must be int or null, not 'x'",
        "conf/experiment/m.yaml:3: 'run.resume' must be one of auto, never, must, not 'maybe'",
        "conf/experiment/m.yaml:4: 'hydra.mode' must be one of RUN, MULTIRUN, not 'x'",
        "conf/experiment/m.yaml:4: unknown key 'hydra.run.dirr'; did you mean 'hydra.run.dir'?",
        "conf/experiment/m.yaml:5: 'seed' must be int, not 1.5",
        f"conf/experiment/m.yaml:6: {CHOSEN.format('model', 'model', 'minilm')}",
    ]


def test_it_hides_no_mistake_of_another_file(codex_run, write):
    write("experiment/m.yaml", "# @package _global_\ndefaults:\n  - override /data: d\nrun: [x]\nmetric: [f1]\n")
    write("data/d.yaml", "defaults: [files, _self_]\ncolumns: [text]\nlimit: x\n")
    assert codex_run("experiment=m").problems[:4] == [
        f"conf/data/d.yaml:2: {COLUMNS}",
        "conf/data/d.yaml:3: 'data.limit' must be int or null, not 'x'",
        "conf/experiment/m.yaml:4: 'run' must be a mapping, not a list",
        f"conf/experiment/m.yaml:5: {CHOSEN.format('metric', 'metric', '[f1]')}",
    ]


def test_a_primary_config_is_told_to_choose_not_to_override(codex_run, project):
    (project / "mine").mkdir()
    (project / "mine" / "top.yaml").write_text("defaults: [config, _self_]\nmetric: [f1]\nhydra: 3\nseed: x\n")
    assert codex_run("--config-dir", "mine", "--config-name", "top").problems == [
        "mine/top.yaml:2: 'metric' must be chosen by name: in its defaults list, metric: [f1]",
        "mine/top.yaml:3: 'hydra' must be a mapping, not 3",
        "mine/top.yaml:4: 'seed' must be int, not 'x'",
    ]


def test_a_job_of_a_sweep_tells_it_with_the_same_words(codex_run, write, project):
    write("experiment/m.yaml", "# @package _global_\ndata: {columns: [text]}\n")
    write("experiment/n.yaml", "# @package _global_\nmodel: minilm\n")
    ended = codex_run("-m", "experiment=m,n", "seed=1,x")
    assert (ended.code, ended.problems) == (
        2,
        [
            "seed=1,x: 'seed' must be int, not 'x'",
            f"conf/experiment/m.yaml:2: {COLUMNS}",
            f"conf/experiment/n.yaml:2: {CHOSEN.format('model', 'model', 'minilm')}",
        ],
    )


@pytest.mark.parametrize("depth", [400, 3000])
def test_what_is_nested_without_end_is_no_loop(codex_run, write, depth):
    write("experiment/m.yaml", f"# @package _global_\nvars: {'[' * depth}{']' * depth}\n")
    assert codex_run("experiment=m", "seed=x").problems == [
        "seed=x: 'seed' must be int, not 'x'",
        "conf/experiment/m.yaml: this is nested too deeply to be read",
    ]


def test_an_anchor_that_is_used_twice_is_no_loop(codex_run, write, records):
    write("experiment/m.yaml", "# @package _global_\nvars: {a: &a {x: 1}, b: *a, c: [*a, *a]}\n")
    assert codex_run("mode=check", "experiment=m", *records).code == 0


def test_what_only_hydra_resolves_is_told_without_a_traceback(codex_run, records):
    ended = codex_run("mode=check", "hydra.run.dir=${nope}", *records)
    assert (ended.code, ended.problems) == (2, ["'hydra.run.dir': Interpolation key 'nope' not found"])
