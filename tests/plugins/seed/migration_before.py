# In main code - registered by hand
from my_package.my_metrics import accuracy, f1

METRICS = {
    "accuracy": accuracy,
    "f1": f1,
}
