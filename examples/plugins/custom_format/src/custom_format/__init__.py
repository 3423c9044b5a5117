"""A data loader plugin for codex-ml."""
