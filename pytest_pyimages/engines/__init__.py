"""Container engines behind one protocol: unix sockets with the standard library, builds and the rest with docker-py."""

from pytest_pyimages.facade import lazy_names

__getattr__, __all__ = lazy_names(__name__, __file__)
