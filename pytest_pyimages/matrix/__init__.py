"""Parse the requested images into labels and references, without contacting an engine."""

from pytest_pyimages.facade import lazy_names

__getattr__, __all__ = lazy_names(__name__, __file__)
