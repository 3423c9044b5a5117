from codex_addons.registry_names import (
    ALL_REGISTRY_NAMES,
    get_all_stable_names,
    is_stable_name,
    get_description,
)

# Get all stable names across all registries
all_names = get_all_stable_names()

# Check if a name is stable
if is_stable_name("metrics", "token_accuracy"):
    print("✓ Stable metric name")

# Get description for a stable name
desc = get_description("metrics", "f1")
print(f"F1 score: {desc}")
