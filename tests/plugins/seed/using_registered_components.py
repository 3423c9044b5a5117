from codex_ml.metrics.registry import BUILTIN_METRICS

# Use a built-in metric
if "accuracy" in BUILTIN_METRICS:
    accuracy_fn = BUILTIN_METRICS["accuracy"]
    score = accuracy_fn([1, 2, 3], [1, 2, 0])
    print(f"Accuracy: {score}")
