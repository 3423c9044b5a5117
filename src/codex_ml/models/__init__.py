"""Built-in models, one a file; reached through entry points only."""
