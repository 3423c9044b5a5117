"""Built-in trainers, one a file; reached through entry points only."""
