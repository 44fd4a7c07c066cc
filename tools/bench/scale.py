"""The benchmarks of scale: many units at once, and a million results from an engine that replays a recorded run."""

from __future__ import annotations

import shlex
import statistics
import sys
from functools import partial
from pathlib import Path

from tools.bench.clock import Command, Usage, in_turns, measure_usage, seconds_of
from tools.bench.projects import SLEEPERS, write_many, write_sleeping
from tools.bench.replaying import replaying
from tools.bench.watch import Watch
from tools.bench.workshop import PYTEST, Result, Workshop

TAGS = ("3.14-slim", "3.12", "3.10-slim", "3.11-slim", "3.12-slim", "3.13-slim", "3.11", "3.14")
SLEEP_SECONDS = 20.0
IMAGES = tuple(f"3.{minor}{variant}" for minor in range(9, 15) for variant in ("", "-slim"))
RECORDED = "3.12-slim"
TESTS = 84_000  # of each image: 1,008,000 results
EMPTY = 100  # tests of each image in a session whose costs are those of any
PART = 4  # the smaller suite has so many times fewer tests
MICROSECONDS = 120
BYTES = 500
FEW_ROUNDS = 2  # processor time differs little from run to run, and a run takes minutes


def units_at_once(shop: Workshop) -> Result:
    """A suite that sleeps for twenty seconds on eight images at once, against the same on one."""
    project = write_sleeping(shop.folder, SLEEP_SECONDS)
    commands = {count: _sleep(shop, project, count) for count in (1, 2, 4, len(TAGS))}
    shop.say(f"  ours    {shlex.join(commands[len(TAGS)].words)}")
    seconds_of([commands[len(TAGS)]], shop.output)  # the first may have to build
    some: dict[int, list[float]] = {2: [], 4: []}

    def ours() -> float:
        for count, measured in some.items():
            measured.append(seconds_of([commands[count]], shop.output))
        return seconds_of([commands[len(TAGS)]], shop.output)

    timing = in_turns(ours, partial(seconds_of, [commands[1]], shop.output), rounds=shop.rounds)
    medians = (f"{count} images: {statistics.median(measured):.2f} s" for count, measured in some.items())
    title = f"l. {SLEEP_SECONDS:g} s of sleep on {len(TAGS)} images at once / on one"
    return Result(title=title, timing=timing, limit=1.2, notes=(", ".join(medians),))


def million_results(shop: Workshop) -> Result:
    """The controller's processor time for a million results of twelve images, against four times a quarter of them."""
    records = {tests: _record(shop, tests) for tests in (EMPTY, TESTS // PART, TESTS)}
    usages: dict[int, list[Usage]] = {tests: [] for tests in records}

    def measure(tests: int) -> float:
        with replaying(records[tests], shop.folder / "engine.sock") as engine:
            usages[tests].append(measure_usage(_replay(shop, tests, engine), shop.output))
        return usages[tests][-1].processor_seconds

    measure(EMPTY)
    timing = in_turns(
        partial(measure, TESTS),
        lambda: measure(TESTS // PART) * PART,
        rounds=min(shop.rounds, FEW_ROUNDS),
    )
    [empty], results = usages[EMPTY], TESTS * len(IMAGES)
    processor = statistics.median(timing.ours) - empty.processor_seconds
    most = max(usage.megabytes for usage in usages[TESTS])
    micro, each = processor / results * 1e6, (most - empty.megabytes) * (1 << 20) / results
    return Result(
        title=f"m. {results:,} results, processor time / {PART} times {results // PART:,}",
        timing=timing,
        limit=1.1,
        notes=(
            f"{micro:.0f} µs of the controller's processor time for a result, at most {MICROSECONDS}",
            f"{each:.0f} bytes for a result, at most {BYTES}: {most:.0f} MB, and {empty.megabytes:.0f} without results",
        ),
        exceeds=micro > MICROSECONDS or each > BYTES,
    )


def _sleep(shop: Workshop, project: Path, count: int) -> Command:
    words = (*PYTEST, f"--py-images={','.join(TAGS[:count])}", f"--py-images-jobs={count}")
    return shop.command(words, project, (f"\n{SLEEPERS * count} passed in ", 1))


def _record(shop: Workshop, tests: int) -> Path:
    """Run a suite on one image of a real engine; return the folder with what its container has sent."""
    project = write_many(shop.folder, tests)
    record = shop.folder / f"record-{tests}"
    record.mkdir()
    with Watch(shop.engine, shop.folder / "recorded.sock", record) as watch:
        command = shop.command((*PYTEST, f"--py-images={RECORDED}"), project, (f"\n{tests} passed in ", 1), watch.url)
        seconds_of([command], shop.output)
    return record


def _replay(shop: Workshop, tests: int, engine: str) -> Command:
    reports = (f"--py-images-report={shop.folder / name}" for name in ("report.json", "page.html"))
    files = (*reports, f"--junitxml={shop.folder / 'junit.xml'}")
    words = (sys.executable, "-m", "pytest", "-q", f"--py-images={','.join(IMAGES)}", *files)
    options = (f"--py-images-jobs={len(IMAGES)}", "--py-images-source=overlay")
    environment = {"DOCKER_HOST": engine, "XDG_CACHE_HOME": str(shop.folder / "cache")}
    project = shop.folder / f"many-{tests}"
    expected = (f"{tests * len(IMAGES)} passed", 1)
    return Command(words=(*words, *options), cwd=project, environment=environment, expected=expected)
