"""A callback plugin for codex-ml."""
