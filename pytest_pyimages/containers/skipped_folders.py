"""Names of folders that hold no source; what reads or copies the project's tree skips them."""

from __future__ import annotations

import os

VERSION_CONTROL = frozenset({".git", ".hg", ".svn"})
# Not copied into containers: they have environments and caches of their own.
NOT_COPIED = VERSION_CONTROL | frozenset(
    ".eggs .mypy_cache .nox .pyimages .pytest_cache .ruff_cache .tox .venv __pycache__ node_modules venv".split()
)
# Copied, since a suite may read them (.hypothesis holds its failing examples); no part of the project's source.
NO_SOURCE = NOT_COPIED | frozenset(".cache .hypothesis .idea .vscode __pypackages__".split())
# At the top of a project: what build tools generate there.
BUILD_OUTPUT = frozenset("_skbuild build builddir dist wheelhouse".split())


def is_environment(folder: str | os.PathLike[str]) -> bool:
    """Return whether a folder is a virtual environment or one of conda; False if this user may not look into it."""
    return is_virtual_environment(folder) or os.path.isdir(os.path.join(folder, "conda-meta"))  # noqa: PTH112, PTH118


def is_virtual_environment(folder: str | os.PathLike[str]) -> bool:
    """Return whether a folder is a virtual environment; False if this user may not look into it.

    ``Path.is_file`` raises PermissionError for such a folder before Python 3.14.
    """
    return os.path.isfile(os.path.join(folder, "pyvenv.cfg"))  # noqa: PTH113, PTH118 - see above
