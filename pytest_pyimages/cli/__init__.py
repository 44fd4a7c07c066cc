"""The ``pyimages`` command; each of its commands is a module of this package."""

from pytest_pyimages.facade import lazy_names

__getattr__, __all__ = lazy_names(__name__, __file__)
