"""What users get wrong, through the real command: one clear message, the exit code, and a record that says so."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SMALL = [
    "model.pretrained=false",
    "+model.config.num_hidden_layers=1",
    "+model.config.hidden_size=24",
    "+model.config.intermediate_size=24",
    "task.max_length=8",
    "data=files",
    "data.train=train.jsonl",
    "data.validation=validation.jsonl",
    "trainer.threads=1",
]


def records(path: Path, labels: str, count: int = 12) -> None:
    lines = [json.dumps({"text": f"text number {i}", "label": labels[i % len(labels)]}) for i in range(count)]
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    records(tmp_path / "train.jsonl", "ab")
    records(tmp_path / "validation.jsonl", "ab")
    return tmp_path


def command(*overrides: str) -> list[str]:
    return [sys.executable, "-m", "codex_ml", *SMALL, *overrides]


def run(folder: Path, *overrides: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*overrides), cwd=folder, capture_output=True, text=True, check=False)


def record_of(folder: Path) -> dict:
    (path,) = folder.glob("outputs/*/run.json")
    return json.loads(path.read_text())


def message_of(result: subprocess.CompletedProcess[str]) -> str:
    assert "Traceback" not in result.stderr
    return result.stderr.strip().splitlines()[-1]


@pytest.mark.parametrize(
    ("overrides", "content", "told"),
    [
        (["data.train=nope.jsonl"], None, "data.train=nope.jsonl: there is no file nope.jsonl"),
        (["data.train=bad.jsonl"], "", "data.train=bad.jsonl: bad.jsonl is empty"),
        (["data.train=bad.jsonl"], "\n\n", "the train split holds no records ("),
        (["data.train=bad.jsonl"], '{"text": "a", "label": "a"}\n{"text": "b"}\n', "bad.jsonl: record 2 has no column"),
        (["data.train=bad.jsonl"], '{"text": "a", "label": "a"}\n{"text": \n', "bad.jsonl:2: "),
        (["run.root=train.jsonl"], None, "cannot be written"),
        (["hydra.run.dir=train.jsonl/x"], None, "cannot be written"),
        (["data.columns.label=topic"], None, "has no column 'topic' (it has: text, label); set data.columns.label="),
    ],
)
def test_bad_data_and_folders_are_told_before_the_run(folder, overrides, content, told):
    if content is not None:
        (folder / "bad.jsonl").write_text(content)
    before = sorted(path.name for path in folder.iterdir())
    result = run(folder, *overrides)
    assert result.returncode == 2
    assert told in result.stderr
    assert "Traceback" not in result.stderr
    assert sorted(path.name for path in folder.iterdir()) == before


def test_a_record_without_its_label_deep_in_the_file_fails_the_run_with_file_and_record(folder):
    with (folder / "train.jsonl").open("a") as file:
        file.write('{"text": "no label here"}\n')
    result = run(folder)
    assert result.returncode == 1
    assert "train.jsonl: record 13 has no column 'label' (it has: text)" in message_of(result)
    record = record_of(folder)
    assert (record["status"], record["error"]["type"]) == ("failed", "DataError")


def test_an_unknown_label_at_evaluation_fails_the_run_before_training(folder):
    records(folder / "validation.jsonl", "abc")
    result = run(folder)
    assert result.returncode == 1
    told = message_of(result)
    assert "validation.jsonl#3" in told
    assert "'c'" in told
    assert "a, b" in told or "'a', 'b'" in told
    record = record_of(folder)
    assert record["status"] == "failed"
    assert record["metrics"] == {}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_says_so_and_leaves_nothing_half_written(folder, number):
    process = subprocess.Popen(
        command("trainer.epochs=100000"), cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 180
    while not [log for log in folder.glob("outputs/*/metrics.jsonl") if log.stat().st_size]:
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(number)
    try:
        _, errors = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 1
    assert "Traceback" not in errors
    assert "the run was interrupted" in errors.strip().splitlines()[-1]
    record = record_of(folder)
    assert record["status"] == "interrupted"
    (log,) = folder.glob("outputs/*/metrics.jsonl")
    assert all(json.loads(line)["step"] > 0 for line in log.read_text().splitlines())
    assert not [path for path in folder.glob("outputs/*/*") if path.name.startswith(".run.json")]
    assert not list(folder.glob("outputs/*/model"))


def test_two_at_once_do_not_share_a_folder(folder):
    first = subprocess.Popen(command("trainer.epochs=100000"), cwd=folder, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 180
        while not list(folder.glob("outputs/*/metrics.jsonl")):
            assert first.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        second = run(folder, "trainer.epochs=100000")
    finally:
        first.kill()
        first.wait()
    assert second.returncode == 1
    assert "another process is at work on this run" in message_of(second)


def test_the_same_command_is_the_same_run_and_never_runs_it_again(folder):
    one = run(folder)
    assert one.returncode == 0, one.stderr
    started = time.monotonic()
    again = run(folder)
    assert time.monotonic() - started < 2
    assert "finished before" in again.stdout
    assert "training" not in again.stderr
    anew = run(folder, "run.resume=never")
    assert anew.returncode == 0
    first, second = sorted(folder.glob("outputs/*"), key=lambda path: len(path.name))
    assert second.name == f"{first.name}-2"
    records_of_both = [json.loads((path / "run.json").read_text()) for path in (first, second)]
    assert records_of_both[0]["metrics"] == records_of_both[1]["metrics"]
    assert records_of_both[0]["run_id"] == records_of_both[1]["run_id"]
    weights = [(path / "model" / "model.safetensors").read_bytes() for path in (first, second)]
    assert weights[0] == weights[1]


def test_a_check_names_the_folder_that_the_run_gets(folder):
    checked = run(folder, "mode=check", "trainer.max_steps=1")
    assert run(folder, "trainer.max_steps=1").returncode == 0
    (made,) = folder.glob("outputs/*")
    assert checked.stdout == f"The config is sound: it would run in outputs/{made.name}.\n"


def test_without_records_to_measure_on_the_result_says_so(folder):
    ended = run(folder, "trainer.max_steps=1", "data.validation=null")
    assert ended.returncode == 0
    assert "no metrics were measured: there were no validation or test records" in ended.stdout
    assert "set data.validation_fraction=0.1" in ended.stderr


@pytest.mark.parametrize("kilobytes", [1, 2, 3])
def test_a_disk_that_is_full_before_the_run_begins_leaves_no_half_of_a_file(folder, kilobytes):
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({kilobytes * 1024},) * 2)"
    program = f"{limit}; from codex_ml.__main__ import main; raise SystemExit(main())"
    # -B: half a bytecode file would stay, and be believed.
    command = [sys.executable, "-B", "-c", program, *SMALL]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "File too large" in message_of(ended)
    (made,) = folder.glob("outputs/*")
    assert str(made.relative_to(folder)) in message_of(ended)
    if not (made / "run.json").exists():
        assert not (made / ".hydra").exists()
    else:
        assert json.loads((made / "run.json").read_text())["status"] == "failed"


def test_other_data_is_another_run(folder):
    assert run(folder, "trainer.max_steps=1").returncode == 0
    records(folder / "train.jsonl", "ba")
    assert run(folder, "trainer.max_steps=1").returncode == 0
    assert len(list(folder.glob("outputs/*/run.json"))) == 2


@pytest.mark.parametrize("name", ["~nouser/x.jsonl", "x" * 300])
def test_a_name_that_is_no_path_is_told_beside_the_rest(folder, name):
    result = run(folder, f"data.train='{name}'", "trainer.lrr=1")
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    assert [line.split(": ")[1].partition("=")[0] for line in result.stderr.splitlines()] == [
        "data.train",
        "trainer.lrr",
    ]


def test_a_bad_job_is_told_before_the_first_job_of_a_sweep_starts(folder):
    result = run(folder, "--multirun", "data.train=train.jsonl,none.jsonl")
    assert result.returncode == 2
    assert "data.train=train.jsonl,none.jsonl: there is no file none.jsonl" in result.stderr
    assert not list(folder.glob("outputs/*/*/*/run.json"))


def test_sweeps_know_mode_and_resume(folder):
    checked = run(folder, "--multirun", "seed=1,2", "mode=check")
    assert checked.returncode == 0
    assert checked.stdout.count("The config is sound") == 2
    resumed = run(folder, "--multirun", "seed=1,2", "run.resume=must")
    assert resumed.returncode == 2
    assert "there is nothing to resume" in resumed.stderr


def test_limits_that_a_declaration_sets_are_told_before_the_run(folder):
    wrong = ["trainer.lr=-1", "trainer.batch_size=0", "objective=nope", "data.test=none.jsonl"]
    result = run(folder, "mode=check", *wrong)
    assert result.returncode == 2
    told = [line.removeprefix("codex-run: ").partition(":")[0] for line in result.stderr.splitlines()]
    assert told == wrong
