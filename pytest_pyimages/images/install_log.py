"""How far a build has come, by the logs of uv, pip, apt, apk and the engine; what they leave out is not guessed at."""

from __future__ import annotations

import re
from collections.abc import Callable

LONGEST_LINE = 4096  # bytes; of a longer one nothing is wanted


class InstallLog:
    """Follows one log, which ``feed`` is given as it comes.

    :param tell: called with a few words whenever they change: "numpy (15.0MiB), pandas (11.5MiB)". They consist of
        names, versions, sizes and numbers only: neither an address nor an escape sequence gets into them.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._rest = b""
        self._told = ""
        self._packages = _Packages()

    def feed(self, data: bytes) -> None:
        """Read the next piece of the log, which may end anywhere."""
        *lines, rest = (self._rest + data).split(b"\n")
        self._rest = rest[:LONGEST_LINE]
        for line in lines:
            if len(line) < LONGEST_LINE:
                self._line(line.decode("ascii", "replace").rstrip())

    def _line(self, line: str) -> None:
        for pattern, read in _READERS:
            match = pattern.match(line)
            if match is not None:
                words = read(self._packages, **match.groupdict())
                if words != self._told:
                    self._told = words
                    self._tell(words)
                return


class _Packages:
    """What an installer has said of its packages so far; each method takes one line's news and returns the words."""

    def __init__(self) -> None:
        self._total = 0
        self._done = 0
        self._begun: dict[str, str] = {}  # what is under way at once, in words

    def resolved(self, total: str) -> str:
        self._total, self._done = int(total), 0
        self._begun.clear()
        return self._under_way()

    def download(self, name: str, size: str) -> str:
        self._begun[name] = f"{name} ({size})"
        return self._under_way()

    def build(self, name: str, version: str | None) -> str:
        self._begun[name] = f"building {_with_version(name, version)}"
        return self._under_way()

    def end(self, name: str) -> str:
        self._begun.pop(name, None)
        return self._under_way()

    def unpacked(self, name: str, version: str) -> str:
        self._done += 1
        counted = f" ({self._done}/{self._total})" if self._done <= self._total else ""
        return _with_version(name, version) + counted

    def _under_way(self) -> str:
        return ", ".join(self._begun.values()) or _in_words(self._total)


def _one(_: _Packages, name: str, version: str | None = None, size: str | None = None) -> str:
    return _with_version(name, version) + (f" ({size})" if size else "")


def _counted(_: _Packages, name: str, version: str, done: str, total: str) -> str:
    return f"{_with_version(name, version)} ({done}/{total})"


def _step(_: _Packages, done: str, total: str) -> str:
    return f"step {done}/{total}"


def _built_by_pip(_: _Packages, name: str) -> str:
    return f"building {name}"


def _listed(_: _Packages, names: str) -> str:
    return _in_words(names.count(",") + 1)


def _unpacked_by_uv(_: _Packages, total: str) -> str:
    return f"unpacking {_in_words(int(total))}"


def _compiled(_: _Packages, total: str) -> str:
    return f"compiling {_in_words(int(total))}"


def _with_version(name: str, version: str | None) -> str:
    return f"{name} {version}" if version else name


def _in_words(number: int) -> str:
    return f"{number} package" if number == 1 else f"{number} packages"


_NAME = r"(?P<name>[A-Za-z0-9](?:[\w.-]*\w)?)"
_DEBIAN = r"(?P<name>[a-z0-9][a-z0-9.+-]*)(?::\w+)? \((?P<version>\d[\w.+:~-]*)\)"
_SIZE = r"\((?P<size>[\d.]+ ?[kKMG]?i?B)\)"
_READERS: tuple[tuple[re.Pattern[str], Callable[..., str]], ...] = tuple(
    (re.compile(pattern, re.ASCII), read)
    for pattern, read in (
        # uv, with UV_NO_PROGRESS: it names what it builds, and downloads of more than 1 MiB
        (r"Resolved (?P<total>\d+) packages? ", _Packages.resolved),
        (rf"Downloading {_NAME} {_SIZE}$", _Packages.download),
        (rf" *Building {_NAME}(?:==(?P<version>\d[\w.+!-]*)$| @ )", _Packages.build),
        (rf" *(?:Downloaded|Built) {_NAME}(?:==| @ |$)", _Packages.end),
        (r"Prepared (?P<total>\d+) packages? ", _unpacked_by_uv),
        (r"Installed (?P<total>\d+) packages? ", _compiled),  # which the install step does itself
        # pip, without its progress bar
        (rf"Collecting {_NAME}(?=[\s=<>!~;@(\[]|$)", _one),
        (rf" *Downloading {_NAME}-(?P<version>\d[\w.+!]*)(?:-\S*|\.tar\S*|\.zip) {_SIZE}$", _one),
        (rf" *Building (?:wheel|editable) for {_NAME} \(.*\): started$", _built_by_pip),
        (r"Installing collected packages: (?P<names>.+)", _listed),
        # apt-get and dpkg, apk
        (r"\d+ upgraded, (?P<total>\d+) newly installed, ", _Packages.resolved),
        (rf"Unpacking {_DEBIAN}", _Packages.unpacked),
        (rf"Setting up {_DEBIAN}", _one),
        (rf"\((?P<done>\d+)/(?P<total>\d+)\) Installing {_DEBIAN}", _counted),
        # a Dockerfile's build
        (r"Step (?P<done>\d+)/(?P<total>\d+) : ", _step),
        # the install step itself
        (r"fetching (?P<name>uv)$", _one),
    )
)
