"""uv, which installs packages: a pinned release that the host provides, in a volume that builds cannot write to."""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import threading
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from pytest_pyimages.containers import Lease
from pytest_pyimages.engines import ContainerSpec, Engine, Mount
from pytest_pyimages.engines.labels import KIND_LABEL, LABEL
from pytest_pyimages.errors import EngineError, PyimagesError
from pytest_pyimages.images.bases import Listener
from pytest_pyimages.text import flatten

VERSION = "0.13.9"
# SHA-256 of the program, by machine. It is that of the wheels for musl: linked statically, it runs in every image.
# For a new version: `pip download --no-deps --only-binary=:all: --platform=musllinux_1_1_MACHINE uv==VERSION`, and hash
# the member uv-*.data/scripts/uv.
DIGESTS = {
    "x86_64": "edbfb9a3d00dc84148e6691cd8740781fdc32db6505d7ef88ba6c3e569d5bec9",
    "aarch64": "bbecb5ac518030bb5e84f1999c577228460192832ac24a92bd772735682979f4",
}
VOLUME = f"pytest-pyimages-uv-{VERSION}"
TARGET = "/run/pyimages-uv"
DOWNLOAD_SECONDS = 120.0
# Settings for the project's packages are not for the installer.
_UNRELATED = re.compile(
    "(PIP|UV)_(PRE|PRERELEASE|NO_BINARY|PREFER_BINARY|CONSTRAINT|BUILD_CONSTRAINT|OVERRIDE|EXCLUDE_NEWER|UPLOADED_PRIOR_TO"
    "|REQUIRE_HASHES|TARGET|PLATFORM|PYTHON_VERSION|PYTHON_PLATFORM)"
)


class UvMissingError(PyimagesError):
    """The volume does not have the program, or a damaged one."""

    def __init__(self, machine: str, *, was_provided: bool) -> None:
        super().__init__(f"uv for {machine} is missing")
        self.machine = machine
        self.was_provided = was_provided  # before the container was started


class UvProgram:
    """Provides uv to builds. The installer compares it with its digest before each use, and reports if it is missing.

    May be used from several threads at once.
    """

    def __init__(self, engine: Engine, lease: Lease, listener: Listener) -> None:
        self._engine = engine
        self._lease = lease
        self._listener = listener
        self._lock = threading.Lock()
        self._digests = dict(DIGESTS)
        self.provided: frozenset[str] = frozenset()  # machines

    @property
    def digests(self) -> Mapping[str, str]:
        """The digest by machine, without those for which it cannot be provided: there the builds download uv."""
        return dict(self._digests)

    def mount(self, *, read_only: bool = True) -> Mount:
        """Create the volume unless it exists; return its mount."""
        self._engine.create_volume(VOLUME, labels={LABEL: "1", KIND_LABEL: "cache"}, options={})
        return Mount(kind="volume", source=VOLUME, target=TARGET, read_only=read_only)

    def provide(self, missing: UvMissingError, image: str) -> None:
        """Write the program into the volume; if that fails, do not offer it to further builds.

        :param image: any image that the engine has; nothing in it is run.
        """
        machine = missing.machine
        with self._lock:
            if machine in self.provided and not missing.was_provided:
                return  # by another thread
            try:
                if missing.was_provided:
                    raise PyimagesError("it is not visible in the container")
                program = download(machine)
                self._upload(machine, program, image)
            except (EngineError, PyimagesError) as error:
                self._digests.pop(machine, None)
                self._listener.note(f"builds download uv themselves: {error.message}")
            else:
                self.provided |= {machine}

    def _upload(self, machine: str, program: bytes, image: str) -> None:
        """Upload the program into a container that has the volume and is never started."""
        spec = ContainerSpec(
            name=self._lease.new_name(),
            image=image,
            command=("uv",),
            labels=self._lease.labels("build"),
            mounts=(self.mount(read_only=False),),
        )
        container = self._engine.create_container(spec)
        try:
            self._engine.upload(container, TARGET, [_pack(machine, program)])
        finally:
            self._engine.remove_container(container)


def download(machine: str) -> bytes:
    """Download the program with this host's pip or uv, which know its indexes.

    :raises PyimagesError: if it is not available, or is not the one with the digest.
    """
    with TemporaryDirectory(prefix="pyimages-uv-") as name:
        folder = Path(name)
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--dest", name]
        command += ["--only-binary=:all:", f"--platform=musllinux_1_1_{machine}", f"uv=={VERSION}"]
        problem = _run(command, folder)
        found = shutil.which("uv")
        if problem and found is not None:
            command = [found, "pip", "install", "-q", "--no-deps", "--only-binary=:all:", "--python", sys.executable]
            command += ["--target", name, "--python-platform", f"{machine}-unknown-linux-musl", f"uv=={VERSION}"]
            problem = _run(command, folder)
        if problem:
            raise PyimagesError(f"uv {VERSION} cannot be downloaded on this host ({problem})")
        program = _read_program(folder)
    if hashlib.sha256(program).hexdigest() != DIGESTS[machine]:
        raise PyimagesError(f"uv {VERSION} of this host's index does not have the hash of the release")
    return program


def _run(command: list[str], folder: Path) -> str:
    """Run a command in an empty folder, since Python imports from it; return why it failed, or an empty text."""
    try:
        done = subprocess.run(  # noqa: S603 - this Python, or the user's uv
            command,
            check=False,
            cwd=folder,
            env={name: value for name, value in os.environ.items() if not _UNRELATED.fullmatch(name)},
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=DOWNLOAD_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return flatten(str(error))
    lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
    return flatten(lines[-1]) if done.returncode else ""


def _read_program(folder: Path) -> bytes:
    """Return the program from a folder with uv's wheel, or with the installed wheel."""
    import zipfile

    for wheel in folder.glob("uv-*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            return archive.read(f"uv-{VERSION}.data/scripts/uv")
    return (folder / "bin" / "uv").read_bytes()


def _pack(machine: str, program: bytes) -> bytes:
    with io.BytesIO() as file:
        with tarfile.open(fileobj=file, mode="w") as archive:
            entry = tarfile.TarInfo(f"uv-{machine}")
            entry.mode, entry.size = 0o755, len(program)
            archive.addfile(entry, io.BytesIO(program))
        return file.getvalue()
