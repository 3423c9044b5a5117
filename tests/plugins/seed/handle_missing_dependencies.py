def load_optional_component(config):
    try:
        import optional_library
    except ImportError:
        raise ImportError(
            "optional_library required for this component. "
            "Install with: pip install optional_library"
        )
    # Implementation
