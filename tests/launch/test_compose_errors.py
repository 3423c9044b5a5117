"""Everything that is wrong with a config, told at once, one line each."""

import os
import subprocess
import sys

import pytest

from codex_ml.launch import assemble
from plugin_package import write_plugin

FOUR = ["model=minlm", "trainer.lrr=1", "trainer.lr=fast", "metric=[f2]"]
FOUR_TOLD = [
    "model=minlm: there is no model 'minlm'; did you mean 'minilm'?",
    "trainer.lrr=1: unknown key 'trainer.lrr'; did you mean 'trainer.lr'?",
    "trainer.lr=fast: 'trainer.lr' must be float, not 'fast'",
    "metric=[f2]: there is no metric 'f2'; did you mean 'f1'?",
]

_SENTENCEPIECE = "tokenizer sentencepiece needs tokenizer.model_file or tokenizer.train_files, one of the two"
_MODELS = "bert_base_uncased, bert_tiny, gpt2, gpt2_tiny, minilm, minilm_small"
_EXPERIMENTS = "bbc_headlines, bbc_lm, bbc_mlm, bbc_news, bbc_quick, bbc_titles, chatterbot, django_de"


def write(folder, path, text):
    file = folder / "conf" / path
    file.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(text, bytes):
        file.write_bytes(text)
    else:
        file.write_text(text, encoding="utf-8")


@pytest.fixture
def experiment(project):
    """Writes `conf/experiment/mine.yaml`."""

    def make(text, name="mine"):
        write(project, f"experiment/{name}.yaml", text if isinstance(text, bytes) else f"# @package _global_\n{text}")

    return make


def test_four_mistakes_give_four_lines_in_the_order_of_the_command_line(codex_run):
    ended = codex_run(*FOUR)
    assert (ended.code, ended.out, ended.problems) == (2, "", FOUR_TOLD)


def test_a_process_of_its_own_says_the_same_and_ends_with_2(project):
    ended = subprocess.run(
        [sys.executable, "-m", "codex_ml", *FOUR], check=False, capture_output=True, text=True, timeout=60
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.splitlines() == [f"codex-run: {line}" for line in FOUR_TOLD]
    assert os.listdir(project) == []


@pytest.mark.parametrize(("override", "told"), list(zip(FOUR, FOUR_TOLD, strict=True)))
def test_each_mistake_alone_gives_its_one_line(codex_run, override, told):
    assert codex_run("mode=check", override).problems == [told]


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("model.name=x", "'model.name' may not be overridden; choose model=x instead"),
        ("metric.f1.name=accuracy", "'metric.f1.name' may not be overridden; choose 'metric=[accuracy]' instead"),
        (
            "metric.threshold=3",
            "unknown metric 'threshold'; an option is metric.<name>.threshold, and chosen are: accuracy, f1",
        ),
        ("metric.f2.average=micro", "unknown metric 'f2'; did you mean 'metric.f1'?"),
        ("metric.f1_micro.average=micro", "metric 'f1_micro' is not chosen: 'metric=[accuracy,f1,f1_micro]'"),
        (
            "metric.f1=3",
            "'metric.f1' is no metric: choose one with 'metric=[name,...]'; did you mean 'metric=[f1]'?",
        ),
        ("metric={a:1}", "'metric' has no key a"),
        (
            "metric.f1.average=mikro",
            "'metric.f1.average' must be one of macro, micro, weighted, binary, not 'mikro'; did you mean 'micro'?",
        ),
        (
            "model.dtype=flaot32",
            "'model.dtype' must be one of float32, bfloat16, float16 or null, not 'flaot32'; did you mean 'float32'?",
        ),
        ("lr=1", "unknown key 'lr'; did you mean 'trainer.lr'?"),
        ("modle=minilm", "unknown key 'modle'; did you mean 'model'?"),
        ("limit=3", "unknown key 'limit'; did you mean 'data.limit'?"),
        ("+foo=1", "unknown key 'foo'; values of your own go under vars"),
        ("~trainer.lrr", "unknown key 'trainer.lrr'; did you mean 'trainer.lr'?"),
        ("run.rot=x", "unknown key 'run.rot'; did you mean 'run.root'?"),
        ("hydra.run.dirr=x", "unknown key 'hydra.run.dirr'; did you mean 'hydra.run.dir'?"),
        ("trainer.lr.x=1", "'trainer.lr' holds no keys"),
        ("model={width:1}", "'model' has no key width"),
        ("seed=null", "'seed' must be int, not null"),
        ("seed=true", "'seed' must be int, not true"),
        ("mode=chekc", "'mode' must be one of train, evaluate, predict, check, not 'chekc'; did you mean 'check'?"),
        ("run.resume=maybe", "'run.resume' must be one of auto, never, must, not 'maybe'"),
        ("model.pretrained=1", "'model.pretrained' must be true or false, not 1"),
        ("model.config=3", "'model.config' must be a mapping, not 3"),
        ("trainer.lr=???", "'trainer.lr' has no value; set trainer.lr=<float>"),
        ("data.train=???", "'data.train' has no value; set data.train=..."),
        ("tokenizer=sentencepiece", f"{_SENTENCEPIECE}, and neither is given"),
        ("trainer.lr=${nope}", "'trainer.lr' cannot be resolved: Interpolation key 'nope' not found"),
        ("vars.a=${vars.a}", "'vars.a' cannot be resolved: Recursive interpolation detected"),
        ("seed=${trainer.schedule}", "'seed' must be int, not 'linear'"),
        ("trainer.lr=1,2", "several values need --multirun; for one list write 'trainer.lr=[1,2]'"),
        ("model=minilm,gpt2", "several values need --multirun"),
        ("trainer.lr=range(1,3)", "several values need --multirun; for one list write 'trainer.lr=[range(1,3)]'"),
        ("trainer", "not an override: write key=value (see codex-run --help)"),
        ("=3", "not an override: write key=value (see codex-run --help)"),
        (
            "trainer.lr=[1",
            "cannot be parsed: no viable alternative at input '[1'; quote special characters: 'trainer.lr=\"[1\"'",
        ),
        (
            "experiment=ü",
            "cannot be parsed: token recognition error at: 'ü'; quote special characters: 'experiment=\"ü\"'",
        ),
        (
            'experiment="ü"',
            "there is no experiment 'ü'; the options: " + _EXPERIMENTS,
        ),
        ("trainer=", "there is no trainer ''; the options: functional, hf_trainer"),
        (
            "model=null",
            "a group takes the name of an option: one of " + _MODELS,
        ),
        (
            "model=3",
            "a group takes the name of an option: one of " + _MODELS,
        ),
        ("experiment=null", "a group takes the name of an option: experiment=none"),
        ("model=[minilm]", "'model' takes one option, not a list: model=minilm"),
        ("model=[minilm,minilm_small]", "'model' takes one option, not a list: model=minilm"),
        ("+trainer.lr=1", "'trainer.lr' is there already: leave out the +"),
        ("+model=minilm", "'model' is there already: leave out the +"),
        ("+experiment=bbc_quick", "'experiment' is there already: leave out the +"),
        ("~metric", "'metric' has no such choice to take away; for none at all: metric=none"),
        ("~trainer", "no trainer is chosen: trainer=<name>, one of functional, hf_trainer"),
        ("~data", "'data.train' is not set: data.train=<file>, or choose a data set: data=<name>"),
        ("hydra/job_logging=x", "there is no hydra/job_logging 'x'; the options: codex, default, disabled, stdout"),
        ("seed=99999999999999999999", "'seed' must be a whole number of at most 64 bits"),
        ("trainer.threads=100000", "trainer.threads must be at most 1024, not 100000"),
        ("hydra.output_subdir=../x", "'hydra.output_subdir' must be the plain name of a folder, not '../x'"),
        ("hydra.output_subdir=..", "'hydra.output_subdir' must be the plain name of a folder, not '..'"),
        ("data.columns={text:1.5}", "'data.columns.text' must be str, not 1.5; quote it if it is text"),
    ],
)
def test_a_wrong_override_is_told_in_one_line_with_the_way_out(codex_run, override, told):
    ended = codex_run("mode=check", override)
    assert (ended.code, ended.problems) == (2, [f"{override}: {told}"])


def test_a_key_that_is_near_to_none_gets_the_list(codex_run):
    (line,) = codex_run("foo=1").problems
    assert line.startswith("foo=1: unknown key 'foo'; the keys: mode, seed, objective, weights, data,")
    (line,) = codex_run("+trainer.foo=1").problems
    assert line.startswith("+trainer.foo=1: unknown key 'trainer.foo'; the options of functional: epochs, max_steps,")


def test_half_an_override_that_fails_leaves_nothing_behind(codex_run):
    assert codex_run("trainer.lr.x=1", "seed=x").problems == [
        "trainer.lr.x=1: 'trainer.lr' holds no keys",
        "seed=x: 'seed' must be int, not 'x'",
    ]


def test_several_mistakes_in_one_node_are_all_told(codex_run):
    assert (
        len(codex_run("data.limt=3", "data.limit=x", "data.train=3.5", "run.resume=x", "run.root=null").problems) == 5
    )


def test_a_wrong_primary_config_names_its_flag(codex_run):
    assert codex_run("--config-name", "nope").problems == ["--config-name nope: there is no config 'nope'"]


def test_mistakes_of_every_sort_are_told_together(codex_run, experiment):
    experiment("trainer:\n  lr: fast\n")
    wrong = ["modle=minilm", "trainer.lr", "data=fils", "metric=[f1,f3]", "experiment=mine", "seed=1,2"]
    assert codex_run(*wrong).problems == [
        "modle=minilm: unknown key 'modle'; did you mean 'model'?",
        "trainer.lr: not an override: write key=value (see codex-run --help)",
        "data=fils: there is no data 'fils'; did you mean 'files'?",
        "metric=[f1,f3]: there is no metric 'f3'; did you mean 'f1'?",
        "seed=1,2: several values need --multirun; for one list write 'seed=[1,2]'",
        "conf/experiment/mine.yaml:3: 'trainer.lr' must be float, not 'fast'",
    ]


def test_each_mistake_of_a_yaml_file_is_told_with_its_line(codex_run, experiment):
    experiment(
        """\
defaults:
  - override /model: minlm
  - override /metric: [accuracy,
                       f2]
trainer:
  lr: fast
  lrr: 3
foo: 1
data:
  limt: 3
  columns: {text: [1]}
metric:
  f1:
    average: mikro
vars:
  a: ${nope}
"""
    )
    assert codex_run("experiment=mine").problems == [
        "conf/experiment/mine.yaml:3: there is no model 'minlm'; did you mean 'minilm'?",
        "conf/experiment/mine.yaml:5: there is no metric 'f2'; did you mean 'f1'?",
        "conf/experiment/mine.yaml:7: 'trainer.lr' must be float, not 'fast'",
        "conf/experiment/mine.yaml:8: unknown key 'trainer.lrr'; did you mean 'trainer.lr'?",
        "conf/experiment/mine.yaml:9: unknown key 'foo'; values of your own go under vars",
        "conf/experiment/mine.yaml:11: unknown key 'data.limt'; did you mean 'data.limit'?",
        "conf/experiment/mine.yaml:12: 'data.columns.text' must be str, not [1]",
        "conf/experiment/mine.yaml:14: 'metric.f1' is no metric: choose one with 'metric=[name,...]'; "
        "did you mean 'metric=[f1]'?",
        "conf/experiment/mine.yaml:17: 'vars.a' cannot be resolved: Interpolation key 'nope' not found",
    ]


def test_an_override_that_mends_a_yaml_file_takes_its_error_away(codex_run, experiment, records):
    experiment("trainer:\n  lr: fast\n")
    assert codex_run("mode=check", "experiment=mine", "trainer.lr=1", *records).code == 0


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("trainer: {lr: 1\nseed: 3\n", ":3: this is no YAML that can be read: expected ',' or '}', but got ':'"),
        (
            "trainer:\n\tlr: 1\n",
            ":3: this is no YAML that can be read: found character '\\t' that cannot start any token",
        ),
        ("seed: 1\nseed: 2\n", ":3: this is no YAML that can be read: found duplicate key seed"),
        ("- 1\n- 2\n", ": a config is a mapping of keys to values, not a list"),
        (b"seed: \xff\n", ": this is no UTF-8 text"),
        ("seed: ${\n", ": no viable alternative at input '${'"),
        ("defaults: 3\n", ": Invalid defaults list in 'experiment/mine', defaults must be a list (got int)"),
        (
            "defaults: [mine]\n",
            ": its defaults list names itself: a variant needs another name than the option that it builds on",
        ),
        (
            "defaults:\n  - override /modle: minilm\n",
            ":3: the defaults list overrides 'modle', and there is no such group in it; did you mean 'model'?",
        ),
    ],
)
def test_a_yaml_file_that_cannot_be_read_is_told_beside_the_rest(codex_run, experiment, text, told):
    experiment(text)
    assert codex_run("experiment=mine", "metric=f3").problems == [
        "metric=f3: there is no metric 'f3'; did you mean 'f1'?",
        f"conf/experiment/mine.yaml{told}",
    ]


def test_an_experiment_that_sets_its_own_group_is_told_how_to_begin(codex_run, project):
    write(project, "experiment/mine.yaml", "trainer:\n  lr: 1\n")
    assert codex_run("experiment=mine").problems == [
        "conf/experiment/mine.yaml: sets keys below 'experiment', of which there are none: begin it with "
        "'# @package _global_'"
    ]


def test_a_choice_that_a_defaults_list_makes_twice_is_told_with_what_to_write(codex_run, experiment):
    experiment("defaults:\n  - /model: minilm_small\n")
    (line,) = codex_run("experiment=mine").problems
    assert line.startswith("experiment=mine: Multiple values for model")
    assert line.endswith("in a defaults list write 'override /group: option' to change a choice")


def test_a_variant_needs_a_registered_component_below_it(codex_run, project):
    write(project, "trainer/mine.yaml", "name: functional\nlr: 1\n")
    write(project, "metric/mine.yaml", "# @package metric.mine\nname: f1\n")
    told = "builds on no registered {}: choose one, or begin its YAML with 'defaults: [{}, _self_]'"
    assert codex_run("trainer=mine").problems == [
        "conf/trainer/mine.yaml: 'trainer' " + told.format("trainer", "functional")
    ]
    assert codex_run("metric=mine").problems == [
        "conf/metric/mine.yaml: 'metric.mine' " + told.format("metric", "accuracy@_here_")
    ]


def test_a_variant_of_a_component_that_is_not_there_is_told_with_its_line(codex_run, project):
    write(project, "trainer/mine.yaml", "# a comment\ndefaults:\n  - functionl\n  - _self_\nlr: 1\n")
    assert codex_run("trainer=mine").problems == [
        "conf/trainer/mine.yaml:3: there is no trainer 'functionl'; did you mean 'functional'?"
    ]


def test_a_variant_that_bears_its_own_options_name_is_told(codex_run, project):
    write(project, "model/minilm.yaml", "defaults: [minilm, _self_]\n")
    (line,) = codex_run("seed=1").problems
    assert line.startswith("conf/model/minilm.yaml: its defaults list names itself")


def test_variants_that_build_on_each_other_are_told_without_a_traceback(codex_run, project):
    write(project, "trainer/one.yaml", "defaults: [two, _self_]\n")
    write(project, "trainer/two.yaml", "defaults: [one, _self_]\n")
    (line,) = codex_run("trainer=one").problems
    assert line.startswith("trainer=one: a YAML file builds on itself")


def test_what_only_a_shipped_file_says_is_told_by_the_choice_of_it(codex_run, experiment):
    told = "'data.train' is not set: data.train=<file>, or choose a data set: data=<name>"
    assert codex_run("mode=check", "data=files").problems == [f"data=files: {told}"]
    experiment("defaults:\n  - override /data: files\n")
    assert codex_run("mode=check", "experiment=mine").problems == [f"conf/experiment/mine.yaml:3: {told}"]


def test_a_bad_job_of_a_sweep_is_told_with_the_same_words(codex_run):
    assert codex_run("--multirun", "trainer.lr=1,2", "model=minlm").problems == [FOUR_TOLD[0]]
    told = FOUR_TOLD[1].replace("trainer.lrr=1", "trainer.lrr=1,2")
    assert codex_run("--multirun", "trainer.lrr=1,2").problems == [told]


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (["trainer.lr=1e-4,x", "trainer.lrr=1"], ["'trainer.lr' must be float, not 'x'", "unknown key 'trainer.lrr'"]),
        (["trainer.lr=1,x,y"], ["'trainer.lr' must be float, not 'x'", "'trainer.lr' must be float, not 'y'"]),
        (
            ["model=minilm,minlm", "metric.f1.averge=a,b"],
            ["there is no model 'minlm'", "unknown key 'metric.f1.averge'"],
        ),
        (["trainer.lr=range(1,3)", "seed=a,b"], ["'seed' must be int, not 'a'", "'seed' must be int, not 'b'"]),
        (["hydra/job_logging=codex,default"], ["Hydra's own settings are one for all jobs: give one value"]),
        (["hydra.job.chdir=true,false", "seed=x,1"], ["Hydra's own settings are one", "'seed' must be int, not 'x'"]),
    ],
)
def test_everything_that_is_wrong_with_a_sweep_is_told_at_once(codex_run, records, overrides, told):
    ended = codex_run("--multirun", *records, *overrides)
    assert ended.code == 2
    assert len(ended.problems) == len(told)
    for problem, message in zip(ended.problems, told, strict=True):
        source, _, rest = problem.partition(": ")
        assert source in overrides
        assert rest.startswith(message)


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (["+hydra.callbacks.x={_target_:hydra.experimental.callbacks.LogJobReturnCallback,zz:1}"], "hydra.callbacks.x"),
        (["--multirun", "seed=1", "+hydra.launcher.zz=1"], "hydra.launcher"),
        (["--multirun", "seed=1", "+hydra.sweeper.zz=1"], "hydra.sweeper"),
    ],
)
def test_what_hydra_cannot_build_is_told_before_anything_is_made(codex_run, project, records, overrides, told):
    before = sorted(project.iterdir())
    ended = codex_run(*records, *overrides)
    assert ended.code == 2
    (line,) = ended.problems
    assert line.startswith(f"{overrides[-1]}: '{told}' cannot be used: ")
    assert line.endswith("got an unexpected keyword argument 'zz'")
    assert sorted(project.iterdir()) == before


def test_an_experiment_without_its_package_line_is_told_to_have_one(codex_run, project):
    (project / "conf" / "experiment").mkdir(parents=True)
    (project / "conf" / "experiment" / "b.yaml").write_text("defaults:\n  - override /data: files\n")
    (line,) = codex_run("mode=check", "experiment=b").problems
    assert line.startswith(
        "conf/experiment/b.yaml:2: the defaults list overrides 'data', and there is no such group in it"
    )
    assert line.endswith("begin the file with '# @package _global_'")


def test_records_of_ones_own_are_not_tried_on_a_sample_s(codex_run, project, records):
    (line,) = codex_run("mode=check", "data.train=train.jsonl").problems
    told = "data.validation and data.test would still be the sample's: add data=files, or set them too"
    assert line == f"data.train=train.jsonl: {told}"
    (project / "conf" / "data").mkdir(parents=True)
    (project / "conf" / "data" / "more.yaml").write_text(
        "defaults: [bbc_news, _self_]\ntrain: [sample://bbc_news/train.jsonl, train.jsonl]\n"
    )
    assert codex_run("mode=check", "data=more").code == 0


def test_a_link_to_nowhere_is_told_as_one(codex_run, project):
    (project / "train.jsonl").symlink_to("gone.jsonl")
    (line,) = codex_run("mode=check", "data=files", "data.train=train.jsonl").problems
    assert line == "data.train=train.jsonl: train.jsonl is a link to gone.jsonl, which isn't there"


def test_a_component_that_takes_any_key_says_how_to_add_one(codex_run, tmp_path, monkeypatch):
    source = "def anything(config):\n    return config\n"
    write_plugin(
        *(tmp_path / "site", "open-plugin"),
        modules={"open_components": source},
        entry_points={"models": {"anything": "open_components:anything"}},
    )
    monkeypatch.syspath_prepend(tmp_path / "site")
    (line,) = codex_run("mode=check", "model=anything", "model.widht=9").problems
    assert line.endswith("the keys of model: model_name, device, dtype; to add it: +model.widht=9")
    assert codex_run("--cfg", "job", "model=anything", "+model.widht=9").code == 0


def test_a_check_says_what_nothing_can_be_measured_on(codex_run, records):
    ended = codex_run("mode=check", *records[:2])
    assert ended.code == 0
    assert "not measured: accuracy, f1, for there are no validation or test records" in ended.out
    assert "not measured" not in codex_run("mode=check", *records).out


def test_a_missing_extra_is_told_with_what_installs_it(codex_run, records, monkeypatch):
    real = assemble.version_of
    monkeypatch.setattr(assemble, "version_of", lambda name: None if name in ("scikit-learn", "torch") else real(name))
    assert codex_run("mode=check", *records, "metric=[f1]").problems == [
        "metric=[f1]: metric 'f1' needs scikit-learn, not installed: pip install 'codex-ml[metrics]'",
        "task 'classification' needs torch, not installed: pip install 'codex-ml[train]'",
        "model 'minilm' needs torch, not installed: pip install 'codex-ml[train]'",
        "trainer 'functional' needs torch, not installed: pip install 'codex-ml[train]'",
    ]


def test_what_a_plugin_requires_is_told_by_its_own_name(codex_run, records, tmp_path, monkeypatch):
    source = """
        def needy(predictions, labels):
            return 0.0

        needy.__codex_meta__ = {"requires": ("no-such-library", "rich")}
    """
    modules, offered = {"needy_metric": source}, {"metrics": {"needy": "needy_metric:needy"}}
    write_plugin(tmp_path / "site", "needy-plugin", modules=modules, entry_points=offered)
    monkeypatch.syspath_prepend(tmp_path / "site")
    (line,) = codex_run("mode=check", *records, "metric=[needy]").problems
    assert line.endswith("metric 'needy' needs no-such-library, not installed: pip install no-such-library")


def test_a_variable_that_is_not_there_to_be_copied_is_told(codex_run):
    (line,) = codex_run("mode=check", "hydra.job.env_copy=[UNSET]").problems
    assert line == "hydra.job.env_copy names 'UNSET', and there is no such variable here"
