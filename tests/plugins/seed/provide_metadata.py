# Good
@registry.register("custom_model", category="nlp", requires=["transformers", "torch"])
def load_custom_model(config):
    pass
