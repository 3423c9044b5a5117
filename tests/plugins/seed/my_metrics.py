# my_metrics.py
def custom_accuracy(predictions, labels):
    """Calculate custom accuracy metric.

    Args:
        predictions: Model predictions
        labels: Ground truth labels

    Returns:
        float: Accuracy score
    """
    correct = sum(p == l for p, l in zip(predictions, labels))
    return correct / len(labels) if labels else 0.0

# Mark as Codex v1 API
custom_accuracy.__codex_api__ = "v1"
