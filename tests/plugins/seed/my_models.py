# my_models.py
from transformers import AutoModel, AutoTokenizer

def load_custom_model(config):
    """Factory function for custom model.

    Args:
        config: Model configuration dict
            - model_name: Hugging Face model name
            - device: Target device (cpu/cuda)

    Returns:
        tuple: (model, tokenizer)
    """
    model_name = config.get("model_name", "bert-base-uncased")
    device = config.get("device", "cpu")

    model = AutoModel.from_pretrained(model_name)
    tokenizer = AutoTokenizer.from_pretrained(model_name)

    model.to(device)
    return model, tokenizer

load_custom_model.__codex_api__ = "v1"
