from codex_ml.plugins.registry import discover

# Check if plugin is registered
plugins = discover(group="codex_ml.plugins")
if "my_plugin" not in plugins:
    print("Plugin not found. Check entry point configuration.")
