"""The benchmarks: what is run, against what, and how much it may cost."""

from __future__ import annotations

import re
import shlex
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tools.bench.builds import anew_at_once, anew_in_turn, cold_at_once, cold_in_turn, one_more
from tools.bench.clock import Command, NotMeasuredError, Timing, Usage, in_turns, measure_usage, seconds_of
from tools.bench.ending import measure_end
from tools.bench.growth import four_times_as_many
from tools.bench.images import ordinary_images
from tools.bench.projects import TESTS, write_importing, write_many, write_one
from tools.bench.scale import million_results, units_at_once
from tools.bench.watch import Watch
from tools.bench.watching import saved_file
from tools.bench.workshop import PYTEST, Result, Workshop

TAGS = ("3.12", "3.14-slim")
SIX = (*TAGS, "3.10-slim", "3.11-slim", "3.12-slim", "3.13-slim")  # as tox.ini provides them
# What a run that finds everything in place has no reason to ask for (Engine API: pull, build, commit, registry).
_NOT_WARM = re.compile(r"/(images/create|build|commit|images/[^ ]+/push|distribution/|auth)")
_START = re.compile(r"/containers/[^/]+/start")
PROCESSOR_SECONDS = 0.25  # of a warm run of one test, on the host, over a plain pytest
WARM_UPS = 3  # the first may have to build, the second to compile


def many_tests(shop: Workshop) -> Result:
    """Ten thousand tiny tests on two images, against two containers that a shell starts side by side."""
    timing = _large_suite(shop, write_many(shop.folder))
    return Result(title=f"a. {TESTS:,} tests on 2 images / the same by hand", timing=timing, limit=0.65)


def importing_tests(shop: Workshop) -> Result:
    """200 modules of 50 tests with a conftest that imports much, on two images, against the same by hand."""
    timing = _large_suite(shop, write_importing(shop.folder))
    return Result(title="n. 200 modules of 50 tests / the same by hand", timing=timing, limit=0.9)


def one_test(shop: Workshop) -> Result:
    """One test on two images, against the same by hand and a pytest on the host."""
    project = write_one(shop.folder)
    ours = _ours(shop, project, 1)
    plain = shop.command((*PYTEST, "-p", "no:pyimages"), project, ("1 passed", 1))
    _warm_up(shop, project, 1)
    with ordinary_images(TAGS, shop.folder, shop.engine) as images:
        theirs, tox = [_by_hand(shop, project, images, 1), plain], _with_tox(shop, project, 1)
        _compare(shop, [ours], [*theirs, tox])
        timing = in_turns(
            *(partial(seconds_of, each, shop.output) for each in ([ours], theirs, [tox])), rounds=shop.rounds
        )
    return Result(title="b. 1 test on 2 images / by hand + host pytest", timing=timing, limit=1.0)


def first_start(shop: Workshop) -> Result:
    """The time to the first container's start, against collecting on the host; processor time, against pytest's."""
    project = write_one(shop.folder)
    plain = shop.command((*PYTEST, "-p", "no:pyimages"), project, ("1 passed", 1))
    theirs = shop.command((*plain.words, "--collect-only"), project, ("1 test collected", 1))
    _warm_up(shop, project, 1)
    asked: list[str] = []
    usages: list[tuple[Usage, Usage]] = []  # of ours, and of plain pytest
    with Watch(shop.engine, shop.folder / "watched.sock") as watch:
        ours = _ours(shop, project, 1, engine=watch.url)

        def until_start() -> float:
            watch.take()
            begin = time.perf_counter()
            usage = measure_usage(ours, shop.output)
            requests = watch.take()
            usages.append((usage, measure_usage(plain, shop.output)))
            asked[:] = [str(request) for request in requests]
            starts = [request.when for request in requests if _START.match(request.path)]
            if len(starts) != len(TAGS):
                raise NotMeasuredError(f"{len(starts)} containers were started instead of {len(TAGS)}")
            forbidden = [str(request) for request in requests if _NOT_WARM.match(request.path)]
            if forbidden:
                raise NotMeasuredError(f"a run with nothing to do has asked for {', '.join(forbidden)}")
            return starts[0] - begin

        seconds_of([ours], shop.output)  # the proxy is another engine, and how it mounts the source is not known yet
        _compare(shop, [ours], [theirs, plain])
        shop.say("  of the first, the time to the first POST /containers/…/start, seen on its way to the engine")
        timing = in_turns(until_start, partial(seconds_of, [theirs], shop.output), rounds=shop.rounds)
    processor, least = (
        statistics.median(usage.processor_seconds for usage in side) for side in zip(*usages, strict=True)
    )
    notes = (
        f"{processor - least:.2f} s of processor time over a plain pytest's {least:.2f} s, at most {PROCESSOR_SECONDS}",
        f"no pull, build or commit among the {len(asked)} requests of a warm run",
    )
    return Result(
        title="c. warm, to the first start / host collection",
        timing=timing,
        limit=1.2,
        notes=notes,
        exceeds=processor - least > PROCESSOR_SECONDS,
    )


def last_report(shop: Workshop) -> Result:
    """From the last report of one test on two images to the prompt, against a pytest on the host."""
    project = write_one(shop.folder)
    words = (sys.executable, "-m", "pytest")
    ours = shop.command((*words, f"--py-images={','.join(TAGS)}"), project, ("2 passed", 1))
    plain = shop.command((*words, "-p", "no:pyimages"), project, ("1 passed", 1))
    _warm_up(shop, project, 1)
    _compare(shop, [ours], [plain])
    return measure_end(shop, ours, plain)


def watch_two(shop: Workshop) -> Result:
    """From a saved file to the last report of a watch, with two images, against tox with two environments."""
    return saved_file(shop, TAGS, 0.25, _with_tox)


def watch_six(shop: Workshop) -> Result:
    """The same with six images."""
    return saved_file(shop, SIX, 0.6, _with_tox)


CASES: dict[str, Callable[[Workshop], Result]] = {
    "a": many_tests,
    "b": one_test,
    "c": first_start,
    "d": cold_in_turn,
    "e": cold_at_once,
    "f": one_more,
    "g": four_times_as_many,
    "h": anew_in_turn,
    "i": anew_at_once,
    "j": watch_two,
    "k": watch_six,
    "l": units_at_once,
    "m": million_results,
    "n": importing_tests,
    "o": last_report,
}


def _large_suite(shop: Workshop, project: Path) -> Timing:
    """Measure ten thousand tests; the bytecode of their modules is kept when that begins, as after any two runs."""
    ours = _ours(shop, project, TESTS)
    _warm_up(shop, project, TESTS)
    with ordinary_images(TAGS, shop.folder, shop.engine) as images:
        theirs, tox = [_by_hand(shop, project, images, TESTS)], _with_tox(shop, project, TESTS)
        _compare(shop, [ours], [*theirs, tox])
        for _ in range(2):
            seconds_of([ours], shop.output)
        return in_turns(
            *(partial(seconds_of, each, shop.output) for each in ([ours], theirs, [tox])), rounds=shop.rounds
        )


def _ours(shop: Workshop, project: Path, tests: int, engine: str = "") -> Command:
    total = f"{tests * len(TAGS)} passed"
    return shop.command((*PYTEST, f"--py-images={','.join(TAGS)}"), project, (total, 1), engine)


def _by_hand(shop: Workshop, project: Path, images: tuple[str, ...], tests: int) -> Command:
    """Return a shell that starts a container of each image at once and waits for them.

    The source is mounted read-only, so that no run leaves compiled modules in it for the next one of either kind.
    """
    suite = ("python", "-m", *PYTEST[2:])
    runs = (
        shlex.join(("docker", "run", "--rm", "-v", f"{project}:{project}:ro", "-w", str(project), image, *suite))
        for image in images
    )
    return shop.command(("sh", "-c", f"{' & '.join(runs)} & wait"), project, (f"{tests} passed", len(images)))


def _with_tox(shop: Workshop, project: Path, tests: int) -> Command:
    """Return tox that runs two environments of this Python at once, without containers; they are made by a first run.

    As many environments as there are images: other interpreters need not be here.
    """
    names = ",".join(f"side{number}" for number in range(len(TAGS)))
    suite = " ".join(("python", "-m", *PYTEST[2:], "-p", "no:pyimages"))
    config = shop.folder / "tox.ini"  # not in the project, which the plugin would read it for
    environment = f"deps = pytest\npass_env = *\nchange_dir = {project}\ncommands = {suite}\n"
    config.write_text(f"[tox]\nenv_list = {names}\nno_package = true\n\n[testenv]\n{environment}")
    words = (sys.executable, "-m", "tox", "-q", "-p", "all", "--parallel-live", "-c", str(config))
    command = shop.command(words, project, (f"{tests} passed", len(TAGS)))
    seconds_of([command], shop.output)
    return command


def _warm_up(shop: Workshop, project: Path, tests: int) -> None:
    """Run the project until there is nothing left to build, to decide and to compile, on the engine itself."""
    ours = _ours(shop, project, tests)
    for _ in range(WARM_UPS):
        seconds_of([ours], shop.output)


def _measure(shop: Workshop, ours: list[Command], theirs: list[Command], tox: list[Command]) -> Timing:
    _compare(shop, ours, [*theirs, *tox])
    return in_turns(*(partial(seconds_of, side, shop.output) for side in (ours, theirs, tox)), rounds=shop.rounds)


def _compare(shop: Workshop, ours: list[Command], theirs: list[Command]) -> None:
    for mark, commands in (("ours  ", ours), ("theirs", theirs)):
        for command in commands:
            words = command.words[-1:] if command.words[0] == "sh" else (shlex.join(command.words),)
            shown = re.sub(r"sha256:([0-9a-f]{12})[0-9a-f]*", r"\1", words[0]).replace(str(command.cwd), "$PWD")
            shop.say(f"  {mark}  {shown}")
