def data_loader(path: str) -> Iterator[Dict[str, Any]]:
    """
    Yields:
        dict: Record with keys:
            - text: str
            - label: int
            - metadata: dict
    """
    # Implementation
