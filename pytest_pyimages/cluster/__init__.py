"""Engines of the machines of a Dask cluster: a task on a machine does for this host what it asks of its engine."""

from pytest_pyimages.facade import lazy_names

__getattr__, __all__ = lazy_names(__name__, __file__)
