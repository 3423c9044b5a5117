from pathlib import Path
from typing import Any, Dict, Iterator

def data_loader(path: str | Path, **kwargs: Any) -> Iterator[Dict[str, Any]]:
    """Standard data loader interface.

    Args:
        path: Path to data file or directory
        **kwargs: Loader-specific options

    Yields:
        Data records as dictionaries

    Raises:
        FileNotFoundError: If path doesn't exist
        ValueError: If data format is invalid
    """
    # Implementation
    pass
