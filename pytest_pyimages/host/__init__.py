"""The host's pytest: options, command line, settings, selection of images."""

from pytest_pyimages.facade import lazy_names

__getattr__, __all__ = lazy_names(__name__, __file__)
