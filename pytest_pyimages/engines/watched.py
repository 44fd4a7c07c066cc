"""Record what threads wait for, so that a session can show it: an engine may hang, or a registry send nothing."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Any, NamedTuple, TypeVar, cast

from pytest_pyimages.engines.base import ContainerStream, Engine

T = TypeVar("T")
# By the method of the engine, "frames" and "send" by that of a stream.
_WAITS = {
    "pull": "the pull to go on",
    "push": "the push to go on",
    "build": "the build to go on",
    "create_container": "the engine to create the container",
    "upload": "the engine to take the source",
    "attach": "the engine to attach to the container",
    "start": "the engine to start the container",
    "frames": "a sign of life from the container",
    "send": "the container to read its input",
    "wait": "the engine to report the container's end",
    "commit": "the engine to store the image",
    "kill": "the engine to end the container",
    "remove_container": "the engine to remove the container",
}
_OTHER = "the engine to answer"
_ITERATORS = ("pull", "push", "build")
_LONG = (*_ITERATORS, "start", "frames")  # the last one alone, if the container was started ahead


class Wait(NamedTuple):
    """What a thread waits for."""

    text: str
    since: float  # by time.monotonic


class Waits:
    """What each thread waits for."""

    def __init__(self) -> None:
        self._waits: dict[int, Wait] = {}
        self.are_long = threading.Event()  # whether a thread has called what takes long

    @contextlib.contextmanager
    def record(self, name: str) -> Iterator[None]:
        """Record that this thread waits, in a method of this name."""
        thread = threading.get_ident()
        outer = self._waits.get(thread)
        if name in _LONG:
            self.are_long.set()
        self._waits[thread] = Wait(f"waiting for {_WAITS.get(name, _OTHER)}", time.monotonic())
        try:
            yield
        finally:
            if outer is None:
                del self._waits[thread]
            else:
                self._waits[thread] = outer

    def iterate(self, values: Iterator[T], name: str) -> Iterator[T]:
        """Yield the values, and record the wait for each."""
        while True:
            with self.record(name):
                try:
                    value = next(values)
                except StopIteration:
                    return
            yield value

    def find(self, thread: int) -> Wait | None:
        return self._waits.get(thread)


def watch_engine(engine: Engine, waits: Waits) -> Engine:
    """Return the engine with its methods recording that their threads wait."""
    return cast("Engine", _Watched(engine, waits, _ITERATORS))


def watch_stream(engine: Engine, stream: ContainerStream) -> ContainerStream:
    """Return a stream of another engine object as if ``engine`` had attached to the container."""
    return engine.watch(stream) if isinstance(engine, _Watched) else stream


class _Watched:
    def __init__(self, watched: object, waits: Waits, iterators: tuple[str, ...]) -> None:
        self._watched = watched
        self._waits = waits
        self._iterators = iterators

    def watch(self, stream: object) -> ContainerStream:
        return cast("ContainerStream", _Watched(stream, self._waits, ("frames",)))

    def __getattr__(self, name: str) -> Any:
        found, waits = getattr(self._watched, name), self._waits
        if not callable(found):
            return found

        def call(*args: Any, **kwargs: Any) -> Any:
            if name in self._iterators:
                return waits.iterate(found(*args, **kwargs), name)
            with waits.record(name):
                value = found(*args, **kwargs)
            return self.watch(value) if name == "attach" else value

        return call
