"""The messages between this host and the task of a unit; they are pickled, as all that Dask carries.

The task runs code of this host, and this host unpickles what the machine sends: as with Dask itself, each side trusts
the other. What containers print stays bytes, and is checked on this host like that of any other engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from pytest_pyimages import errors
from pytest_pyimages.engines import EngineInfo
from pytest_pyimages.errors import EngineError, PyimagesError


class Call(NamedTuple):
    """From the host: call a method of the engine."""

    number: int  # of the call, from 1
    method: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]


class Input(NamedTuple):
    """From the host: data for a call, namely standard input of a container, or a piece of an upload."""

    number: int
    data: bytes
    is_last: bool = False  # nothing follows


class Beat(NamedTuple):
    """From the host: it still waits for the unit."""


class Leave(NamedTuple):
    """From the host: the unit is done."""


class Ready(NamedTuple):
    """From the machine: the task of a unit has begun, and its engine is connected."""

    task: str  # its key on the host
    attempt: str  # the name of its channel; another one after the task was moved to another machine
    address: str  # of Dask's worker
    machine: str  # its name for users
    info: EngineInfo


class Unusable(NamedTuple):
    """From the machine instead of Ready: it has no engine that can be used."""

    task: str  # its key on the host
    address: str  # of Dask's worker
    machine: str
    problem: str


class Left(NamedTuple):
    """From the machine, last: the task has removed what the unit has left, and ends."""


class Piece(NamedTuple):
    """From the machine: a value that an iterator yields, or a frame of a container's output."""

    number: int
    value: Any


class Result(NamedTuple):
    """From the machine: the end of a call, and what it returns."""

    number: int
    value: Any


class Failed(NamedTuple):
    """From the machine: the end of a call, and its error."""

    number: int
    kind: str  # name of the class
    message: str
    hint: str


Message = Call | Input | Beat | Leave | Left | Piece | Result | Failed
Announcement = Ready | Unusable


def describe_error(number: int, error: Exception) -> Failed:
    """Return the message on the error of a call; one that is not of this package is an EngineError."""
    if isinstance(error, PyimagesError):
        return Failed(number, type(error).__name__, error.message, error.hint)
    return Failed(number, EngineError.__name__, f"{type(error).__name__}: {error}", "")


def make_error(failed: Failed) -> PyimagesError:
    """Return the error that a call had on the machine."""
    kind = getattr(errors, failed.kind, EngineError)
    is_known = isinstance(kind, type) and issubclass(kind, PyimagesError)
    error: PyimagesError = (kind if is_known else EngineError)(failed.message, failed.hint)
    return error
