"""Read the progress of a build from the logs of uv, pip, apt, apk and the engine."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence

MAX_LINE = 4096  # bytes; longer lines are ignored
PATIENCE = 4.0  # seconds without output before an installer counts as waiting for an index
INDEX_WAIT = "waiting for the package index"
_INSTALLER = re.compile(r"\$ .*\bpip install ")
_END = re.compile(r"\$ |(?:Audited|Checked) \d|Successfully installed ")


class InstallLog:
    """Follows one log; ``feed`` gets it in pieces.

    :param report: called with a short text whenever it changes: "numpy (15.0MiB), pandas (11.5MiB)". It consists of
        names, versions, sizes and numbers, and the names of indexes: it contains neither URLs nor escape sequences.
    :param indexes: names of the package indexes, without credentials.
    """

    def __init__(
        self,
        report: Callable[[str], None],
        indexes: Sequence[str] = (),
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._report = report
        self._indexes = " or ".join(indexes)
        self._clock = clock
        self._rest = b""
        self._reported = ""
        self._resolving_since: float | None = None  # when pip or uv last printed something; None: it needs no index
        self._packages = _Packages()

    def feed(self, data: bytes) -> None:
        """Read the next piece of the log, which may end anywhere."""
        *lines, rest = (self._rest + data).split(b"\n")
        self._rest = rest[:MAX_LINE]
        for line in lines:
            if len(line) < MAX_LINE:
                self._read(line.decode("ascii", "replace").rstrip())

    def tick(self) -> None:
        """Report the indexes if pip or uv has printed nothing for long; called every few seconds.

        Until all versions are chosen, uv prints only the packages that it builds, and their build requirements come
        from an index, too.
        """
        since = self._resolving_since
        if self._indexes and since is not None and self._clock() - since > PATIENCE:
            wait = f"{INDEX_WAIT} {self._indexes}"
            self._say(f"{self._reported} or {wait}" if self._reported.startswith("building ") else wait)
            self._resolving_since = None

    def _read(self, line: str) -> None:
        if _END.match(line):
            self._resolving_since = self._clock() if _INSTALLER.match(line) else None
        for pattern, read in _READERS:
            match = pattern.match(line)
            if match is not None:
                text = read(self._packages, **match.groupdict())
                is_build = text.startswith("building ") and self._resolving_since is not None
                self._resolving_since = self._clock() if is_build else None
                self._say(text)
                return

    def _say(self, text: str) -> None:
        if text != self._reported:
            self._reported = text
            self._report(text)


class _Packages:
    """The packages that an installer named; each method takes one line's values and returns the progress."""

    def __init__(self) -> None:
        self._total = 0
        self._done = 0
        self._running: dict[str, str] = {}  # texts on concurrent downloads and builds, by package

    def resolve(self, total: str) -> str:
        self._total, self._done = int(total), 0
        self._running.clear()
        return self._join()

    def download(self, name: str, size: str) -> str:
        self._running[name] = f"{name} ({size})"
        return self._join()

    def build(self, name: str, version: str | None) -> str:
        self._running[name] = f"building {_add_version(name, version)}"
        return self._join()

    def end(self, name: str) -> str:
        self._running.pop(name, None)
        return self._join()

    def unpack(self, name: str, version: str) -> str:
        self._done += 1
        counter = f" ({self._done}/{self._total})" if self._done <= self._total else ""
        return _add_version(name, version) + counter

    def _join(self) -> str:
        return ", ".join(self._running.values()) or _count(self._total)


def _add_version(name: str, version: str | None) -> str:
    return f"{name} {version}" if version else name


def _count(number: int) -> str:
    return f"{number} package" if number == 1 else f"{number} packages"


def _name(_: _Packages, name: str, version: str | None = None, size: str | None = None) -> str:
    return _add_version(name, version) + (f" ({size})" if size else "")


def _name_and_count(_: _Packages, name: str, version: str, done: str, total: str) -> str:
    return f"{_add_version(name, version)} ({done}/{total})"


_NAME = r"(?P<name>[A-Za-z0-9](?:[\w.-]*\w)?)"
_DEBIAN = r"(?P<name>[a-z0-9][a-z0-9.+-]*)(?::\w+)? \((?P<version>\d[\w.+:~-]*)\)"
_SIZE = r"\((?P<size>[\d.]+ ?[kKMG]?i?B)\)"
_READERS: tuple[tuple[re.Pattern[str], Callable[..., str]], ...] = tuple(
    (re.compile(pattern, re.ASCII), read)
    for pattern, read in (
        (r"\$ \S+ python install .* (?P<name>3\.\d+t)$", lambda _, name: f"Python {name}"),
        # uv, with UV_NO_PROGRESS: it names builds, and downloads of more than 1 MiB
        (r"Resolved (?P<total>\d+) packages? ", _Packages.resolve),
        (rf"Downloading {_NAME} {_SIZE}$", _Packages.download),
        (rf" *Building {_NAME}(?:==(?P<version>\d[\w.+!-]*)$| @ )", _Packages.build),
        (rf" *(?:Downloaded|Built) {_NAME}(?:==| @ |$)", _Packages.end),
        (r"Prepared (?P<total>\d+) packages? ", lambda _, total: f"unpacking {_count(int(total))}"),
        # the install step compiles them itself
        (r"Installed (?P<total>\d+) packages? ", lambda _, total: f"compiling {_count(int(total))}"),
        # pip, without its progress bar
        (rf"Collecting {_NAME}(?=[\s=<>!~;@(\[]|$)", _name),
        (rf" *Downloading {_NAME}-(?P<version>\d[\w.+!]*)(?:-\S*|\.tar\S*|\.zip) {_SIZE}$", _name),
        (rf" *Building (?:wheel|editable) for {_NAME} \(.*\): started$", lambda _, name: f"building {name}"),
        (r"Installing collected packages: (?P<names>.+)", lambda _, names: _count(names.count(",") + 1)),
        # apt-get and dpkg, apk
        (r"\d+ upgraded, (?P<total>\d+) newly installed, ", _Packages.resolve),
        (rf"Unpacking {_DEBIAN}", _Packages.unpack),
        (rf"Setting up {_DEBIAN}", _name),
        (rf"\((?P<done>\d+)/(?P<total>\d+)\) Installing {_DEBIAN}", _name_and_count),
        # a Dockerfile's build
        (r"Step (?P<done>\d+)/(?P<total>\d+) : ", lambda _, done, total: f"step {done}/{total}"),
        # the install step itself
        (r"fetching (?P<name>uv)$", _name),
    )
)
