"""A model plugin for codex-ml."""
