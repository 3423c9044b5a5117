# Good
@registry.register("bert_base_uncased")
def load_bert(config):
    pass

# Bad
@registry.register("model1")
def load_model(config):
    pass
