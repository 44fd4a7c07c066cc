"""Find the programs that tests ran and their image lacks, and a hint for each."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator

# As subprocess reports it in Python 3; it names the program, and not a file that was to be opened.
_MISSING = re.compile(r"FileNotFoundError: \[Errno 2\] No such file or directory: \\?'(?P<name>[\w+-][\w.+-]*)\\?'")
# Debian's packages, many of them with the name of the program.
_PACKAGES = {
    **{
        name: name
        for name in "cmake curl file git jq less make openssl pandoc patch rsync sqlite3 unzip wget zip".split()
    },
    "cc": "gcc libc6-dev",
    "gcc": "gcc libc6-dev",
    "c++": "g++",
    "hg": "mercurial",
    "svn": "subversion",
    "node": "nodejs",
    "ps": "procps",
    "pgrep": "procps",
    "pkill": "procps",
    "ssh": "openssh-client",
    "gpg": "gnupg",
    "dot": "graphviz",
    "tput": "ncurses-bin",
    "psql": "postgresql-client",
    "java": "default-jre",
}


class MissingPrograms:
    """Counts the tests of each image that failed without a program."""

    def __init__(self) -> None:
        self._found: dict[str, Counter[str]] = {}

    def record_failure(self, label: str, text: str) -> None:
        """Record the program that a traceback reports as missing, if any."""
        if "subprocess" in text or "_execute_child" in text:
            for name in {match["name"] for match in _MISSING.finditer(text)}:
                self._found.setdefault(label, Counter())[name] += 1

    def list_notes(self, labels: Iterable[str]) -> Iterator[str]:
        """Yield a line for each program; for images with the same numbers once.

        :param labels: of all images, in the order of the matrix.
        """
        notes: dict[str, list[str]] = {}
        for label in labels:
            for name, count in self._found.get(label, Counter()).items():
                tests = "1 test" if count == 1 else f"{count} tests"
                package = _PACKAGES.get(name)
                hint = f"add it: py_images_apt = {package}" if package else "add its package to py_images_apt"
                notes.setdefault(f"{tests} failed because {name} is not in the image · {hint}", []).append(label)
        for note, found in notes.items():
            yield f"{', '.join(found)}: {note}"
