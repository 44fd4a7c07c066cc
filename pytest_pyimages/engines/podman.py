"""Podman's service for one session, on hosts that have the ``podman`` program but no socket of any engine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from pytest_pyimages.engines.endpoint import NAME_ONE, is_open
from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.text import flatten

START_SECONDS = 20.0  # rootless Podman prepares its storage when it is first used
STOP_SECONDS = 10.0
POLL_SECONDS = 0.02
# The shell becomes the service. Its child waits for the end of the input, which this process holds open: that is how
# the service ends even if this process is killed. Both are out of reach of a Ctrl-C in the terminal.
_PROGRAM = """
exec 3<&0
(read -r _ <&3; kill $$; rm -f "$2/podman.sock" "$2/log"; rmdir "$2") >/dev/null 2>&1 &
exec "$1" system service --time=0 "unix://$2/podman.sock" </dev/null >"$2/log" 2>&1 3<&-
"""


def find_podman(environ: Mapping[str, str], system: str = sys.platform) -> str:
    """Return the path of a ``podman`` that has a service; empty if there is none.

    :param system: of this host, as in ``sys.platform``; on others than Linux, the service runs in a virtual machine.
    """
    return shutil.which("podman", path=environ.get("PATH")) or "" if system == "linux" else ""


class PodmanService:
    """A running service, which ends with ``stop`` or with this process."""

    def __init__(self, program: str, environ: Mapping[str, str]) -> None:
        """Start the service and wait until it listens.

        :param program: path of ``podman``.
        :raises ConfigurationError: if it ends, or does not listen in time.
        """
        self._folder = _make_folder(environ)
        self.url = f"unix://{self._folder}/podman.sock"
        self._process = subprocess.Popen(  # noqa: S603 - the user's own program
            ["/bin/sh", "-c", _PROGRAM, "sh", program, str(self._folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        problem = self._wait()
        if problem:
            self.stop()
            raise ConfigurationError(f"--py-images: {program} system service {problem}", f"fix it, or {NAME_ONE}")

    def _wait(self) -> str:
        """Wait until the service listens; return why it does not, or an empty text."""
        deadline = time.monotonic() + START_SECONDS
        while not is_open(f"{self._folder}/podman.sock"):
            if self._process.poll() is not None:
                lines = (self._folder / "log").read_text("utf-8", "replace").strip().splitlines()
                reason = f": {flatten(lines[-1])}" if lines else ""
                return f"ended with status {self._process.returncode}{reason}"
            if time.monotonic() > deadline:
                return f"did not listen after {START_SECONDS:g} s"
            time.sleep(POLL_SECONDS)
        return ""

    def share_with_group(self) -> None:
        """Let users of containers that have the socket use it; its folder keeps other users of the host out.

        Only once the service answers: it sets the mode itself, after it listens.
        """
        (self._folder / "podman.sock").chmod(0o660)

    def stop(self) -> None:
        """End the service and remove its folder. May be called repeatedly."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _make_folder(environ: Mapping[str, str]) -> Path:
    """Create a folder for the socket that only this user may enter, with the same name in each session if possible.

    By the socket's path later sessions know the engine again.
    """
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    base = Path(runtime if runtime and Path(runtime).is_dir() else tempfile.gettempdir())
    for number in range(100):
        folder = base / f"pyimages-podman-{os.getuid()}-{number}"
        try:
            folder.mkdir(mode=0o700)
        except FileExistsError:  # another session has it
            continue
        except OSError as error:
            raise ConfigurationError(f"--py-images: {folder} cannot be created ({error.strerror})", NAME_ONE) from error
        return folder
    return Path(tempfile.mkdtemp(prefix="pyimages-podman-"))
