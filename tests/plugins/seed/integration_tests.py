def test_plugin_discovery():
    from codex_ml.plugins.registry import get

    plugin = get("my_plugin", group="codex_ml.plugins")
    assert plugin is not None
    assert callable(plugin)
