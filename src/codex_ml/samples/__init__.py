"""Built-in samples, one a file; reached through entry points only."""
