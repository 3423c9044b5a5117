"""Two packages that offer the same name, and how to say which one is meant."""

import json
from pathlib import Path

import pytest

from plugin_package import write_plugin

METRIC = '''
    def half(predictions, labels, *, scale: float = {scale}):
        """Always one number."""
        return scale
'''


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """`acme-tools` and `Beta.Tools` both offer the metric `half`, and the first one `minilm` as well."""
    for distribution, module, scale in (("acme-tools", "qualified_acme", 0.25), ("Beta.Tools", "qualified_beta", 0.5)):
        offered = {"metrics": {"half": f"{module}:half"}}
        if module == "qualified_acme":
            offered["models"] = {"minilm": f"{module}:half"}
        write_plugin(
            tmp_path / "site", distribution, modules={module: METRIC.format(scale=scale)}, entry_points=offered
        )
    monkeypatch.syspath_prepend(tmp_path / "site")


pytestmark = pytest.mark.filterwarnings("ignore::codex_addons.errors.EntryPointWarning")


def test_of_two_the_first_by_distribution_is_taken_and_this_projects_own_before_it(codex_run, packages):
    assert "scale: 0.25" in codex_run("--cfg", "job", "metric=[half]").out
    assert "model_name" in codex_run("--cfg", "job", "model=minilm", "--package", "model").out


@pytest.mark.parametrize("spelling", ["Beta.Tools", "beta-tools", "BETA_TOOLS"])
def test_a_distribution_is_named_in_any_spelling(codex_run, packages, spelling):
    shown = codex_run("--cfg", "job", f"metric=[{spelling}/half]", "--package", "metric")
    key = spelling.replace(".", "-")
    assert shown.out.startswith(f"# @package metric\n{key}__half:\n  name: {spelling}/half\n")
    assert "scale: 0.5" in shown.out


def test_both_can_be_used_at_once_with_options_of_their_own(codex_run, packages, records):
    ended = codex_run(
        *(*records, "plugin=[]", "model.config={num_hidden_layers: 1}", "trainer.max_steps=1"),
        "metric=[acme-tools/half,beta-tools/half]",
        "metric.beta-tools__half.scale=0.75",
        "objective=beta-tools__half",
    )
    assert ended.code == 0, ended.err
    (path,) = Path("outputs").glob("*/run.json")
    record = json.loads(path.read_text())
    assert record["metrics"] == {"acme-tools__half": 0.25, "beta-tools__half": 0.75}
    assert [metric["distribution"] for metric in record["components"]["metric"]] == ["acme-tools", "Beta.Tools"]


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("metric=[acme-tools/haft]", "there is no metric 'acme-tools/haft'; did you mean 'acme-tools/half'?"),
        ("model=acme/x", "there is no model 'acme/x': no installed distribution 'acme' offers one"),
        ("model=Beta.Tools/x", "there is no model 'Beta.Tools/x': no installed distribution 'Beta.Tools' offers one"),
        ("model=codex-ml/minlm", "there is no model 'codex-ml/minlm'; did you mean 'codex-ml/minilm'?"),
    ],
)
def test_a_wrong_one_is_told(codex_run, packages, override, told):
    assert codex_run("mode=check", override).problems == [f"{override}: {told}"]


def test_the_same_model_by_its_full_name_is_the_same_run(codex_run, packages):
    short, full = codex_run("mode=check", "model=minilm").out, codex_run("mode=check", "model=codex-ml/minilm").out
    assert short.split("-")[-1] == full.split("-")[-1]


def test_what_is_denied_is_no_option(codex_run, packages, monkeypatch):
    monkeypatch.setenv("CODEX_ML_PLUGINS_DENY", "acme-tools")
    assert "scale: 0.5" in codex_run("--cfg", "job", "metric=[half]").out
    (told,) = codex_run("--cfg", "job", "metric=[acme-tools/half]").problems
    assert told.endswith("there is no metric 'acme-tools/half': CODEX_ML_PLUGINS_DENY names acme-tools")
    monkeypatch.setenv("CODEX_ML_PLUGINS_ALLOW", "nobody")
    assert "half" not in codex_run("--help").out
    assert "minilm" in codex_run("--help").out


def test_a_yaml_file_may_name_one_too(codex_run, packages, project):
    folder = project / "conf" / "experiment" / "sub"
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_text(
        "# @package _global_\ndefaults:\n  - override /metric: [beta-tools/half]\n"
        "metric:\n  beta-tools__half:\n    scal: 2\n"
    )
    (told,) = codex_run("mode=check", "experiment=sub/mine").problems
    where = "conf/experiment/sub/mine.yaml:6: unknown key 'metric.beta-tools__half.scal'"
    assert told == f"{where}; did you mean 'metric.beta-tools__half.scale'?"
