import inspect

import pytest

from codex_ml import registries
from codex_ml.testing.component import ComponentTests


@pytest.fixture(scope="module", autouse=True)
def installed(request, tmp_path_factory):
    """A distribution that offers the components of the test module, those that its COMPONENTS names."""
    site = tmp_path_factory.mktemp("site")
    info = site / "kit_tests-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: kit-tests\nVersion: 1.0\n")
    lines = []
    for kind, names in getattr(request.module, "COMPONENTS", {}).items():
        lines.append(f"[{registries.GROUPS[kind]}]")
        lines += [f"{name} = {target}" for name, target in _targets(request.module.__name__, names)]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(site)
        yield


def _targets(module, names):
    return [(name, f"{module}:{name}") if isinstance(name, str) else name for name in names]


@pytest.fixture
def failures(tmp_path):
    """Runs the checks of a class of the kit; the message of each one that fails, by its name without `test_`.

    The checks that all kinds share are left out where only those of one kind are of interest.
    """

    def run(suite, *, shared=True, **attributes):
        chosen = type("TestIt", (suite,), attributes)
        found = {}
        for name, check in inspect.getmembers(chosen, inspect.isfunction):
            of_all = name in vars(ComponentTests) and name != "test_bad_options_are_refused"
            if not name.startswith("test_") or (of_all and not shared):
                continue
            folder = tmp_path / name
            folder.mkdir(exist_ok=True)
            arguments = [folder] if "tmp_path" in inspect.signature(check).parameters else []
            try:
                check(chosen(), *arguments)
            except Exception as error:
                found[name.removeprefix("test_")] = f"{type(error).__name__}: {error}"
        return found

    return run
