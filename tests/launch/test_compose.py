"""What composes, and that it composes as Hydra would."""

from pathlib import Path

import pytest
import yaml
from hydra import version
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import create_config_search_path
from hydra.errors import ConfigCompositionException
from hydra.types import RunMode
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from codex_ml.errors import ConfigError
from codex_ml.launch import config_source, resolvers
from codex_ml.launch.compose import CONFIG_NAME, compose
from codex_ml.launch.diagnosis import Diagnosis
from codex_ml.launch.loader import Loader


def write(folder, path, text):
    file = folder / "conf" / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def loader_of(kind):
    """A config loader of ours, or Hydra's own, over the same sources."""
    version.setbase("1.3")
    resolvers.register()
    config_source.register()
    return kind(create_config_search_path(config_source.SHIPPED))


def composed(*overrides, checked=True):
    return compose(loader_of(Loader), overrides, checked=checked)


def choices(*overrides):
    values = composed(*overrides).values
    return {choice.path: choice.name for choice in values.choices}


def plain(config):
    return OmegaConf.to_container(config, resolve=False)


def test_an_experiment_may_choose_how_a_run_logs(codex_run, project):
    (project / "conf" / "experiment").mkdir(parents=True)
    quiet = "# @package _global_\ndefaults:\n  - override /hydra/job_logging: disabled\n"
    (project / "conf" / "experiment" / "quiet.yaml").write_text(quiet)
    chosen = {
        arguments: yaml.safe_load(codex_run(*arguments, "--cfg", "hydra").out)["hydra"]["runtime"]["choices"]
        for arguments in [(), ("experiment=quiet",), ("experiment=quiet", "hydra/job_logging=default")]
    }
    assert [each["hydra/job_logging"] for each in chosen.values()] == ["codex", "disabled", "default"]


def test_the_defaults_compose_and_are_typed(project):
    assert choices() == {
        "task": "classification",
        "model": "minilm",
        "data_loader": "jsonl",
        "trainer": "functional",
        "metric.accuracy": "accuracy",
        "metric.f1": "f1",
        "plugin.progress": "progress",
    }
    options = {choice.path: choice.options for choice in composed("trainer.epochs=2").values.choices}
    assert type(options["trainer"]["epochs"]) is float
    assert options["metric.f1"] == {"average": "macro"}


EXPERIMENTS = sorted(path.stem for path in (Path(__file__).parents[2] / "conf" / "experiment").glob("*.yaml"))


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_shipped_experiment_composes(project, name):
    assert choices(f"experiment={name}")["trainer"] == "functional"


def test_every_option_of_every_group_composes(project):
    loader = loader_of(Loader)
    for group in ("task", "model", "data_loader", "data", "trainer", "metric", "plugin", "experiment"):
        for option in loader.get_group_options(group):
            assert composed(f"{group}={option}").values is not None, f"{group}={option}"


@pytest.mark.parametrize(
    ("overrides", "absent"),
    [
        (["metric=[]"], "metric"),
        (["metric=none"], "metric"),
        (["plugin=[]"], "plugin"),
        (["plugin=none"], "plugin"),
        (["tokenizer=none"], "tokenizer"),
        (["~metric.f1", "~metric.accuracy"], "metric"),
    ],
)
def test_a_group_that_may_be_empty_can_be_emptied(project, overrides, absent):
    assert absent not in {path.partition(".")[0] for path in choices(*overrides)}


@pytest.mark.parametrize(
    "overrides",
    [
        ["+metric@metric.f1_micro=f1", "metric.f1_micro.average=micro"],
        ["metric=[accuracy,f1,f1_micro]"],
    ],
)
def test_a_metric_stands_beside_another_of_its_kind_with_other_options(project, overrides):
    found = {choice.path: (choice.name, choice.options) for choice in composed(*overrides).values.choices}
    assert found["metric.f1"] == ("f1", {"average": "macro"})
    assert found["metric.f1_micro"] == ("f1", {"average": "micro"})


def test_an_option_that_was_taken_away_is_left_to_the_component(project):
    (trainer,) = [choice for choice in composed("~trainer.lr").values.choices if choice.path == "trainer"]
    assert "lr" not in trainer.options


def test_keys_of_the_users_own_need_no_plus(project):
    config = composed("vars.a.b=1", "data.columns.text=title", "model.config.num_hidden_layers=2").config
    assert (config.vars.a.b, config.data.columns.text, config.model.config.num_hidden_layers) == (1, "title", 2)


def test_values_refer_to_values(project):
    values = composed("vars.size=3", "seed=${vars.size}", "trainer.batch_size=${seed}").values
    assert values.settings.seed == 3
    assert {choice.path: choice.options for choice in values.choices}["trainer"]["batch_size"] == 3


def test_a_projects_own_conf_adds_options_and_shadows_shipped_ones(project):
    write(project, "experiment/mine.yaml", "# @package _global_\nseed: 5\n")
    write(project, "trainer/slow.yaml", "defaults: [functional, _self_]\nlr: 1.0e-6\n")
    write(project, "model/minilm_small.yaml", "defaults: [minilm, _self_]\nmodel_name: mine\n")
    config = composed("experiment=mine", "trainer=slow", "model=minilm_small").config
    assert (config.seed, config.trainer.lr, config.model.model_name) == (5, 1e-6, "mine")
    assert config.trainer.name == "functional"
    assert {"mine", "bbc_news", "none"} <= {*loader_of(Loader).get_group_options("experiment")}


def test_a_projects_own_primary_config_is_not_taken(project):
    write(project, "config.yaml", "seed: 99\nmine: 1\n")
    assert composed().config.seed == 0
    assert "mine" not in composed().config


def test_hidden_files_of_a_conf_are_no_options(project):
    write(project, "experiment/.draft.yaml", "{}")
    write(project, "experiment/_part.yaml", "{}")
    assert not {".draft", "_part"} & {*loader_of(Loader).get_group_options("experiment")}


def test_a_file_named_conf_is_no_folder_of_configs(project):
    (project / "conf").write_text("nothing of ours")
    assert composed().config.seed == 0


def test_somebody_elses_conf_adds_no_group(codex_run, project):
    write(project, "sites/default.conf", "server {}")
    assert "sites" not in codex_run("--help").out


def test_a_config_that_is_only_shown_is_not_checked(project):
    assert composed("trainer.lr=fast", checked=False).values is None
    with pytest.raises(ConfigError):
        composed("trainer.lr=fast")


GROUPS = {
    "task": ["classification", "causal_lm", "generation"],
    "model": ["minilm", "minilm_small", "gpt2", "gpt2_tiny"],
    "tokenizer": ["none", "bpe", "hf"],
    "data_loader": ["csv", "jsonl", "parquet"],
    "data": ["bbc_news", "chatterbot", "files"],
    "trainer": ["functional"],
    "metric": ["[]", "none", "accuracy", "[f1]", "[f1,accuracy]", "[f1_micro,f1,f1_weighted]"],
    "plugin": ["[]", "none", "progress"],
    "experiment": ["none", "bbc_news", "bbc_quick", "bbc_titles", "bbc_lm", "[bbc_quick,bbc_titles]"],
    "hydra/job_logging": ["codex", "default"],
}
VALUES = {
    "seed": ["3", "${trainer.batch_size}", "-1"],
    "objective": ["null", "accuracy"],
    "data.train": ["x.jsonl", "[a,b]", "'a b'"],
    "data.limit": ["7", "null"],
    "data": ["{limit:3,validation_fraction:0.5}"],
    "data.validation_fraction": ["0.5", "0"],
    "trainer.lr": ["1e-4", "3", ".5"],
    "trainer": ["{lr:0.25}"],
    "trainer.schedule": ["cosine", "'linear'"],
    "trainer.threads": ["null", "2", "${seed}"],
    "model.pretrained": ["false", "TRUE"],
    "model.model_name": ["a/b", "'${vars.name}'"],
    "~trainer.epochs": ["", "1"],
    "~model.revision": [""],
    "+vars.name": ["x", "[1,{a:2}]", "null"],
    "++vars.more": ["${seed}", "{a:{b:c}}"],
    "+data.columns.text": ["title"],
    "+model.config.num_hidden_layers": ["1"],
    "++trainer.lr": ["0.5"],
    "run.root": ["out/puts", '"q r"'],
    "hydra.run.dir": ["somewhere/${now:%Y}"],
    "hydra.job.name": ["mine"],
}
TOKENIZERS = [[], ["tokenizer=none"], ["tokenizer=hf", "tokenizer.tokenizer_name=x"]]
EXTRAS = [[], ["+metric@metric.again=f1", "metric.again.average=micro"]]


@st.composite
def override_lists(draw):
    chosen = [
        f"{key}={draw(st.sampled_from(values))}"
        for table, most in ((GROUPS, 4), (VALUES, 6))
        for key, values in draw(
            st.lists(st.sampled_from(sorted(table.items())), unique_by=lambda pair: pair[0], max_size=most)
        )
    ]
    chosen += draw(st.sampled_from(TOKENIZERS)) + draw(st.sampled_from(EXTRAS))
    return [
        override.removesuffix("=") if override.startswith("~") else override
        for override in draw(st.permutations(chosen))
    ]


def as_hydra_composes(overrides):
    """The config that Hydra makes of them; None where it refuses."""
    try:
        return loader_of(ConfigLoaderImpl).load_configuration(CONFIG_NAME, overrides, RunMode.RUN)
    except ConfigCompositionException:
        return None


@settings(derandomize=True, deadline=None, max_examples=30)
@given(override_lists())
def test_what_is_composed_is_what_hydra_composes(overrides):
    theirs = as_hydra_composes(overrides)
    if theirs is None:
        with pytest.raises(ConfigError):
            composed(*overrides, checked=False)
        return
    ours = composed(*overrides, checked=False).config
    assert plain(ours) == plain(theirs)
    assert list(ours) == list(theirs)


@settings(derandomize=True, deadline=None, max_examples=10)
@given(override_lists())
def test_what_is_left_of_a_wrong_config_is_what_hydra_composes_without_the_wrong(overrides):
    theirs = as_hydra_composes(overrides)
    wrong = [*overrides, "nonsense", "trainer.nothing=1", "model=[1"]
    ours, _ = Diagnosis(loader_of(Loader), RunMode.RUN).composed(wrong)
    if theirs is not None:
        assert {**plain(ours), "hydra": None} == {**plain(theirs), "hydra": None}
