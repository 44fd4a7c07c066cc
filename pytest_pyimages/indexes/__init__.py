"""Package indexes: how this host reaches them, and what of that a build gets."""

from pytest_pyimages.facade import lazy_names

__getattr__, __all__ = lazy_names(__name__, __file__)
