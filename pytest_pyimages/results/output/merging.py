"""The reports of several jobs as one: what a session would say that had run all of it.

Different images stand side by side. The same image in several files is one, whose tests are those of all: shards, or
parts that somebody has chosen. What is missing of shards makes the image an error, whatever the rest is: a merge is
green only if all tests have run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pytest

from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.results.outcome import ImageResult, Shard, exit_status, pick_worst_status
from pytest_pyimages.results.output.json_reading import JobReport
from pytest_pyimages.results.problems import describe_missing_tests

_SHOWN = 5  # missing shards that are named


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """What the jobs are together."""

    results: Mapping[str, ImageResult]
    exit_status: int
    started: float  # seconds since the epoch: of the first job
    ended: float  # of the last
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Part:
    """One job's share of an image."""

    job: JobReport
    result: ImageResult


def merge_reports(jobs: Sequence[JobReport]) -> Merged:
    """Return one result of all jobs, of which there is at least one.

    :raises ConfigurationError: if a test is in several files, or a label means different images.
    """
    notes: list[str] = []
    different = list(_different(jobs, notes))
    parts: dict[str, list[_Part]] = {}
    for job in different:
        for label, result in job.results.items():
            parts.setdefault(label, []).append(_Part(job, result))
    results = {label: _united(label, ones, notes) for label, ones in parts.items()}
    incomplete = [label for label, ones in parts.items() if _add_problem(results[label], _missing(ones))]
    _miss_tests(results, different)
    statuses = [exit_status(results), *(job.exit_status for job in different if job.exit_status != _NO_TESTS)]
    if incomplete or (_fails(results) and pick_worst_status(statuses) == pytest.ExitCode.OK):
        statuses.append(int(pytest.ExitCode.TESTS_FAILED))
    return Merged(
        results=results,
        exit_status=pick_worst_status(statuses),
        started=min(job.started for job in different),
        ended=max(job.started + job.seconds for job in different),
        notes=tuple(notes),
    )


_NO_TESTS = int(pytest.ExitCode.NO_TESTS_COLLECTED)


def _different(jobs: Sequence[JobReport], notes: list[str]) -> Iterator[JobReport]:
    seen: dict[str, str] = {}
    for job in jobs:
        if job.digest in seen:
            first = seen[job.digest]
            told = "was named twice" if job.name == first else f"has the same content as {first}"
            notes.append(f"{job.name} {told}, and is counted once")
        else:
            seen[job.digest] = job.name
            yield job


def _fails(results: Mapping[str, ImageResult]) -> bool:
    return any(
        result.counts["failed"] or result.counts["error"] for result in results.values() if not result.allowed_to_fail
    )


def _united(label: str, parts: list[_Part], notes: list[str]) -> ImageResult:
    """Return one image of its parts, in the order of their shards."""
    parts.sort(key=lambda part: part.result.shard.index if part.result.shard is not None else 0)
    first = parts[0]
    for part in parts[1:]:
        if part.result.reference != first.result.reference:
            raise ConfigurationError(
                f"{label} is {first.result.reference} in {first.job.name},"
                f" and {part.result.reference} in {part.job.name}"
            )
    digests = {part.result.digest for part in parts if part.result.digest}
    if len(digests) > 1:
        notes.append(f"{label}: the jobs ran different images of this name ({', '.join(sorted(digests))})")
    results = [part.result for part in parts]
    statuses = [result.exit_status for result in results]
    united = ImageResult(
        label=label,
        reference=first.result.reference,
        allowed_to_fail=all(result.allowed_to_fail for result in results),
        digest=next(iter(digests), ""),
        python=next((result.python for result in results if result.python), ""),
        cached=all(result.cached for result in results),
        build_seconds=max(result.build_seconds for result in results),
        run_seconds=max(result.run_seconds for result in results),
        exit_status=None
        if None in statuses
        else pick_worst_status(status for status in statuses if status is not None),
        problem=" · ".join(_problems(results)),
        ended=all(result.ended for result in results),
        usage_error=all(result.usage_error for result in results),
    )
    _unite_tests(label, parts, united)
    return united


def _problems(results: Sequence[ImageResult]) -> Iterator[str]:
    """Yield each problem of the parts once, and which shards have it, unless all have."""
    groups: dict[str, list[ImageResult]] = {}
    for result in results:
        groups.setdefault(result.problem, []).append(result)
    for problem, ones in groups.items():
        shards = [f"{one.shard.index}/{one.shard.of}" for one in ones if one.shard is not None]
        if problem:
            yield f"shard {', '.join(shards)}: {problem}" if shards and len(ones) < len(results) else problem


def _unite_tests(label: str, parts: Sequence[_Part], united: ImageResult) -> None:
    """Put together tests and counts; what is no test is in every shard, and is counted once."""
    owners: dict[str, _Part] = {}
    for part in parts:
        for nodeid in part.result.outcomes:
            owner = owners.setdefault(nodeid, part)
            if owner is not part and not (_is_collector(owner, nodeid) and _is_collector(part, nodeid)):
                raise _twice(nodeid, label, owner, part)
        united.outcomes.update(part.result.outcomes)
        united.durations.update(part.result.durations)
        united.failures.update(part.result.failures)
        for name, number in part.result.counts.items():
            own = number - min(part.result.not_tests.get(name, 0), number)
            united.counts[name] = united.counts.get(name, 0) + own
        for name, number in part.result.not_tests.items():
            united.not_tests[name] = max(number, united.not_tests.get(name, 0))
    for name, number in united.not_tests.items():
        united.counts[name] = united.counts.get(name, 0) + number
    united.collected = len(united.outcomes)


def _is_collector(part: _Part, nodeid: str) -> bool:
    """Whether this is a file or class that could not be collected: no test, and so in every shard."""
    result = part.result
    return result.shard is not None and result.outcomes[nodeid] == "error" and nodeid not in result.durations


def _twice(nodeid: str, label: str, one: _Part, other: _Part) -> ConfigurationError:
    hint = "name the files of one run only"
    first, second = one.result.shard, other.result.shard
    if first is not None and second is not None and first.index != second.index:
        hint = "all shards need the same tests and the same recorded durations, or none"
    return ConfigurationError(f"{nodeid} on {label} is in both {one.job.name} and {other.job.name}", hint)


def _add_problem(result: ImageResult, problem: str) -> bool:
    """Make an image an error, or more of one; return whether there is a problem at all."""
    if problem:
        result.problem = " · ".join(told for told in (result.problem, problem) if told)
        result.incomplete = True
        result.count("", "error")
    return bool(problem)


def _missing(parts: Sequence[_Part]) -> str:
    """Return what is missing of an image's tests; empty if nothing is, or it has no shards."""
    shards = [part.result.shard for part in parts if part.result.shard is not None]
    if not shards:
        return ""
    numbers = sorted({shard.of for shard in shards})
    if len(numbers) > 1:
        return f"shards of {' and of '.join(map(str, numbers))} are not of one run"
    of = numbers[0]
    there = {shard.index for shard in shards}
    known = [shard for shard in shards if shard.collected is not None]
    collected = max((shard.collected or 0 for shard in known), default=0)
    tests = sum(shard.tests for shard in shards)
    if len(there) < of:
        names = [f"{index}/{of}" for index in range(1, of + 1) if index not in there]
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        verb = "is" if len(names) == 1 else "are"
        return f"shard {', '.join(names[:_SHOWN])}{more} {verb} missing: {tests} of {collected} tests are here"
    return _incomplete(parts, known, collected=collected, tests=tests)


def _incomplete(parts: Sequence[_Part], known: Sequence[Shard], *, collected: int, tests: int) -> str:
    """Return what is wrong with shards that are all there."""
    if len({(shard.collected, shard.digest) for shard in known}) > 1:
        numbers = sorted({shard.collected or 0 for shard in known})
        told = f"{' and '.join(map(str, numbers))} tests" if len(numbers) > 1 else f"{collected} tests, not the same"
        return f"the shards were not made of the same tests ({told})"
    if len({shard.durations for shard in known}) > 1:
        return "the shards were made by different recorded durations: give all jobs the same pytest cache, or none"
    for part in parts:
        shard = part.result.shard
        if shard is not None and shard.collected is None:  # its own problem says why, if it came so far
            return "" if part.result.problem else f"shard {shard.index}/{shard.of} never collected its tests"
    with_result = sum(
        not _is_collector(part, nodeid)
        for part in parts
        if part.result.shard is not None
        for nodeid in part.result.outcomes
    )
    lacking = max(collected - tests, collected - with_result)
    return f"{lacking} of {collected} tests {'has' if lacking == 1 else 'have'} no result" if lacking > 0 else ""


def _miss_tests(results: Mapping[str, ImageResult], jobs: Sequence[JobReport]) -> None:
    """Make an error of an image without tests where others have some, if its own job was red for that."""
    most = max(results.values(), key=lambda result: result.found)
    red = {label for job in jobs if job.exit_status == _NO_TESTS for label in job.results}
    for label, result in results.items():
        if label in red and result.exit_status == _NO_TESTS and not result.problem and most.found:
            result.problem = describe_missing_tests(result, most)
            result.count("", "error")
