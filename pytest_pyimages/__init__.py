"""Run a pytest suite inside containers of several Python images and get one result."""

__all__ = ["__version__"]


def __getattr__(name: str) -> str:
    """Return the version, read from the installed distribution when somebody asks for it."""
    if name == "__version__":
        from importlib.metadata import version

        return version("pytest-pyimages")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
