"""The controller of a run: schedule, threads, and what pytest sees of them."""

from pytest_pyimages.facade import lazy_names

__getattr__, __all__ = lazy_names(__name__, __file__)
