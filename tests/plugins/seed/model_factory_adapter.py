from typing import Any, Dict, Tuple

def model_factory(config: Dict[str, Any]) -> Tuple[Any, Any]:
    """Standard model factory interface.

    Args:
        config: Model configuration
            - model_name: str
            - device: str
            - dtype: str
            - Additional model-specific options

    Returns:
        tuple: (model, tokenizer) or (model, None)

    Raises:
        ValueError: If config is invalid
        ImportError: If required dependencies unavailable
    """
    # Implementation
    pass
