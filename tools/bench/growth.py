"""The benchmark of large suites: time and memory of the controller, as the number of tests grows."""

from __future__ import annotations

import shlex

from tools.bench.clock import Command, in_turns, measure_usage, seconds_of
from tools.bench.projects import write_many
from tools.bench.workshop import PYTEST, Result, Workshop

TAGS = ("3.10-slim", "3.11-slim", "3.12-slim", "3.13-slim", "3.14-slim", "3.12")
FEW, MANY = 5_000, 20_000
MEGABYTES = 300


def four_times_as_many(shop: Workshop) -> Result:
    """Twenty thousand tests on six images, with a page and a junit file, against four times five thousand."""
    few, many = (_ours(shop, tests) for tests in (FEW, MANY))
    shop.say(f"  ours    {shlex.join(many.words)}")
    sizes: list[float] = []

    def ours() -> float:
        usage = measure_usage(many, shop.output)
        sizes.append(usage.megabytes)
        return usage.seconds

    seconds_of([few], shop.output)  # the first may have to build
    timing = in_turns(ours, lambda: seconds_of([few], shop.output) * (MANY / FEW), rounds=shop.rounds)
    note = f"most memory of the controller: {max(sizes):.0f} MB, at most {MEGABYTES} MB"
    return Result(
        title=f"g. {MANY:,} tests on {len(TAGS)} images / 4 times {FEW:,}",
        timing=timing,
        limit=1.3,
        notes=(note,),
        exceeds=max(sizes) >= MEGABYTES,
    )


def _ours(shop: Workshop, tests: int) -> Command:
    project = write_many(shop.folder, tests)
    files = (f"--py-images-report={shop.folder / 'page.html'}", f"--junitxml={shop.folder / 'junit.xml'}")
    words = (*PYTEST, f"--py-images={','.join(TAGS)}", *files)
    return shop.command(words, project, (f"{tests * len(TAGS)} passed", 1))
