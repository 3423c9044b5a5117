"""Built-in data loaders, one a file; reached through entry points only."""
