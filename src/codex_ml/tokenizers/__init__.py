"""Built-in tokenizers, one a file; reached through entry points only."""
