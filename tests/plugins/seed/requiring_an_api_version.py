registry.load_from_entry_points(
    group="codex_ml.plugins",
    require_api="v1" # Only load v1 plugins
)
