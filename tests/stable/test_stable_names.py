"""Names, options and defaults that were promised stay, or go by a deprecation that spans two minor versions.

`frozen.json` is what was promised. Something new is added by hand with the release that brings it; a line changes or
goes only together with an entry under `deprecated` that says since when and in which version it ended.
"""

import copy
import json
from importlib import metadata
from pathlib import Path

import pytest

from codex_addons.entry_points import canonical
from codex_addons.registry_names import get_all_stable_names, is_stable_name
from codex_ml import registries
from codex_ml.launch.declarations import schema_of

FROZEN = json.loads((Path(__file__).parent / "frozen.json").read_text())


def current():
    """Names, and the options and defaults of those that this project provides."""
    provided = {}
    for kind, group in registries.GROUPS.items():
        plural = group.removeprefix("codex_ml.")
        for name, entry in registries.options(kind).items():
            if canonical(entry.distribution) == "codex-ml" and is_stable_name(plural, name):
                provided.setdefault(plural, {})[name] = schema_of(kind, name).defaults()
    return {"names": get_all_stable_names(), "provided": provided}


def broken_promises(frozen, now, version):
    """What was promised and is no longer so, without a deprecation that has run its time."""
    ended = {each["what"] for each in frozen["deprecated"] if has_run(each, version)}
    lost = []
    for plural, names in frozen["names"].items():
        lost += [f"{plural}.{name}" for name in names if name not in now["names"].get(plural, ())]
    for plural, components in frozen["provided"].items():
        for name, options in components.items():
            there = now["provided"].get(plural, {}).get(name)
            if there is None:
                lost.append(f"{plural}.{name}")
                continue
            lost += [
                f"{plural}.{name}.{option}"
                for option, default in options.items()
                if option not in there or there[option] != default
            ]
    return sorted({what for what in lost if what not in ended})


def has_run(deprecation, version):
    """Whether a deprecation spans two minor versions and the version that ends it is there."""
    since, removed = (minors(deprecation[key]) for key in ("since", "removed_in"))
    return removed - since >= 2 and minors(version) >= removed


def minors(version):
    major, minor = version.split(".")[:2]
    return 100 * int(major) + int(minor)


def test_every_promise_is_kept():
    assert broken_promises(FROZEN, current(), metadata.version("codex-ml")) == []


def test_whatever_is_stable_now_is_promised():
    now = current()
    assert now["names"] == FROZEN["names"]
    assert {plural: sorted(found) for plural, found in now["provided"].items()} == {
        plural: sorted(found) for plural, found in FROZEN["provided"].items()
    }
    new = {
        f"{plural}.{name}.{option}"
        for plural, components in now["provided"].items()
        for name, options in components.items()
        for option in options
        if option not in FROZEN["provided"][plural][name]
    }
    assert new == set()


@pytest.fixture
def now():
    return {"names": copy.deepcopy(FROZEN["names"]), "provided": copy.deepcopy(FROZEN["provided"])}


def forget_a_name(now):
    now["names"]["models"].remove("gpt2")
    return "models.gpt2"


def lose_an_entry_point(now):
    del now["provided"]["models"]["minilm"]
    return "models.minilm"


def drop_an_option(now):
    del now["provided"]["metrics"]["f1"]["average"]
    return "metrics.f1.average"


def change_a_default(now):
    now["provided"]["trainers"]["functional"]["lr"] = 1.0
    return "trainers.functional.lr"


SILENT = [forget_a_name, lose_an_entry_point, drop_an_option, change_a_default]


@pytest.mark.parametrize("change", SILENT)
def test_a_silent_change_is_found(now, change):
    what = change(now)
    assert broken_promises(FROZEN, now, "0.9.0") == [what]


@pytest.mark.parametrize(
    ("since", "removed_in", "version", "kept"),
    [
        ("0.2", "0.4", "0.4.0", True),
        ("0.2", "0.4", "0.3.9", False),
        ("0.2", "0.3", "0.9.0", False),
        ("0.99", "1.1", "1.1.0", True),
    ],
)
def test_a_deprecation_must_span_two_minor_versions(now, since, removed_in, version, kept):
    what = drop_an_option(now)
    frozen = {**FROZEN, "deprecated": [{"what": what, "since": since, "removed_in": removed_in}]}
    assert broken_promises(frozen, now, version) == ([] if kept else [what])
