"""Built-in plugins, one a file; reached through entry points only."""
