"""Tab completion, in a real bash."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

DRIVER = r"""
eval "$(codex-run -sc install=bash)"
ask() {
    COMP_LINE=$1 COMP_POINT=${#1} COMPREPLY=()
    read -ra COMP_WORDS <<< "$1"
    [[ $1 == *" " ]] && COMP_WORDS+=("")
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    $(complete -p codex-run | sed 's/.*-F \([^ ]*\) .*/\1/')
    echo "ANSWER ${COMPREPLY[*]}"
}
"""


@pytest.fixture
def complete(project, tmp_path):
    """Asks bash what it would offer for each line."""
    programs = tmp_path / "bin"
    programs.mkdir()
    command = programs / "codex-run"
    command.write_text(
        f"#!/bin/sh\nexec {shlex.quote(sys.executable)} -c "
        "\"import sys; sys.argv[0] = 'codex-run'; "
        'from codex_ml.launch.app import main; sys.exit(main())" "$@"\n'
    )
    command.chmod(0o755)

    def ask(*lines):
        script = DRIVER + "".join(f"ask {shlex.quote(line)}\n" for line in lines)
        ended = subprocess.run(
            ["bash", "--norc", "-c", script],
            check=True,
            capture_output=True,
            text=True,
            timeout=120,
            env={**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"},
        )
        assert ended.stderr == ""
        return [line.removeprefix("ANSWER").split() for line in ended.stdout.splitlines() if line.startswith("ANSWER")]

    return ask


def test_options_keys_and_values_are_offered(complete):
    models, experiments, keys, partly, schedules, flags = complete(
        "codex-run model=",
        "codex-run experiment=",
        "codex-run trainer.",
        "codex-run trainer.sch",
        "codex-run trainer.schedule=",
        "codex-run model.pretrained=",
    )
    assert {"model=bert_base_uncased", "model=gpt2_tiny", "model=minilm", "model=minilm_small"} < set(models)
    assert {"experiment=bbc_lm", "experiment=bbc_news", "experiment=none"} < set(experiments)
    assert {"trainer.lr=", "trainer.epochs=", "trainer.schedule="} <= {*keys}
    assert partly == ["trainer.schedule="]
    assert schedules == ["trainer.schedule=constant", "trainer.schedule=cosine", "trainer.schedule=linear"]
    assert flags == ["model.pretrained=false", "model.pretrained=true"]


def test_what_nobody_may_set_is_not_offered(complete):
    (keys,) = complete("codex-run metric.f1.")
    assert keys == ["metric.f1.average="]


def test_a_list_is_completed_item_by_item(complete):
    first, second = complete("codex-run metric=[", "codex-run metric=[accuracy,f1")
    assert {"metric=[accuracy", "metric=[bleu", "metric=[f1", "metric=[f1_micro"} < set(first)
    assert second == ["metric=[accuracy,f1", "metric=[accuracy,f1_micro", "metric=[accuracy,f1_weighted"]


def test_what_is_wrong_before_the_cursor_does_not_end_the_help(complete):
    keys, options = complete(
        "codex-run model=minlm foo=1 metric=[f2 trainer.sch", "codex-run tokenizer=hf seed=x tokenizer.pad"
    )
    assert keys == ["trainer.schedule="]
    assert options == ["tokenizer.padding_side="]


def test_settings_are_completed_like_options(complete):
    modes, resumes, dtypes = complete("codex-run mode=", "codex-run run.resume=m", "codex-run model.dtype=n")
    assert modes == ["mode=check", "mode=evaluate", "mode=predict", "mode=train"]
    assert resumes == ["run.resume=must"]
    assert dtypes == ["model.dtype=null"]


def test_a_half_typed_flag_writes_nothing_to_the_terminal(complete):
    assert complete("codex-run --c") == [[]]


def test_a_projects_own_options_are_offered(complete, project):
    Path("conf/experiment").mkdir(parents=True)
    Path("conf/experiment/mine.yaml").write_text("# @package _global_\nseed: 1\n")
    assert complete("codex-run experiment=m") == [["experiment=mine"]]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_has_a_script_to_install(codex_run, shell):
    ended = codex_run("-sc", f"install={shell}")
    assert ended.code == 0
    assert "-sc query=" in ended.out
    assert codex_run("-sc", f"uninstall={shell}").code == 0


def test_an_unknown_shell_is_one_line(codex_run):
    ended = codex_run("-sc", "install=nosh")
    assert (ended.code, len(ended.problems)) == (2, 1)
    assert "bash" in ended.problems[0]
