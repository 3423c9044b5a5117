def my_plugin():
    pass

# Declare v1 API
my_plugin.__codex_api__ = "v1"

# Legacy attribute also supported
my_plugin.__codex_ext_api__ = "v1"
