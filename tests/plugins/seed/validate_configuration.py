def model_factory(config):
    required = ["model_name", "device"]
    for key in required:
        if key not in config:
            raise ValueError(f"Missing required config key: {key}")
    # Implementation
