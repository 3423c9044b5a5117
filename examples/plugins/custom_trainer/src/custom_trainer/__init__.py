"""A trainer plugin for codex-ml."""
