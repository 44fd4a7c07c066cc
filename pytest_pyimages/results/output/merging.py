"""Merge the reports of several jobs, as if one session had run all tests.

The same image in several files becomes one with the tests of all: shards, or parts that the user has selected. A
missing shard is an error of its image, whatever the other shards are: a merge passes only if all tests have run.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import pytest

from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.immutable import Immutable
from pytest_pyimages.matrix import ImageTag
from pytest_pyimages.results.outcome import (
    COUNTED,
    TOO_MANY_WARNINGS,
    Failure,
    ImageResult,
    Shard,
    fold_exit_statuses,
    pick_worst_status,
)
from pytest_pyimages.results.output.json_reading import LISTS, JobReport
from pytest_pyimages.results.problems import describe_missing_tests
from pytest_pyimages.results.warning_places import count_limited, count_messages, unite_places

_SHOWN = 5  # missing shards that are named


class Merged(Immutable):
    """The merged jobs."""

    results: Mapping[str, ImageResult]
    exit_status: int
    started: float  # seconds since the epoch: of the first job
    ended: float  # of the last
    session: Mapping[str, str]  # empty if no job has one; texts that are not the same in all of them are empty
    lists: Mapping[str, Mapping[str, list[Mapping[str, str]]]]  # by label: those of the report's images that have some
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Part:
    """One job's share of an image."""

    job: JobReport
    result: ImageResult


def merge_reports(jobs: Sequence[JobReport], *, expected: Sequence[ImageTag] = ()) -> Merged:
    """Merge jobs, at least one unless images are expected.

    :param expected: images each of which must be in a report; without one it is an error, even if it may fail.
    :raises ConfigurationError: if a test is in several files, or a label means different images.
    """
    notes: list[str] = []
    different = list(_drop_duplicates(jobs, notes))
    parts: dict[str, list[_Part]] = {tag.label: [] for tag in expected}
    for job in different:
        for label, result in job.results.items():
            parts.setdefault(label, []).append(_Part(job, result))
    lost = {tag.label: _make_lost(tag) for tag in expected if not parts[tag.label]}
    results, incomplete = {}, bool(lost)
    for label, ones in parts.items():
        if label in lost:
            results[label] = lost[label]
            continue
        results[label] = _unite(label, ones, notes)
        missing = _describe_missing(ones)
        if missing:
            results[label], incomplete = results[label].add_problem(missing, incomplete=True), True
    results = _fail_images_without_tests(results, different)
    statuses = [fold_exit_statuses(results), *(job.exit_status for job in different if not _is_explained(job))]
    if incomplete or (_fails(results) and pick_worst_status(statuses) == pytest.ExitCode.OK):
        statuses.append(int(pytest.ExitCode.TESTS_FAILED))
    return Merged(
        results=results,
        exit_status=pick_worst_status(statuses),
        started=min((job.started for job in different), default=time.time()),
        ended=max((job.started + job.seconds for job in different), default=time.time()),
        session=_unite_sessions([job.session for job in different]),
        lists={label: dict(_unite_lists(label, different)) for label in results},
        notes=(*notes, *_unite_notes(different)),
    )


def _unite_notes(jobs: Sequence[JobReport]) -> Iterator[str]:
    """Yield each note of the jobs once, with the shards that have it unless all do: it may count a shard's tests."""
    groups: dict[str, list[JobReport]] = {}
    for job in jobs:
        for note in job.notes:
            groups.setdefault(note, []).append(job)
    for note, ones in groups.items():
        known = [result.shard for job in ones for result in job.results.values() if result.shard is not None]
        shards = dict.fromkeys(str(shard) for shard in known if shard.of > 1)
        yield f"shard {', '.join(shards)}: {note}" if shards and len(ones) < len(jobs) else note


def _unite_lists(label: str, jobs: Sequence[JobReport]) -> Iterator[tuple[str, list[Mapping[str, str]]]]:
    """Yield the lists of one image; what several jobs have is in them once."""
    for name, (key, *_) in LISTS.items():
        lists = [job.lists[label][name] for job in jobs if name in job.lists.get(label, {})]
        if lists:
            yield name, list({entry[key]: entry for entries in reversed(lists) for entry in entries}.values())


def _unite_sessions(sessions: Sequence[Mapping[str, str]]) -> dict[str, str]:
    first = sessions[0] if sessions else {}
    return {
        name: text if all(session.get(name) == text for session in sessions) else "" for name, text in first.items()
    }


def _make_lost(tag: ImageTag) -> ImageResult:
    """Return the result of an image that no report has: its job was lost or cancelled, or wrote no report."""
    image = ImageResult(label=tag.label, reference=tag.reference, allowed_to_fail=tag.allowed_to_fail)
    return image.add_problem("no report of this image was found", incomplete=True)


_NO_TESTS = int(pytest.ExitCode.NO_TESTS_COLLECTED)


def _is_explained(job: JobReport) -> bool:
    """Return whether a job's exit status depends on what the other jobs have.

    It only means that the job had no tests, tested no image that is allowed to fail, or had too many warnings, which
    pytest does not count if a test fails.
    """
    is_untested = all(result.allowed_to_fail and not result.was_tested for result in job.results.values())
    is_dependent = is_untested or job.exit_status == TOO_MANY_WARNINGS
    return job.exit_status == _NO_TESTS or (is_dependent and job.exit_status == fold_exit_statuses(job.results))


def _drop_duplicates(jobs: Sequence[JobReport], notes: list[str]) -> Iterator[JobReport]:
    seen: dict[str, str] = {}
    for job in jobs:
        if job.digest in seen:
            first = seen[job.digest]
            reason = "was named twice" if job.name == first else f"has the same content as {first}"
            notes.append(f"{job.name} {reason}; it is counted once")
        else:
            seen[job.digest] = job.name
            yield job


def _fails(results: Mapping[str, ImageResult]) -> bool:
    return any(
        result.counts["failed"] or result.counts["error"] for result in results.values() if not result.allowed_to_fail
    )


def _unite(label: str, parts: list[_Part], notes: list[str]) -> ImageResult:
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
    places = unite_places(result.warning_places for result in results)
    limits = [result.max_warnings for result in results if result.max_warnings is not None]
    united = ImageResult(
        label=label,
        reference=first.result.reference,
        allowed_to_fail=all(result.allowed_to_fail for result in results),
        same_as=first.result.same_as if len({result.same_as for result in results}) == 1 else "",
        engine=", ".join(dict.fromkeys(result.engine for result in results if result.engine)),
        smoke=any(result.smoke for result in results),
        digest=next(iter(digests), ""),
        python=next((result.python for result in results if result.python), ""),
        implementation=next((result.implementation for result in results if result.implementation), ""),
        cached=all(result.cached for result in results),
        build_seconds=max(result.build_seconds for result in results),
        run_seconds=max(result.run_seconds for result in results),
        exit_status=_unite_statuses(results),
        problem=_join_texts(results, "problem"),
        stopped=_join_texts(results, "stopped"),
        hint=_join_texts(results, "hint"),
        deselected=_unite_deselected(results),
        ended=all(result.ended for result in results),
        usage_error=all(result.usage_error for result in results),
        warnings=count_messages(places),
        warning_places=places,
        max_warnings=min(limits, default=None),
    )
    return _add_tests(_add_counts(united, results), parts)


def _unite_statuses(results: Sequence[ImageResult]) -> int | None:
    """Return the worst exit status of an image's parts; None if a part has none."""
    statuses = [result.counted_status for result in results if result.counted_status is not None]
    if len(statuses) < len(results):
        return None
    worst = pick_worst_status(status for status in statuses if status != TOO_MANY_WARNINGS)
    is_well = worst in (pytest.ExitCode.OK, _NO_TESTS)  # else pytest does not count warnings
    return TOO_MANY_WARNINGS if is_well and TOO_MANY_WARNINGS in statuses else worst


def _unite_deselected(results: Sequence[ImageResult]) -> int:
    """Return how many tests no part was to run: all shards leave out the same; of other parts that is not known."""
    is_known = len(results) == 1 or all(result.shard is not None for result in results)
    return max(result.deselected for result in results) if is_known else 0


def _join_texts(results: Sequence[ImageResult], name: str) -> str:
    """Return each text that the parts have in a field once, with the shards that have it unless all do."""
    groups: dict[str, list[ImageResult]] = {}
    for result in results:
        groups.setdefault(getattr(result, name), []).append(result)
    texts = []
    for text, ones in groups.items():
        shards = [str(one.shard) for one in ones if one.shard is not None]
        if text:
            texts.append(f"shard {', '.join(shards)}: {text}" if shards and len(ones) < len(results) else text)
    return " · ".join(texts)


def _add_counts(united: ImageResult, results: Sequence[ImageResult]) -> ImageResult:
    """Add up the counts; entries that are not tests, such as collection errors, are in every shard and count once."""
    counts, not_tests = dict.fromkeys(COUNTED, 0), dict[str, int]()
    for result in results:
        for name, number in result.counts.items():
            counts[name] = counts.get(name, 0) + number - min(result.not_tests.get(name, 0), number)
        for name, number in result.not_tests.items():
            not_tests[name] = max(number, not_tests.get(name, 0))
    for name, number in not_tests.items():
        counts[name] = counts.get(name, 0) + number
    return replace(united, counts=counts, not_tests=not_tests)


def _add_tests(united: ImageResult, parts: Sequence[_Part]) -> ImageResult:
    """Add the tests of all parts.

    :raises ConfigurationError: if two parts have the same test.
    """
    owners: dict[str, _Part] = {}
    outcomes, durations, failures = dict[str, str](), dict[str, float](), dict[str, Failure]()
    reasons, reason_places = dict[str, str](), dict[str, str]()
    for part in parts:
        for nodeid in part.result.outcomes:
            owner = owners.setdefault(nodeid, part)
            if owner is not part and not (_is_collector(owner, nodeid) and _is_collector(part, nodeid)):
                raise _make_duplicate_error(nodeid, united.label, owner, part)
        outcomes.update(part.result.outcomes)
        durations.update(part.result.durations)
        failures.update(part.result.failures)
        reasons.update(part.result.reasons)
        reason_places.update(part.result.reason_places)
    united = replace(united, outcomes=outcomes, durations=durations, failures=failures, collected=len(outcomes))
    return _limit_warnings(replace(united, reasons=reasons, reason_places=reason_places))


def _limit_warnings(united: ImageResult) -> ImageResult:
    """Compare the warnings of all parts with --max-warnings, as pytest does if all tests have passed."""
    limit, has_passed = united.max_warnings, united.counted_status == pytest.ExitCode.OK
    is_too_much = limit is not None and count_limited(united.warning_places) > limit
    return replace(united, exit_status=TOO_MANY_WARNINGS) if has_passed and is_too_much else united


def _is_collector(part: _Part, nodeid: str) -> bool:
    """Return whether a node id is a file or class that was skipped or not collectable, which every shard reports."""
    result = part.result
    is_no_test = result.outcomes[nodeid] in ("error", "skipped") and nodeid not in result.durations
    return result.shard is not None and is_no_test


def _make_duplicate_error(nodeid: str, label: str, one: _Part, other: _Part) -> ConfigurationError:
    hint = "merge the files of a single run"
    first, second = one.result.shard, other.result.shard
    if first is not None and second is not None and first.index != second.index:
        hint = "all shards must have the same tests, and the same recorded durations or none"
    return ConfigurationError(f"{nodeid} on {label} is in both {one.job.name} and {other.job.name}", hint)


def _describe_missing(parts: Sequence[_Part]) -> str:
    """Return one line on the missing tests of an image; empty if none are missing or it has no shards."""
    shards = [part.result.shard for part in parts if part.result.shard is not None]
    if not shards:
        return ""
    numbers = sorted({shard.of for shard in shards})
    if len(numbers) > 1:
        return f"shards of {' and of '.join(map(str, numbers))} are from different runs"
    of = numbers[0]
    there = {shard.index for shard in shards}
    known = [shard for shard in shards if shard.collected is not None]
    collected = max((shard.collected or 0 for shard in known), default=0)
    tests = sum(shard.tests for shard in shards)
    if len(there) < of:
        names = [f"{index}/{of}" for index in range(1, of + 1) if index not in there]
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        verb = "is" if len(names) == 1 else "are"
        return f"shard {', '.join(names[:_SHOWN])}{more} {verb} missing: found {tests} of {collected} tests"
    return _describe_incomplete(parts, known, collected=collected, tests=tests)


def _describe_incomplete(parts: Sequence[_Part], known: Sequence[Shard], *, collected: int, tests: int) -> str:
    """Return the problem of shards none of which is missing; empty if they are complete."""
    if len({(shard.collected, shard.digest) for shard in known}) > 1:
        numbers = sorted({shard.collected or 0 for shard in known})
        tests_in_words = f"{' and '.join(map(str, numbers))} tests" if len(numbers) > 1 else f"{collected} tests each"
        return f"the shards were made from different tests ({tests_in_words})"
    if len({shard.durations for shard in known}) > 1:
        return "the shards were made with different recorded durations: use the same pytest cache in all jobs, or none"
    for part in parts:
        shard = part.result.shard
        if shard is not None and shard.collected is None:  # its own problem is the reason, if it has one
            return "" if part.result.problem else f"shard {shard} never collected its tests"
    with_result = sum(
        not _is_collector(part, nodeid)
        for part in parts
        if part.result.shard is not None
        for nodeid in part.result.outcomes
    )
    lacking = max(collected - tests, collected - with_result)
    return f"{lacking} of {collected} tests {'has' if lacking == 1 else 'have'} no result" if lacking > 0 else ""


def _fail_images_without_tests(results: Mapping[str, ImageResult], jobs: Sequence[JobReport]) -> dict[str, ImageResult]:
    """Add an error to images without tests if others have some, and their own job failed for that reason."""
    largest = max(results.values(), key=lambda result: result.found)
    failed = {label for job in jobs if job.exit_status == _NO_TESTS for label in job.results}
    return {
        label: result.add_problem(describe_missing_tests(result, largest))
        if label in failed and result.exit_status == _NO_TESTS and not result.problem and largest.found
        else result
        for label, result in results.items()
    }
