from codex_ml.plugins.registry import Registry

# Create registry and load from entry points
registry = Registry(kind="custom_components")
count, errors = registry.load_from_entry_points(
    group="my_app.components",
    require_api="v1"
)

print(f"Loaded {count} components")
if errors:
    print("Errors:", errors)

# List loaded components
print("Available:", registry.names())

# Use a component
component = registry.resolve_and_instantiate("my_component", option="value")
