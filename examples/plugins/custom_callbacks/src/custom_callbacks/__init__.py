"""Two callback plugins for codex-ml."""
