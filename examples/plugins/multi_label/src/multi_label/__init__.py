"""A task plugin for codex-ml."""
