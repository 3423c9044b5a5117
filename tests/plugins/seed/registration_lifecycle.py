from codex_addons.registry import Registry

registry = Registry(kind="metrics")

# 1. Initial registration
@registry.register("accuracy")
def my_accuracy(preds, labels):
    return sum(p == l for p, l in zip(preds, labels)) / len(labels)

# 2. Idempotent re-registration (no-op)
registry.register("accuracy", my_accuracy) # Silent no-op

# 3. Re-registration with different object (warns)
@registry.register("accuracy") # Warns about re-registration
def new_accuracy(preds, labels):
    # New implementation
    return calculate_accuracy_v2(preds, labels)

# 4. Query registration
assert "accuracy" in registry
assert len(registry) == 1
assert registry.list() == ["accuracy"]
