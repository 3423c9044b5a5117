"""Built-in tasks, one a file; reached through entry points only."""
