"""An engine whose workers send what a test has written down."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_pyimages.engines.base import STDOUT, ContainerState
from pytest_pyimages.runs.run import WORKER
from tests.support.fake_engine import FakeEngine, FakeStream
from tests.support.wire import TOKEN, encode_all

Records = Sequence[object]


class ForgedStream:
    """Sends records once the job has arrived, with the job's token."""

    def __init__(self, records: Records | bytes) -> None:
        self._records = records
        self._job = b""
        self._arrived = threading.Event()

    def frames(self) -> Iterator[tuple[int, bytes]]:
        self._arrived.wait(10)
        token = json.loads(self._job)["token"]
        if isinstance(self._records, bytes):
            yield STDOUT, self._records.replace(TOKEN.encode(), token.encode())
        else:
            yield STDOUT, encode_all(self._records, token)

    def send(self, data: bytes) -> None:
        self._job = self._job or data
        self._arrived.set()

    def close(self) -> None:
        self._arrived.set()


class ForgedEngine(FakeEngine):
    """Runs no suite.

    :param records: what the worker of an image sends, by the image's label; bytes are sent as they are, but for TOKEN.
    """

    def __init__(self, records: Mapping[str, Records | bytes], **options: Any) -> None:
        super().__init__(**options)
        self._records = records

    def _is_suite(self, container: str) -> bool:
        return self.containers[container].spec.command[1:] == (WORKER,)

    def attach(self, container: str, *, terminal: bool = False, silence: float | None = None) -> Any:
        if not self._is_suite(container):
            return FakeStream(self.containers[container])
        image = self.containers[container].spec.image
        return ForgedStream(self._records[self._bases.get(image, image).partition(":")[2]])

    def start(self, container: str) -> None:
        self._call("start")

    def inspect(self, container: str) -> ContainerState:
        if container in self.services:
            return super().inspect(container)
        return ContainerState(running=False, exit_code=0, oom_killed=False, error="")


def make_engine(folder: Path, streams: Mapping[str, Records]) -> str:
    """Return the expression of an engine for ``run_images``; the records are written to a file.

    :param streams: records by label; those that are bytes are ASCII.
    """
    texts = {
        label: [one.decode() if isinstance(one, bytes) else one for one in stream] for label, stream in streams.items()
    }
    file = folder / "streams.json"
    file.write_text(json.dumps(texts))
    return f"__import__('tests.support.forged_engine').support.forged_engine.read_engine({str(file)!r})"


def read_engine(file: str) -> ForgedEngine:
    streams = json.loads(Path(file).read_text())
    return ForgedEngine(
        {label: [one.encode() if isinstance(one, str) else one for one in stream] for label, stream in streams.items()}
    )
