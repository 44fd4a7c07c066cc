"""How to install a project and its test requirements, read from its own files."""

from pytest_pyimages.facade import lazy_names

__getattr__, __all__ = lazy_names(__name__, __file__)
