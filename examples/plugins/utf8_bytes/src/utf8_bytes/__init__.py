"""A tokenizer plugin for codex-ml."""
