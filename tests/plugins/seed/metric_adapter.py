from typing import Any, List

def metric_adapter(predictions: List[Any], labels: List[Any]) -> float:
    """Standard metric interface.

    Args:
        predictions: Model predictions
        labels: Ground truth labels

    Returns:
        Metric score (higher is better)

    Raises:
        ValueError: If inputs are incompatible
    """
    # Implementation
    pass
