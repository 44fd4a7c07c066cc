"""Workers of pytest-xdist: ``-n`` is the number of processes that run tests at once, in all containers together.

The project's own pytest-xdist starts them; each container is given its share. The host's xdist, if there is one, sees
no ``-n``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.host.command_line import CommandLine

_NUMBER = ("-n", "--numprocesses")
_MAXIMUM = "--maxprocesses"
_AUTO = ("auto", "logical")
AUTO_VARIABLE = "PYTEST_XDIST_AUTO_NUM_WORKERS"  # xdist's own


class Workers(NamedTuple):
    """The values of ``-n`` and ``--maxprocesses``."""

    number: int | None  # None for one per processor of the engine
    maximum: int = 0  # 0 for no limit

    @classmethod
    def requested(cls, line: CommandLine, environ: Mapping[str, str]) -> Workers | None:
        """Return what the last ``-n`` requests; None without one, and for ``-n 0``.

        :raises ConfigurationError: for a value that xdist would not accept.
        """
        number: int | None = 0
        maximum = 0
        for argument in line.options:
            if argument.name in _NUMBER and argument.value in _AUTO:
                fixed = environ.get(AUTO_VARIABLE, "")
                number = int(fixed) if fixed.isdecimal() else None
            elif argument.name in _NUMBER:
                number = _parse_number(argument.name, argument.value, "auto, logical or a number")
            elif argument.name == _MAXIMUM:
                maximum = _parse_number(argument.name, argument.value, "a number")
        return None if number == 0 else cls(number=number, maximum=maximum)

    def total(self, processors: int) -> int:
        """Return the number of processes that run tests at once."""
        number = processors if self.number is None else self.number
        return min(number, self.maximum) if self.maximum else number


def _parse_number(name: str, value: str | None, expected: str) -> int:
    text = value or ""
    if not text.isdecimal():
        raise ConfigurationError(f'{name}: invalid value "{text}"', f"must be {expected}")
    return int(text)


def containers_at_once(images: int, *, jobs: int, workers: int) -> int:
    """Return how many of the images' containers run at once.

    :param jobs: the maximum number.
    :param workers: the processes that they share, at least one each; 0 without ``-n``.
    """
    return max(min(images, jobs, workers or jobs), 1)


def share_workers(line: CommandLine, *, workers: int, places: int, place: int) -> tuple[str, ...]:
    """Return the words of a command line with one container's share of the workers instead of every ``-n``.

    :param places: how many containers run at once.
    :param place: the container's number among these; the first get the remainder.
    """
    share = max(workers // places + (place < workers % places), 1)
    return line.without(_NUMBER).adding("-n", str(share))
