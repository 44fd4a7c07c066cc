"""The guard of the unit tests: what leads out of the process is refused, and is a failure also where it was caught."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.guard import OutsideError
from tests.unit.conftest import GUARD


def connect(family: int, address: object) -> None:
    with socket.socket(family) as client:
        client.connect(address)  # type: ignore[arg-type]  # of that family


@pytest.mark.parametrize(
    "act",
    [
        pytest.param(lambda: subprocess.run([sys.executable, "-V"]), id="subprocess"),
        pytest.param(lambda: os.posix_spawn(sys.executable, [sys.executable, "-V"], {}), id="posix_spawn"),
        pytest.param(lambda: os.system("true"), id="system"),  # noqa: S605 - is refused
        pytest.param(os.fork, id="fork"),
        pytest.param(lambda: connect(socket.AF_UNIX, "/var/run/docker.sock"), id="the engine's socket"),
        pytest.param(lambda: connect(socket.AF_INET, ("127.0.0.1", 2375)), id="the engine's port"),
        pytest.param(lambda: connect(socket.AF_INET, ("192.0.2.1", 40000)), id="another machine"),
    ],
)
def test_what_leads_outside_is_refused(act: Callable[[], object]) -> None:
    with GUARD.watching() as violations:
        with pytest.raises(OutsideError):
            act()
        with contextlib.suppress(Exception):
            act()
    assert len(violations) == 2


def test_what_a_test_serves_itself_is_reached() -> None:
    with tempfile.TemporaryDirectory() as folder, GUARD.watching() as violations:
        with socket.create_server(("127.0.0.1", 0)) as server:
            connect(socket.AF_INET, server.getsockname())
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(Path(folder) / "socket"))
            server.listen()
            connect(socket.AF_UNIX, server.getsockname())
    assert violations == []
