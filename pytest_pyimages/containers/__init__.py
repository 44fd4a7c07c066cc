"""The lifecycle of a container: its source, its start and end, its removal, and the session's lease on it."""

from pytest_pyimages.facade import lazy_names

__getattr__, __all__ = lazy_names(__name__, __file__)
