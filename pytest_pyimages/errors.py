"""What can go wrong, in words for the person who typed the command."""

from __future__ import annotations


class PyimagesError(Exception):
    """A failure with one line for the user.

    :param message: what is wrong, and where; one line, no trailing full stop needed.
    :param hint: what to do now; may be empty.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} · {self.hint}" if self.hint else self.message


class ConfigurationError(PyimagesError):
    """Nothing can run: shown as pytest's usage error, exit status 4."""


class EngineError(PyimagesError):
    """The container engine refused, failed or cannot be reached."""


class ImageNotFound(EngineError):  # noqa: N818 - docker-py's name for it
    """The engine (or the registry it asked) has no such image."""


class BuildError(PyimagesError):
    """An environment image could not be made; the other images go on.

    :param log: the last lines of what the failing step printed.
    """

    def __init__(self, message: str, hint: str = "", log: str = "") -> None:
        super().__init__(message, hint)
        self.log = log
