"""A metric plugin for codex-ml."""
