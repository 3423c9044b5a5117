"""`codex-ml plugins list|show|doctor`: what is installed, what it declares, what is broken."""

import json
import os
import subprocess
import sys
from itertools import count

import pytest

from codex_ml.cli.main import main
from plugin_package import write_plugin

_numbers = count()

WHOLE = '''
    """A stranger's metric."""
    import torch


    def share(predictions, labels, *, of: str = "sport", least: int | None = None) -> float:
        """How many of the predictions are one label.

        Args:
            predictions: One a record.
            labels: As many.
            of: The label. It is compared as text.
            least: The fewest records, or none.
        """
        return 0.0


    share.__codex_api__ = "v1"
    share.__codex_meta__ = {"requires": ["torch"], "greater_is_better": True}
'''

BROKEN = {
    "a module that is missing": ("no_such_module_at_all:metric", None, "ModuleNotFoundError"),
    "raises at import": (None, "raise RuntimeError('not today')", "RuntimeError: not today"),
    "calls sys.exit": (None, "import sys\nsys.exit(0)", "SystemExit: 0"),
    "a syntax error": (None, "def metric(", "SyntaxError"),
    "lacks the attribute": (None, "other = 1", "has no attribute 'metric'"),
    "is not callable": (None, "metric = 3", "is a int, which cannot be called"),
    "kills its process": (None, "import os\nos.kill(os.getpid(), 9)", "ended by SIGKILL"),
    "another API version": (None, "def metric(p, l): ...\nmetric.__codex_api__ = 'v7'", "'v7', and 'v1' is required"),
    "the older attribute": (
        None,
        "def metric(p, l): ...\nmetric.__codex_ext_api__ = 'v7'",
        "'v7', and 'v1' is required",
    ),
}


@pytest.fixture
def codex_ml(capsys):
    def run(*arguments):
        capsys.readouterr()
        code = main(["plugins", *arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture
def installs(tmp_path, monkeypatch):
    """Installs a metric of the given source; returns its name."""
    monkeypatch.syspath_prepend(tmp_path / "site")

    def install(source, *, distribution="acme-tools", name="", target="", attribute="metric"):
        module = f"cli_plugin_{next(_numbers)}"
        name = name or f"{module}_{attribute}"
        write_plugin(
            *(tmp_path / "site", distribution),
            modules={} if source is None else {module: source},
            entry_points={"metrics": {name: target or f"{module}:{attribute}"}},
        )
        return name

    return install


def test_everything_installed_is_listed_with_its_distribution(codex_ml, installs):
    name = installs(WHOLE, attribute="share")
    code, out, _ = codex_ml("list")
    assert code == 0
    (line,) = [line for line in out.splitlines() if name in line]
    assert line.split() == ["metric", name, "acme-tools", "1.0"]
    assert [line.split()[-1] for line in out.splitlines() if line.startswith(" metric        f1 ")] == ["stable"]


def test_listing_is_of_one_kind_and_as_json(codex_ml, installs):
    name = installs(WHOLE, attribute="share")
    _, out, _ = codex_ml("list", "--kind", "metric", "--format", "json")
    told = {each["name"]: each for each in json.loads(out)}
    assert {each["kind"] for each in told.values()} == {"metric"}
    assert told[name]["distribution"] == "acme-tools"
    assert told[name]["stable"] is False
    assert told["f1"]["target"] == "codex_ml.metrics.f1:f1"


def test_a_component_is_shown_with_its_options_origin_and_docstring(codex_ml, installs, tmp_path):
    name = installs(WHOLE, attribute="share")
    code, out, _ = codex_ml("show", name)
    assert code == 0
    lines = [line.split() for line in out.splitlines()]
    assert ["distribution:", "acme-tools", "1.0"] in lines
    assert ["requires:", "torch"] in lines
    assert ["of", "str", "sport", "The", "label"] in lines
    assert ["least", "int", "or", "null", "null", "The", "fewest", "records,", "or", "none"] in lines
    assert str(tmp_path / "site") in out
    assert "  How many of the predictions are one label." in out


def test_showing_as_json_tells_types_and_defaults(codex_ml, installs):
    _, out, _ = codex_ml("show", installs(WHOLE, attribute="share"), "--format", "json")
    (told,) = json.loads(out)
    assert told["options"][0] == {
        **{"name": "of", "type": "str", "default": "sport", "required": False, "help": "The label"}
    }
    assert (told["api"], told["meta"]["greater_is_better"]) == ("v1", True)


def test_a_misspelt_name_is_told_the_right_one(codex_ml):
    assert codex_ml("show", "acuracy") == (
        *(2, ""),
        "codex-ml: no installed component is called 'acuracy'; did you mean 'accuracy'?\n",
    )
    assert "see: codex-ml plugins list" in codex_ml("show", "qqqqqqqq")[2]


@pytest.mark.filterwarnings("ignore::codex_addons.errors.EntryPointWarning")
def test_of_two_with_one_name_each_is_told(codex_ml, installs):
    installs("def metric(p, l):\n    'The one.'", distribution="acme-tools", name="twice")
    installs("def metric(p, l):\n    'The other.'", distribution="beta-tools", name="twice")
    _, out, _ = codex_ml("show", "twice")
    assert "The one." in out
    assert "The other." in out
    assert "hidden by that of acme-tools: choose metric=beta-tools/twice" in out
    assert "The one." not in codex_ml("show", "Beta_Tools/twice")[1]
    code, out, _ = codex_ml("doctor", "--format", "json")
    states = {each["distribution"]: each["status"] for each in json.loads(out)["components"] if each["name"] == "twice"}
    assert (code, states) == (0, {"acme-tools": "ok", "beta-tools": "hidden"})


def test_where_all_is_well_the_doctor_says_so(codex_ml, installs):
    name = installs(WHOLE, attribute="share")
    code, out, _ = codex_ml("doctor")
    assert code == 0
    assert out.rstrip().endswith("components work")
    (line,) = [line for line in out.splitlines() if name in line]
    assert line.split()[2:6] == ["acme-tools", "1.0", "v1", "ok"]
    assert "imports" in line
    assert "torch" in line


@pytest.mark.parametrize(("target", "source", "told"), BROKEN.values(), ids=BROKEN)
def test_a_broken_plugin_is_told_and_every_other_one_still_works(codex_ml, installs, codex_run, target, source, told):
    name = installs(source, target=target or "", distribution="broken-tools")
    good = installs("def metric(predictions, labels):\n    return 1.0", distribution="good-tools")
    code, out, _ = codex_ml("doctor", "--format", "json")
    assert code == 1
    states = {each["name"]: each for each in json.loads(out)["components"]}
    assert states[name]["status"] == "broken"
    assert told in states[name]["error"]
    assert "broken-tools" in states[name]["error"]
    assert {each["status"] for other, each in states.items() if other != name} == {"ok"}
    assert codex_run("--cfg", "job", f"metric=[{good}]").code == 0
    (line,) = codex_run("mode=check", f"metric=[{name}]").problems
    assert told in line
    assert "1 of" in codex_ml("doctor")[1].splitlines()[-1]
    code, _, _ = codex_ml("show", name)
    assert code == 1


@pytest.mark.parametrize("content", [b"no group\n", b"[g]\nx = caf\xe9:a\n"], ids=["malformed", "not utf-8"])
@pytest.mark.filterwarnings("ignore::codex_addons.errors.EntryPointWarning")
def test_unreadable_metadata_of_somebody_else_is_a_warning(codex_ml, installs, tmp_path, content):
    name = installs("def metric(predictions, labels):\n    return 1.0")
    other = tmp_path / "site" / "unrelated-3.0.dist-info"
    other.mkdir()
    (other / "METADATA").write_text("Name: unrelated\nVersion: 3.0\n")
    (other / "entry_points.txt").write_bytes(content)
    code, out, _ = codex_ml("doctor")
    assert code == 0
    assert f"warning: unreadable metadata, ignored: {other}: entry_points.txt: " in out
    assert name in codex_ml("list")[1]


def test_what_is_denied_is_listed_with_the_reason_and_not_loaded(codex_ml, installs, monkeypatch):
    name = installs("raise RuntimeError")
    monkeypatch.setenv("CODEX_ML_PLUGINS_DENY", "acme-tools")
    code, out, _ = codex_ml("doctor")
    assert code == 0
    (line,) = [line for line in out.splitlines() if name in line]
    assert "not allowed: CODEX_ML_PLUGINS_DENY names acme-tools" in line
    assert "not allowed" in codex_ml("show", name)[1]


def test_a_name_that_no_config_can_choose_is_told(codex_ml, installs):
    installs("def metric(predictions, labels):\n    return 1.0", name="2nd")
    code, out, _ = codex_ml("doctor", "--format", "json")
    (told,) = [each for each in json.loads(out)["components"] if each["name"] == "2nd"]
    assert (code, told["status"]) == (0, "no option")
    assert told["note"] == "'2nd' is no name that can be chosen in a config"


def test_without_a_command_the_way_on_is_told(capsys):
    assert main([]) == 2
    assert "usage: codex-ml" in capsys.readouterr().err
    assert main(["--help"]) == 0


def test_an_option_that_must_be_given_is_shown_as_such(codex_ml, site):
    modules = {"needy_cli": "def needy(config, *, file: str, size: int = 3): ..."}
    write_plugin(site, "needy", modules=modules, entry_points={"tokenizers": {"needy": "needy_cli:needy"}})
    _, out, _ = codex_ml("show", "needy")
    assert "(required)" in next(line for line in out.splitlines() if " file " in line)
    (told,) = json.loads(codex_ml("show", "needy", "--format", "json")[1])
    assert [each["name"] for each in told["options"] if each["required"]] == ["file"]


def test_a_warning_is_one_line_of_the_commands_own(tmp_path):
    for distribution in ("acme-tools", "beta-tools"):
        module = f"warned_{distribution[:4]}"
        write_plugin(
            *(tmp_path / "site", distribution),
            modules={module: "def metric(p, l): ..."},
            entry_points={"metrics": {"warned": f"{module}:metric"}},
        )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    command = [sys.executable, "-c", "from codex_ml.__main__ import manage; manage()", "plugins", "list"]
    ended = subprocess.run(command, capture_output=True, text=True, check=True, env=environment, timeout=60)
    told = "is offered by both acme-tools and beta-tools: the one of acme-tools is used."
    assert ended.stderr == f"codex-ml: warning: 'warned' of codex_ml.metrics {told}\n"
