"""What a sweep is asked for and cannot do, and that a check of one leaves nothing behind."""

import json
import os

import pytest
from test_bad_input import SMALL

EMPTY = "gives no value, and so no job: in range(<start>,<stop>) the stop must lie beyond the start"


def interval(key):
    choice = f"{key}=<value>,<value> or {key}=range(<start>,<stop>,<step>)"
    return f"the sweeper tries single values, and an interval has none: {choice}"


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("trainer.lr=interval(0,1)", interval("trainer.lr")),
        ("seed=range(0,0)", EMPTY),
        ("data=glob(zz*)", "matches nothing, and so gives no job; the options: bbc_news, chatterbot, django_de, files"),
        ("seed=glob(*)", "matches nothing: no group"),
        ("hydra.sweeper.max_batch_size=0", "'hydra.sweeper.max_batch_size' must be at least 1, not 0"),
    ],
)
@pytest.mark.parametrize("more", [[], ["trainer.lrr=1,2"]])
def test_a_sweep_that_gives_no_jobs_is_refused_before_anything_is_made(codex_run, project, override, told, more):
    ended = codex_run("--multirun", override, *more)
    others = [f"{more[0]}: unknown key 'trainer.lrr'; did you mean 'trainer.lr'?"] if more else []
    assert (ended.code, ended.out, ended.problems) == (2, "", [f"{override}: {told}", *others])
    assert os.listdir(project) == []


def test_a_sweep_that_a_yaml_file_holds_is_looked_at_as_well(codex_run, project):
    (project / "conf" / "experiment").mkdir(parents=True)
    params = '{seed: "range(0,0)", trainer.lr: "interval(0,1)", model: "["}'
    text = f"# @package _global_\nhydra: {{sweeper: {{params: {params}}}}}\n"
    (project / "conf" / "experiment" / "m.yaml").write_text(text)
    ended = codex_run("--multirun", "experiment=m")
    assert ended.code == 2
    assert ended.problems[:2] == [
        f"conf/experiment/m.yaml:2: seed=range(0,0): {EMPTY}",
        f"conf/experiment/m.yaml:2: trainer.lr=interval(0,1): {interval('trainer.lr')}",
    ]
    assert ended.problems[2].startswith("conf/experiment/m.yaml:2: model=[: cannot be parsed")
    assert os.listdir(project) == ["conf"]


def test_the_names_of_a_glob_are_looked_at_one_by_one(codex_run):
    assert codex_run("--multirun", "data=glob(*)", "seed=x").problems == [
        "data=glob(*): 'data.train' is not set: data.train=<file>, or choose a data set: data=<name>",
        "seed=x: 'seed' must be int, not 'x'",
    ]


@pytest.mark.parametrize("folder", ["/proc/x", "/proc", "train.jsonl/x", "train.jsonl"])
def test_a_sweep_s_folder_that_cannot_be_written_is_named_with_the_way_out(codex_run, project, records, folder):
    before = os.listdir(project)
    ended = codex_run("--multirun", *records, "seed=0,1", f"hydra.sweep.dir={folder}")
    assert ended.code == 2
    (line,) = ended.problems
    assert line.startswith(f"hydra.sweep.dir={folder}: the sweep's folder {folder} cannot be written: ")
    assert line.endswith("; set hydra.sweep.dir=<folder>")
    assert os.listdir(project) == before


@pytest.mark.parametrize("place", ["hydra.sweep.dir", "hydra.sweep.subdir"])
def test_a_folder_that_cannot_be_resolved_is_told_without_a_traceback(codex_run, records, place):
    ended = codex_run("--multirun", *records, "mode=check", "seed=0,1", f"{place}=${{nope}}")
    assert (ended.code, ended.problems) == (2, [f"'{place}': Interpolation key 'nope' not found"])


def test_a_check_of_a_sweep_makes_nothing(codex_run, project, records):
    before = os.listdir(project)
    where = ["hydra.sweep.dir=sweep", "hydra.sweep.subdir=${vars.name}-${hydra.job.num}", "vars.name=x"]
    ended = codex_run("--multirun", *records, "mode=check", "seed=1,2", *where)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines() == [
        "The config is sound: it would run in sweep/x-0.",
        "The config is sound: it would run in sweep/x-1.",
        "2 jobs checked.",
    ]
    assert os.listdir(project) == before


def test_a_check_that_each_swept_experiment_asks_for_makes_nothing_either(codex_run, project, records):
    (project / "conf" / "experiment").mkdir(parents=True)
    for name in "ab":
        (project / "conf" / "experiment" / f"{name}.yaml").write_text("# @package _global_\nmode: check\n")
    before = os.listdir(project)
    ended = codex_run("--multirun", *records, "experiment=a,b")
    assert (ended.code, ended.out.splitlines()[-1]) == (0, "2 jobs checked.")
    assert os.listdir(project) == before


def test_a_check_of_a_sweep_with_a_bad_job_makes_nothing(codex_run, project, records):
    before = os.listdir(project)
    ended = codex_run("--multirun", *records, "mode=check", "data.test=train.jsonl,none.jsonl")
    assert (ended.code, ended.out) == (2, "")
    assert "data.test=train.jsonl,none.jsonl: there is no file none.jsonl" in ended.err
    assert os.listdir(project) == before


@pytest.mark.parametrize("mode", ["check", "train"])
def test_a_job_that_works_in_its_own_folder_finds_the_data_of_the_sweep_s(codex_run, project, records, mode):
    small = [override for override in SMALL if not override.startswith("data")]
    flags = ["hydra.job.chdir=true", "hydra.sweep.dir=sweep", "trainer.max_steps=1", "metric=[accuracy]"]
    ended = codex_run("--multirun", *small, *records, *flags, f"mode={mode}", "seed=1,2")
    assert ended.code == 0, ended.err
    assert "sweep/1" in ended.out
    made = sorted(project.glob("sweep/*/run.json"))
    assert [json.loads(path.read_text())["status"] for path in made] == ["completed"] * (2 if mode == "train" else 0)
