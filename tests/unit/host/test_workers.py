"""Workers of -n, and how they are divided among containers."""

from __future__ import annotations

import pytest

from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.host.command_line import CommandLine
from pytest_pyimages.host.workers import Workers, containers_at_once, share_workers


def asked(args: str, environ: dict[str, str] | None = None) -> Workers | None:
    return Workers.requested(CommandLine.parse(args.split()), environ or {})


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ("", None),
        ("-k n tests", None),
        ("-n 4", 4),
        ("-n4", 4),
        ("-n=4", 4),
        ("-xvn4", 4),
        ("--numprocesses 4", 4),
        ("--numprocesses=4 -v", 4),
        ("-n 4 -n 2", 2),  # as in pytest, those of the ini file come first
        ("-n 4 --numprocesses=auto", 8),
        ("-n logical", 8),
        ("-n 4 -n 0", None),
        ("-n 0 -n 4", 4),
        ("-n auto --maxprocesses=3", 3),
        ("-n 5 --maxprocesses 3", 3),
        ("-n 5 --maxprocesses 0", 5),
        ("-n 2 -- -n 4", 2),
    ],
)
def test_the_last_number_is_used(args: str, expected: int | None) -> None:
    workers = asked(args)
    assert (workers.total(8) if workers else None) == expected


def test_auto_uses_the_variable_of_xdist() -> None:
    workers = asked("-n auto", {"PYTEST_XDIST_AUTO_NUM_WORKERS": "3"})
    assert workers is not None
    assert workers.total(8) == 3


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ("-n many", '-n: invalid value "many" · must be auto, logical or a number'),
        ("--numprocesses=-1", '--numprocesses: invalid value "-1" · must be auto, logical or a number'),
        ("-x -n", '-n: invalid value "" · must be auto, logical or a number'),
        ("-n 2 --maxprocesses=all", '--maxprocesses: invalid value "all" · must be a number'),
    ],
)
def test_an_invalid_number_is_refused(args: str, expected: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        asked(args)
    assert str(caught.value) == expected


@pytest.mark.parametrize(
    ("images", "jobs", "workers", "expected"),
    [
        (2, 4, 0, 2),
        (8, 4, 0, 4),
        (8, 4, 3, 3),  # each container has a worker at least
        (8, 4, 9, 4),
        (8, 4, 1, 1),
        (0, 4, 0, 1),
    ],
)
def test_containers_at_once(images: int, jobs: int, workers: int, expected: int) -> None:
    assert containers_at_once(images, jobs=jobs, workers=workers) == expected


@pytest.mark.parametrize(
    ("workers", "places", "expected"), [(4, 2, [2, 2]), (5, 3, [2, 2, 1]), (7, 3, [3, 2, 2]), (2, 3, [1, 1, 1])]
)
def test_the_first_containers_get_the_remainder(workers: int, places: int, expected: list[int]) -> None:
    shares = [share_workers(CommandLine(), workers=workers, places=places, place=place)[-1] for place in range(places)]
    assert [int(share) for share in shares] == expected


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ("-vn4 tests --dist loadfile", "-v tests --dist loadfile -n 2"),
        ("--numprocesses 4 -k n -- tests", "-k n -n 2 -- tests"),
        ("tests", "tests -n 2"),  # 4 in the ini file, where it stays and does not count
    ],
)
def test_the_share_replaces_the_number(args: str, expected: str) -> None:
    assert share_workers(CommandLine.parse(args.split()), workers=4, places=2, place=0) == tuple(expected.split())
