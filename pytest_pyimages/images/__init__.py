"""Environment images: plans and recipes, builds, and the images in the engine."""

from pytest_pyimages.facade import lazy_names

__getattr__, __all__ = lazy_names(__name__, __file__)
