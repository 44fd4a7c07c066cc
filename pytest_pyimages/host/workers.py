"""What ``-n`` means with images: so many processes run tests at once, however many containers share them.

Inside, it is the suite's own pytest-xdist that starts them; each container is told its share. The host's xdist, where
there is one, sees none of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.host.command_line import Option, pieces, with_options

_NUMBER = ("-n", "--numprocesses")
_MOST = "--maxprocesses"
_AUTO = ("auto", "logical")
AUTO_VARIABLE = "PYTEST_XDIST_AUTO_NUM_WORKERS"  # xdist's own

_Own = Sequence[tuple[str, bool]]  # this plugin's options, and whether each takes a value


@dataclass(frozen=True, slots=True, kw_only=True)
class Workers:
    """What ``-n`` and ``--maxprocesses`` ask for."""

    number: int | None  # None for as many as the engine has processors
    most: int = 0  # 0 for no limit

    def total(self, processors: int) -> int:
        """Return how many processes are to run tests at once."""
        number = processors if self.number is None else self.number
        return min(number, self.most) if self.most else number


def workers_of(args: Sequence[str], own: _Own, *, environ: Mapping[str, str]) -> Workers | None:
    """Return what the last ``-n`` among pytest's arguments asks for; None without one, and for ``-n 0``.

    :raises ConfigurationError: for a value that xdist would not take.
    """
    number: Option | None = None
    most = 0
    for piece in pieces(args, own):
        if piece.name in _NUMBER:
            number = piece
        elif piece.name == _MOST:
            most = _natural(piece, "a number")
    if number is None:
        return None
    if number.value in _AUTO:
        fixed = environ.get(AUTO_VARIABLE, "")
        return Workers(number=int(fixed) if fixed.isdecimal() else None, most=most)
    count = _natural(number, "auto, logical or a number")
    return Workers(number=count, most=most) if count else None


def _natural(piece: Option, wanted: str) -> int:
    try:
        number = int(piece.value or "")
    except ValueError:
        number = -1
    if number < 0:
        raise ConfigurationError(f'{piece.name}: "{piece.value or ""}" is not {wanted}')
    return number


def containers_at_once(images: int, *, jobs: int, workers: int) -> int:
    """Return how many of the images' containers run at once.

    :param jobs: the most that there may be.
    :param workers: the processes that they share; 0 without ``-n``. Each has one at least, so these are a limit, too.
    """
    return max(min(images, jobs, workers or jobs), 1)


def with_share(args: Sequence[str], own: _Own, *, workers: int, places: int, place: int) -> tuple[str, ...]:
    """Return pytest's arguments with what one container has of the workers, in place of all that is typed of ``-n``.

    :param places: how many containers run at once.
    :param place: which of these it is; the first have what cannot be divided.
    """
    share = max(workers // places + (place < workers % places), 1)
    others = [word for piece in pieces(args, own) if piece.name not in _NUMBER for word in piece.tokens]
    return with_options(others, ("-n", str(share)))
