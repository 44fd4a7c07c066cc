"""Container engines behind one protocol; only ``docker`` and the modules that it imports know docker-py."""

from pytest_pyimages.facade import lazy_names

__getattr__, __all__ = lazy_names(__name__, __file__)
