import warnings

with warnings.catch_warnings(record=True) as w:
    warnings.simplefilter("always")

    @registry.register("duplicate")
    def func1():
        pass

    @registry.register("duplicate")
    def func2():
        pass

    if w:
        print(f"Warning: {w[0].message}")
