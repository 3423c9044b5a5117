from codex_addons.registry import Registry

# Create a registry
registry = Registry(kind="my_components")

# Register items (idempotent - can call multiple times safely)
@registry.register("my_component")
class MyComponent:
    pass

# List registered names (stable sorted order)
names = registry.list() # Always returns same order
assert names == sorted(names) # Always sorted

# Get a registered item
item = registry.get("my_component")

# Check membership
if "my_component" in registry:
    print("✓ Component registered")
