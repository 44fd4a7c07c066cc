"""An engine that names each step of a session, interrupts the session at one of them, and remembers what it has.

What it has is in a file, as the containers of a real engine are in its storage: the next session finds what a killed
one has left.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_pyimages.engines.base import ContainerSpec, Leftover, ServiceSpec
from pytest_pyimages.engines.labels import KIND_LABEL, SESSION_LABEL

PAUSE_SECONDS = 0.15  # that the interrupted step waits, so that the session's clean-up meets it


@dataclass(slots=True, kw_only=True)
class Steps:
    """The steps that a session has begun.

    :param folder: of the files ``steps``, one name a line, and ``signalled``, the time of the signal (monotonic).
    :param stop: the step that is interrupted when it begins for the first time; empty for none.
    :param signal: its number; the process sends it to itself.
    """

    folder: Path
    stop: str = ""
    signal: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, name: str) -> None:
        with self._lock:
            with (self.folder / "steps").open("a") as file:
                file.write(f"{name}\n")
            stops, self.stop = name == self.stop, "" if name == self.stop else self.stop
        if stops:
            (self.folder / "signalled").write_text(str(time.monotonic()))
            os.kill(os.getpid(), self.signal)
            time.sleep(PAUSE_SECONDS)


class SteppedStream:
    """A stream of a container, whose kind is that of its steps."""

    def __init__(self, stream: Any, steps: Steps, kind: str) -> None:
        self._stream = stream
        self._steps = steps
        self._kind = kind

    def frames(self) -> Iterator[tuple[int, bytes]]:
        self._steps.begin(f"{self._kind}.frames")
        yield from self._stream.frames()

    def send(self, data: bytes) -> None:
        self._steps.begin(f"{self._kind}.send")
        self._stream.send(data)

    def close(self) -> None:
        self._steps.begin(f"{self._kind}.close")
        self._stream.close()


class Stock:
    """The containers and volumes that an engine has, by name, in a file."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()

    def read(self) -> dict[str, dict[str, Any]]:
        return json.loads(self._file.read_text()) if self._file.exists() else {}

    def put(self, name: str, **fields: Any) -> None:
        with self._lock:
            entries = self.read()
            entries[name] = {**entries.get(name, {}), **fields}
            self._write(entries)

    def drop(self, name: str) -> None:
        with self._lock:
            entries = self.read()
            entries.pop(name, None)
            self._write(entries)

    def _write(self, entries: Mapping[str, Any]) -> None:
        new = self._file.with_suffix(".new")
        new.write_text(json.dumps(entries))
        new.replace(self._file)


class SteppedEngine:
    """Another engine, whose steps are named ``<kind>.<method>``: "build.create_container", "source.remove_volume".

    The kind is the label of a container or volume that tells what it is for; "image" for methods about images, and
    "engine" for the others.
    """

    def __init__(self, engine: Any, steps: Steps, stock: Stock) -> None:
        self._engine = engine
        self._steps = steps
        self._stock = stock
        self._kinds: dict[str, str] = {}  # of containers by id, and of volumes by name
        self._names: dict[str, str] = {}  # of containers, by id
        self.info = engine.info

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._engine, name)

        def call(*args: Any, **options: Any) -> Any:
            self._steps.begin(f"{self._kind(name, args)}.{name}")
            return method(*args, **options)

        return call

    def _kind(self, name: str, args: tuple[Any, ...]) -> str:
        if name in {"find_image", "images", "pull", "push", "tag", "build", "remove_image"}:
            return "image"
        return self._kinds.get(str(args[0]), "leftover") if args else "engine"

    def create_container(self, spec: ContainerSpec) -> str:
        return self._create(spec, "create_container")

    def create_service(self, spec: ServiceSpec) -> str:
        return self._create(spec, "create_service")

    def _create(self, spec: ContainerSpec | ServiceSpec, method: str) -> str:
        kind = spec.labels[KIND_LABEL]
        self._steps.begin(f"{kind}.{method}")
        self._stock.put(spec.name, kind="container", labels=dict(spec.labels), pid=0)
        container: str = getattr(self._engine, method)(spec)
        self._kinds[container], self._names[container] = kind, spec.name
        return container

    def attach(self, container: str, **options: Any) -> SteppedStream:
        kind = self._kinds[container]
        self._steps.begin(f"{kind}.attach")
        return SteppedStream(self._engine.attach(container, **options), self._steps, kind)

    def start(self, container: str) -> None:
        self._steps.begin(f"{self._kinds[container]}.start")
        self._engine.start(container)
        process = getattr(getattr(self._engine, "containers", {}).get(container), "process", None)
        if process is not None:  # of a fake container
            self._stock.put(self._names[container], pid=process.pid)

    def remove_container(self, container: str, *, wait: bool = True) -> None:
        self._steps.begin(f"{self._kinds.get(container, 'leftover')}.remove_container")
        self._engine.remove_container(container, wait=wait)
        self._stock.drop(self._names.get(container, container))

    def create_network(self, name: str, *, labels: Mapping[str, str], is_internal: bool) -> None:
        self._kinds[name] = labels[KIND_LABEL]
        self._steps.begin(f"{self._kinds[name]}.create_network")
        self._stock.put(name, kind="network", labels=dict(labels))
        self._engine.create_network(name, labels=labels, is_internal=is_internal)

    def remove_network(self, name: str) -> None:
        self._steps.begin(f"{self._kinds.get(name, 'leftover')}.remove_network")
        self._engine.remove_network(name)
        self._stock.drop(name)

    def create_volume(self, name: str, *, labels: Mapping[str, str], options: Mapping[str, str]) -> str:
        self._kinds[name] = labels[KIND_LABEL]
        self._steps.begin(f"{self._kinds[name]}.create_volume")
        if SESSION_LABEL in labels:  # else it is of all sessions
            self._stock.put(name, kind="volume", labels=dict(labels))
        folder: str = self._engine.create_volume(name, labels=labels, options=options)
        return folder

    def remove_volume(self, name: str) -> None:
        self._steps.begin(f"{self._kinds.get(name, 'leftover')}.remove_volume")
        self._engine.remove_volume(name)
        self._stock.drop(name)

    def leftovers(self, label: str) -> tuple[Leftover, ...]:
        self._steps.begin("engine.leftovers")
        if not hasattr(self._engine, "containers"):
            return tuple(self._engine.leftovers(label))
        return tuple(
            Leftover(kind=entry["kind"], id=name, name=name, labels=entry["labels"])
            for name, entry in self._stock.read().items()
        )
