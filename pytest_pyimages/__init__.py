"""Run a pytest suite in containers of several Python images and get one combined result.

The names here are the public interface, for implementations of the hooks in ``hookspecs``; all others may change.

Every Python of an environment imports this module, and before pytest could rewrite its assertions; it has none:
PYTEST_DONT_REWRITE.
"""


def __getattr__(name: str) -> object:
    """Load a public name, or read the version of the installed distribution."""
    if name == "__version__":
        from importlib.metadata import version

        return version("pytest-pyimages")
    from pytest_pyimages.facade import lazy_names

    load, names = lazy_names(__name__, __file__)
    return names if name == "__all__" else load(name)
