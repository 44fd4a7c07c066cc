"""A real image registry on loopback, Debian's: for pulls, digests and credentials."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tools.standins.apt import install_packages
from tools.standins.state import StandinError, default_state, last_lines, locked

PROGRAM = "docker-registry"
START_SECONDS = 15
INSTALL_SECONDS = 600
USER, PASSWORD = "reader", "sesame"
_HASH = "$2b$04$.GnVllFCGxe1vCIG3sbJceqM2AQoystsOstf9vwRZUDoQ7jea0etK"  # bcrypt of the password


@dataclass(frozen=True, slots=True)
class Registry:
    """A registry that runs."""

    address: str  # "localhost:5000", which engines speak plain HTTP with
    log: Path

    def requests(self) -> list[str]:
        """Return method and path of all requests so far."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        words = [line.split('"') for line in lines if ' "GET /v2/' in line or ' "HEAD /v2/' in line]
        return [parts[1].removesuffix(" HTTP/1.1") for parts in words]


@contextmanager
def registry(folder: Path, *, private: bool = False) -> Iterator[Registry]:
    """Run a registry of its own, empty at first.

    :param private: whether only USER with PASSWORD may read and write.
    :raises StandinError: where it cannot be installed or started, with the reason.
    """
    program = _program()
    folder.mkdir(parents=True, exist_ok=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    lines = [
        "version: 0.1",
        f"storage: {{filesystem: {{rootdirectory: {folder / 'data'}}}, delete: {{enabled: true}}}}",
        f"http: {{addr: '127.0.0.1:{port}'}}",
    ]
    if private:
        (folder / "users").write_text(f"{USER}:{_HASH}\n")
        lines.append(f"auth: {{htpasswd: {{realm: tests, path: {folder / 'users'}}}}}")
    (folder / "config.yml").write_text("\n".join(lines) + "\n")
    log = folder / "registry.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            (program, "serve", str(folder / "config.yml")), stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        _wait(process, port, log)
        yield Registry(f"localhost:{port}", log)
    finally:
        process.terminate()
        process.wait()


def _program() -> str:
    if shutil.which(PROGRAM) is None:
        if shutil.which("apt-get") is None:
            message = f"there is no {PROGRAM}, and no apt-get to install it · install it from your distribution"
            raise StandinError(message)
        state = default_state()
        with locked(state.home / "registry.lock", INSTALL_SECONDS):
            if shutil.which(PROGRAM) is None:
                install_packages(state, (PROGRAM,), what="installing an image registry")
    found = shutil.which(PROGRAM)
    if found is None:
        message = f"{PROGRAM} is still missing after the installation"
        raise StandinError(message)
    return found


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    message = f"the image registry does not start{last_lines(log.read_text(errors='replace'))}"
    raise StandinError(message)
