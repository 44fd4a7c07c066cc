"""Short-lived containers that look at a mounted source or an image, or change the copy of a source."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from pytest_pyimages.containers.leases import Lease
from pytest_pyimages.engines import STDOUT, ContainerSpec, Engine, Mount
from pytest_pyimages.errors import EngineError
from pytest_pyimages.text import flatten

T = TypeVar("T")
FIND_PYTHON = (
    'for name in python python3 pypy3 pypy; do command -v "$name" >/dev/null 2>&1 && exec "$name" -c "$1"; done; '
    "echo no Python found >&2; "
    'for name in apk apt-get dnf microdnf yum zypper; do command -v "$name" >/dev/null 2>&1 && echo "it has $name"; '
    "done >&2; exit 127"
)


_NO_PROGRAM = re.compile(r"executable file .*not found")  # of runc and crun


def is_program_missing(error: EngineError) -> bool:
    """Return whether an image does not have the program of a container."""
    return _NO_PROGRAM.search(error.message) is not None


def list_commands(program: str) -> tuple[tuple[str, ...], ...]:
    """Return the commands that run a program's source by an image's Python, without a shell where there is none."""
    names = ("python", "python3", "pypy3", "pypy")
    return (("sh", "-c", FIND_PYTHON, "sh", program), *((name, "-c", program) for name in names))


def try_commands(program: str, run: Callable[[tuple[str, ...]], T]) -> T:
    """Call a function with each of the commands, until one of them is in the image; return its result.

    :raises EngineError: if none of them is.
    """
    *commands, last = list_commands(program)
    for command in commands:
        try:
            return run(command)
        except EngineError as error:
            if not is_program_missing(error):
                raise
    try:
        return run(last)
    except EngineError as error:
        if is_program_missing(error):
            raise EngineError("the image has no Python", "choose an image that has one") from error
        raise


def read_program(name: str) -> str:
    """Return the source of a module that containers run."""
    return (Path(__file__).parents[1] / "inside" / f"{name}.py").read_text("utf-8")


SILENT_SECONDS = 600.0  # that the program may take for a large source


@contextmanager
def create_helper(
    engine: Engine, lease: Lease, image: str, mounts: Iterable[Mount], command: tuple[str, ...] = ("python",)
) -> Iterator[str]:
    """Create a container of any image with a Python, and yield its id; at the end remove it."""
    spec = ContainerSpec(
        name=lease.new_name(),
        image=image,
        command=command,
        labels=lease.labels("source"),
        user="0",
        mounts=tuple(mounts),
    )
    container = engine.create_container(spec)
    try:
        yield container
    finally:
        engine.remove_container(container)


def run_helper(  # noqa: PLR0913 - each has another source
    engine: Engine, lease: Lease, image: str, mounts: Iterable[Mount], job: dict[str, Any], *, program: str = "sources"
) -> Any:
    """Run a program of ``inside/``; return its result.

    :param program: its name.
    :raises EngineError: if it fails, or the engine cannot mount what it needs.
    """
    mounts = tuple(mounts)

    def run(command: tuple[str, ...]) -> tuple[bytes, bytes, int]:
        output, errors = b"", b""
        with create_helper(engine, lease, image, mounts, command) as container:
            with closing(engine.attach(container, silence=SILENT_SECONDS)) as stream:
                engine.start(container)
                with suppress(EngineError):  # it has ended already; its output is still there
                    stream.send(json.dumps(job).encode("ascii") + b"\n")
                for channel, data in stream.frames():
                    if channel == STDOUT:
                        output += data
                    else:
                        errors += data
            return output, errors, engine.wait(container)

    output, errors, status = try_commands(read_program(program), run)
    try:
        if status == 0:
            return json.loads(output)
    except ValueError:
        pass
    last = (errors.decode("utf-8", "replace").strip().splitlines() or [f"exit status {status}"])[-1]
    raise EngineError(f"a container of {image} failed: {flatten(last)}")
