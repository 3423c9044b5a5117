"""Launches machine-learning runs on text that are put together entirely from YAML."""
