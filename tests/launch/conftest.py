import pytest


@pytest.fixture
def token_cache_folder(tmp_path, monkeypatch):
    """A cache of the test's own."""
    monkeypatch.setenv("CODEX_ML_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def context(tmp_path, token_cache_folder):
    """Makes the context of a tiny run."""
    # torch takes seconds, which tests of other modules of this folder do without.
    from tiny_run import assembly

    from codex_ml.launch.context import RunContext

    def make(*, callbacks=None, **changes):
        return RunContext(assembly(tmp_path, **changes), tmp_path, callbacks=callbacks)

    return make


@pytest.fixture
def run(tmp_path, token_cache_folder):
    """Executes a tiny run in the folder of the given name."""
    from tiny_run import assembly

    from codex_ml.launch.execute import execute

    def go(name="run", *, callbacks=(), **changes):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        parts = assembly(tmp_path, **changes)
        return execute(parts, folder=folder, run_id="abc123", callbacks=callbacks)

    return go
