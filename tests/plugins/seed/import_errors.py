registry = Registry(kind="test")
count, errors = registry.load_from_entry_points(group="my_group")

# Check for import errors
for name, error in errors.items():
    print(f"Failed to load {name}: {error}")
