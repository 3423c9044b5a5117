"""Built-in metrics, one a file; reached through entry points only."""
