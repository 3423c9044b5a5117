# my_loaders.py
import json
from pathlib import Path

def load_custom_format(path, **kwargs):
    """Load data from custom format.

    Args:
        path: Path to data file
        **kwargs: Additional loader options

    Yields:
        dict: Data records
    """
    path = Path(path)

    with path.open("r", encoding="utf-8") as f:
        for line in f:
            if line.strip():
                yield json.loads(line)

load_custom_format.__codex_api__ = "v1"
