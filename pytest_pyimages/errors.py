"""Exceptions whose messages are shown to the user."""

from __future__ import annotations

import os


class PyimagesError(Exception):
    """An error that is shown on one line.

    :param message: what is wrong, and where; without a full stop.
    :param hint: what to do next; may be empty.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} · {self.hint}" if self.hint else self.message


class ConfigurationError(PyimagesError):
    """An error of options or files, which ends the session with pytest's usage error (exit status 4)."""


class EngineError(PyimagesError):
    """An operation of the container engine failed, or the engine cannot be reached."""


class ConnectionLostError(EngineError):
    """The connection to the engine was lost."""


class NoAnswerError(EngineError):
    """The engine did not answer in time."""


class RegistryUnreachableError(EngineError):
    """The engine cannot reach the registry; another engine may, or have the image."""


class ImageNotFound(EngineError):  # noqa: N818 - docker-py's name for it
    """The image is not in the engine or its registry."""


class BuildError(PyimagesError):
    """An environment image could not be built; other images are tested.

    :param log: the last lines of the output of the failed step.
    """

    def __init__(self, message: str, hint: str = "", log: str = "") -> None:
        super().__init__(message, hint)
        self.log = log


class BaseImageMissingError(BuildError):
    """The engine does not have a base image, and cannot pull it; another engine may have it."""


def make_read_error(path: str | os.PathLike[str], error: OSError) -> ConfigurationError:
    """Return the error for a file or folder that the operating system refuses to read."""
    return ConfigurationError(f"{os.fspath(path)} cannot be read: {error.strerror or error}", "make it readable")
