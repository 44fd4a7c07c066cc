"""Runs in a container: the job that it gets, the wire that it reports on, its events and coverage data."""

from pytest_pyimages.facade import lazy_names

__getattr__, __all__ = lazy_names(__name__, __file__)
