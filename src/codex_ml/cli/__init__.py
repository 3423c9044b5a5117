"""The command `codex-ml`: one file a command."""
