"""Turn the events of runs into pytest's reports, a comparison of images, and report files."""

from pytest_pyimages.facade import lazy_names

__getattr__, __all__ = lazy_names(__name__, __file__)
