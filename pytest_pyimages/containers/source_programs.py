"""Short-lived containers that look at a mounted source, or change the copy of one."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from importlib import resources
from typing import Any

from pytest_pyimages.containers.leases import Lease
from pytest_pyimages.engines import STDOUT, ContainerSpec, Engine, Mount
from pytest_pyimages.errors import EngineError
from pytest_pyimages.text import flatten

FIND_PYTHON = (
    'for name in python python3 pypy3 pypy; do command -v "$name" >/dev/null 2>&1 && exec "$name" -c "$1"; done; '
    "echo no Python found >&2; exit 127"
)


def read_program(name: str) -> str:
    """Return the source of a module that containers run."""
    return resources.files("pytest_pyimages.inside").joinpath(f"{name}.py").read_text("utf-8")


SILENT_SECONDS = 600.0  # that the program may take for a large source


@contextmanager
def create_helper(engine: Engine, lease: Lease, image: str, mounts: Iterable[Mount]) -> Iterator[str]:
    """Create a container of any image with a Python, and yield its id; at the end remove it."""
    spec = ContainerSpec(
        name=lease.new_name(),
        image=image,
        command=("sh", "-c", FIND_PYTHON, "sh", read_program("sources")),
        labels=lease.labels("source"),
        user="0",
        mounts=tuple(mounts),
    )
    container = engine.create_container(spec)
    try:
        yield container
    finally:
        engine.remove_container(container)


def run_helper(engine: Engine, lease: Lease, image: str, mounts: Iterable[Mount], job: dict[str, Any]) -> Any:
    """Run ``inside/sources.py``; return its result.

    :raises EngineError: if it fails, or the engine cannot mount what it needs.
    """
    output, errors = b"", b""
    with create_helper(engine, lease, image, mounts) as container:
        with closing(engine.attach(container, silence=SILENT_SECONDS)) as stream:
            engine.start(container)
            stream.send(json.dumps(job).encode("ascii") + b"\n")
            for channel, data in stream.frames():
                if channel == STDOUT:
                    output += data
                else:
                    errors += data
        status = engine.wait(container)
    try:
        if status == 0:
            return json.loads(output)
    except ValueError:
        pass
    last = (errors.decode("utf-8", "replace").strip().splitlines() or [f"exit status {status}"])[-1]
    raise EngineError(f"a container of {image} cannot look at the source: {flatten(last)}")
