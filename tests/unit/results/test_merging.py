"""Merged reports of several jobs, which never pass with missing tests."""

from __future__ import annotations

import copy
import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.results.outcome import Failure, ImageResult, Shard, fold_exit_statuses
from pytest_pyimages.results.output.json_reading import JobReport, read_report
from pytest_pyimages.results.output.json_report import make_document
from pytest_pyimages.results.output.merging import Merged, merge_reports
from pytest_pyimages.results.replay.image_run import ImageRun
from pytest_pyimages.results.warning_places import WarningPlace
from tests.support.results import make_run

DIGEST, DURATIONS = "d" * 64, "e" * 64
Outcomes = dict[str, str]


def begin(label: str = "3.12", shard: Shard | None = None) -> ImageRun:
    """Return an image without tests."""
    fields = {"digest": f"sha256:{label}", "python": f"{label}.1", "cached": True, "run_seconds": 2.5}
    return make_run(label, ended=True, shard=shard, **fields)


def image(label: str = "3.12", *, shard: Shard | None = None, **outcomes: str) -> ImageResult:
    """Return an image whose tests are those of a file ``t.py``."""
    made = begin(label, shard)
    for name, outcome in outcomes.items():
        made.count(f"t.py::{name}", outcome)
        made.durations[f"t.py::{name}"] = 0.25
        if outcome == "failed":
            made.failures[f"t.py::{name}"] = Failure(phase="call", message="why", text="E   why", line=3)
    return replace(made.result, exit_status=1 if made.counts["failed"] else 0 if outcomes or shard else 5)


def shard(index: int, of: int = 3, tests: int = 2, *, collected: int = 6, **other: str) -> Shard:
    values = {"digest": DIGEST, "durations": DURATIONS, **other}
    return Shard(index=index, of=of, tests=tests, collected=collected, **values)


def document(*images: ImageResult, status: int | None = None, started: float = 100.0) -> dict[str, Any]:
    results = {one.label: one for one in images}
    code = fold_exit_statuses(results) if status is None else status
    return make_document(results, exit_status=code, started=started, ended=started + 5.0)


def jobs(folder: Path, *documents: dict[str, Any]) -> list[JobReport]:
    found = []
    for number, one in enumerate(documents, start=1):
        path = folder / f"{number}.json"
        path.write_text(json.dumps(one))
        found.append(read_report(path))
    return found


def of(folder: Path, *documents: dict[str, Any]) -> Merged:
    return merge_reports(jobs(folder, *documents))


def as_one(whole: Merged) -> dict[str, Any]:
    return make_document(whole.results, exit_status=whole.exit_status, started=whole.started, ended=whole.ended)


def shards(**changes: ImageResult) -> list[dict[str, Any]]:
    """Return three shards of two tests each, of which the second has a failure."""
    images = {
        "one": image(shard=shard(1), a="passed", b="skipped"),
        "two": image(shard=shard(2), c="failed", d="passed"),
        "three": image(shard=shard(3), e="passed", f="xfailed"),
    }
    return [document(one) for one in {**images, **changes}.values()]


@pytest.mark.parametrize("seed", range(50))
def test_reading_inverts_writing(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    images = []
    for label in ("3.12", "3.14-slim", "3.15-rc")[: chance.randint(1, 3)]:
        one = begin(label)
        for number in range(9):
            one.count(f"t.py::{number}", chance.choice(["passed", "failed", "skipped", "error", "odd"]))
        allowed, problem = chance.random() < 0.3, chance.choice(["", "worker died of SIGSEGV in t.py::test_1"])
        ended = bool(problem) or chance.random() < 0.7
        one.outcomes["t.py::0"] = "not run"
        one.durations["t.py::0"] = 0.25
        one.failures["t.py::0"] = Failure(phase="setup", message="why", text="E   why", sections=(("out", "a\tb"),))
        images.append(
            replace(
                one.result,
                allowed_to_fail=allowed,
                collected=9,
                problem=problem,
                engine=chance.choice(["", "ssh://b"]),
                ended=ended,
                deselected=chance.randint(0, 2),
                stopped=chance.choice(["", "stopping after 1 failures"]),
                max_warnings=chance.choice([None, -1, 0, 7]),
                warnings={"UserWarning: a b": 3},
                warning_places={WarningPlace("UserWarning", "a\nb", "runtest", "t.py", 3): {"t.py::1": 2, "": 1}},
                reason_places={"t.py::1": "t.py:7"},
                exit_status=chance.choice([0, 1, 2, 3, 4, 5, 42]) if ended else None,
                shard=chance.choice([None, shard(2), Shard(index=1, of=1)]),
            )
        )
    written = document(*images)
    results = jobs(tmp_path, written)[0].results
    assert make_document(results, exit_status=written["exit_status"], started=100.0, ended=105.0) == written


def test_the_engines_of_all_shards_are_named(tmp_path: Path) -> None:
    parts = shards(
        one=replace(image(shard=shard(1), a="passed", b="skipped"), engine="ssh://b"),
        three=replace(image(shard=shard(3), e="passed", f="xfailed"), engine="default"),
    )
    assert of(tmp_path, *parts).results["3.12"].engine == "ssh://b, default"


def test_different_images_are_kept_apart(tmp_path: Path) -> None:
    first, second = image("3.12", a="passed", b="passed"), image("3.14", a="passed", b="failed")
    whole = of(tmp_path, document(first), document(second, started=103.0))
    assert as_one(whole) == {**document(first, second), "seconds": 8.0, "exit_status": 1}
    assert [test["differs"] for test in as_one(whole)["tests"]] == [False, True]


def test_shards_become_one_image(tmp_path: Path) -> None:
    """In the order of their numbers, whatever the order of the files is; the longest of their times counts."""
    parts = shards()
    parts[2]["images"][0]["run_seconds"] = 7.0
    whole = of(tmp_path, *reversed(parts))
    expected = image(a="passed", b="skipped", c="failed", d="passed", e="passed", f="xfailed")
    assert as_one(whole) == document(replace(expected, run_seconds=7.0))
    assert whole.results["3.12"].shard is None


def test_collectors_are_counted_once(tmp_path: Path) -> None:
    """Files that are skipped, or cannot be collected, are so in every shard."""
    found = []
    for index in (1, 2):
        one = begin(shard=shard(index, 2, tests=1, collected=2))
        one.count(f"t.py::{index}", "passed")
        one.count_no_test("", "skipped")
        one.count_no_test("broken.py", "error")
        found.append(document(replace(one.result, exit_status=1)))
    whole = of(tmp_path, *found)
    counts = whole.results["3.12"].counts
    assert (counts["passed"], counts["skipped"], counts["error"]) == (2, 1, 1)
    assert (whole.exit_status, whole.results["3.12"].problem) == (1, "")


def without(number: int) -> list[dict[str, Any]]:
    found = shards(two=image(shard=shard(2), c="passed", d="passed"))
    del found[number]
    return found


def changed(number: int, **fields: Any) -> list[dict[str, Any]]:
    found = shards(two=image(shard=shard(2), c="passed", d="passed"))
    found[number]["images"][0]["shard"].update(fields)
    return found


def test_complete_shards_pass(tmp_path: Path) -> None:
    whole = of(tmp_path, *shards(two=image(shard=shard(2), c="passed", d="passed")))
    assert (whole.exit_status, whole.results["3.12"].outcome) == (0, "passed")


def test_missing_result_is_an_error(tmp_path: Path) -> None:
    found = shards(two=image(shard=shard(2), c="passed", d="passed"))
    del found[2]["tests"][0]
    whole = of(tmp_path, *found)
    assert (whole.exit_status, whole.results["3.12"].problem) == (1, "1 of 6 tests has no result")


@pytest.mark.parametrize(
    ("documents", "problem"),
    [
        (without(1), "shard 2/3 is missing: found 4 of 6 tests"),
        (without(0)[1:], "shard 1/3, 2/3 are missing: found 2 of 6 tests"),
        (changed(1, of=4), "shards of 3 and of 4 are from different runs"),
        (changed(1, collected=7), "the shards were made from different tests (6 and 7 tests)"),
        (changed(1, digest="f" * 64), "the shards were made from different tests (6 tests each)"),
        (changed(1, durations="f" * 64), "the shards were made with different recorded durations: use the *"),
        (changed(0, tests=1), "1 of 6 tests has no result"),
        (changed(2, collected=None, digest=""), "shard 3/3 never collected its tests"),
    ],
)
@pytest.mark.parametrize("allowed", [False, True])
def test_missing_tests_never_pass(tmp_path: Path, documents: list[dict[str, Any]], problem: str, allowed: bool) -> None:
    found = copy.deepcopy(documents)
    for one in found:
        one["images"][0]["allowed_to_fail"] = allowed
    same = {"a": "passed", "b": "skipped", "c": "passed", "d": "passed", "e": "passed", "f": "xfailed"}
    found.append(document(image("3.14", shard=None, **same)))
    whole = of(tmp_path, *found)
    result = whole.results["3.12"]
    assert (whole.exit_status, result.outcome, result.counts["error"]) == (1, "error", 1)
    assert result.problem == problem or (problem.endswith("*") and result.problem.startswith(problem[:-1]))
    written = as_one(whole)
    assert not any(test["differs"] for test in written["tests"]), "what is missing is not known to differ"


def test_missing_shards_are_not_all_named(tmp_path: Path) -> None:
    problem = of(tmp_path, document(image(shard=shard(7, 9), a="passed"))).results["3.12"].problem
    assert problem == "shard 1/9, 2/9, 3/9, 4/9, 5/9 and 3 more are missing: found 2 of 6 tests"


def test_problem_of_a_shard_names_it(tmp_path: Path) -> None:
    two = replace(image(shard=Shard(index=2, of=3)), problem="not installable: no compiler", exit_status=None)
    whole = of(tmp_path, *shards(two=two))
    assert (whole.exit_status, whole.results["3.12"].problem) == (1, "shard 2/3: not installable: no compiler")
    assert whole.results["3.12"].exit_status is None


def test_problem_of_all_shards_is_listed_once(tmp_path: Path) -> None:
    found = []
    for index in (1, 2):
        one = image(shard=Shard(index=index, of=2))
        found.append(document(replace(one, problem="no such tag", exit_status=None)))
    assert of(tmp_path, *found).results["3.12"].problem == "no such tag"


def test_test_in_two_files_is_refused(tmp_path: Path) -> None:
    one, two = document(image(a="passed", b="passed")), document(image(b="passed", c="passed"))
    with pytest.raises(ConfigurationError) as caught:
        of(tmp_path, one, two)
    told = f"t.py::b on 3.12 is in both {tmp_path}/1.json and {tmp_path}/2.json"
    assert str(caught.value) == f"{told} · merge the files of a single run"
    with pytest.raises(ConfigurationError, match="all shards must have the same tests, and the same "):
        of(tmp_path, document(image(shard=shard(1), a="passed")), document(image(shard=shard(2), a="passed")))


def test_selected_parts_become_one_image(tmp_path: Path) -> None:
    whole = of(tmp_path, document(image(a="passed")), document(image(b="failed")), document(image("3.14", b="passed")))
    assert (whole.exit_status, whole.results["3.12"].counts["passed"], whole.results["3.12"].problem) == (1, 1, "")


def test_same_file_twice_counts_once(tmp_path: Path) -> None:
    one = document(image(a="passed"))
    whole = of(tmp_path, one, one)
    assert whole.notes == (f"{tmp_path}/2.json has the same content as {tmp_path}/1.json; it is counted once",)
    assert whole.results["3.12"].counts["passed"] == 1
    (job,) = jobs(tmp_path, one)
    assert merge_reports([job, job]).notes == (f"{tmp_path}/1.json was named twice; it is counted once",)


def test_label_with_two_references_is_refused(tmp_path: Path) -> None:
    one, two = document(image(a="passed")), document(image(b="passed"))
    two["images"][0]["reference"] = "pypy:3.12"
    with pytest.raises(ConfigurationError, match=r"3\.12 is python:3\.12 in .*1\.json, and pypy:3\.12 in .*2\.json"):
        of(tmp_path, one, two)
    two["images"][0].update(reference="python:3.12", digest="sha256:other")
    (note,) = of(tmp_path, one, two).notes
    assert note.startswith("3.12: the jobs ran different images of this name (sha256:3.12, sha256:other)")


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [((0, 0), 0), ((0, 1), 1), ((1, 2), 2), ((4, 2), 4), ((0, 42), 42), ((5, 5), 5)],
)
def test_worst_exit_status_of_the_jobs(tmp_path: Path, statuses: tuple[int, int], expected: int) -> None:
    """Also where the images do not say why: a file that could not be written, for example."""
    found = []
    for number, status in enumerate(statuses):
        one = image(f"3.{number}") if status == 5 else image(f"3.{number}", a="passed")
        found.append(document(replace(one, exit_status=5 if status == 5 else 0), status=status))
    assert of(tmp_path, *found).exit_status == expected


def test_untested_image_that_may_fail_fails_only_its_own_job(tmp_path: Path) -> None:
    """It had to fail as the only image of a session, and would not have among others."""
    untested = replace(image("3.16-rc"), allowed_to_fail=True, problem="not installable", exit_status=None)
    alone = document(untested, status=1)
    assert of(tmp_path, alone).exit_status == 1
    assert of(tmp_path, alone, document(image("3.12", a="passed"))).exit_status == 0
    assert of(tmp_path, document(untested, status=2), document(image("3.12", a="passed"))).exit_status == 2


def test_image_without_tests_fails_if_others_have_some(tmp_path: Path) -> None:
    """Its own job was; in a job with others somebody has selected tests of those."""
    whole = of(tmp_path, document(image()), document(image("3.14", a="passed")))
    assert whole.results["3.12"].problem.startswith("no tests were collected, but 3.14 has 1 test ")
    assert whole.exit_status == 1
    chosen = of(tmp_path, document(image(), image("3.13", b="passed")), document(image("3.14", a="passed")))
    assert (chosen.results["3.12"].problem, chosen.exit_status) == ("", 0)


def test_failures_fail_whatever_the_job_reported(tmp_path: Path) -> None:
    one = replace(image(a="failed"), exit_status=0)
    assert of(tmp_path, document(one, status=0)).exit_status == 1
    allowed = replace(image(a="failed"), allowed_to_fail=True)
    assert of(tmp_path, document(allowed)).exit_status == 0


def broken(**fields: Any) -> bytes:
    return json.dumps({**document(image(a="passed")), **fields}).encode()


def of_image(**fields: Any) -> bytes:
    one = document(image(a="passed", shard=shard(1)))
    one["images"][0].update(fields)
    return json.dumps(one).encode()


def of_test(**fields: Any) -> bytes:
    one = document(image(a="failed"))
    one["tests"][0].update(fields)
    return json.dumps(one).encode()


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        (b"<html>", "is not JSON"),
        (b"[" * 200_000, "is not JSON"),
        (b'{"schema": ' * 200_000, "is not JSON"),
        (b'{"schema": NaN}', "is not JSON"),
        (b'{"schema": ' + b"9" * 10_000 + b"}", "is n"),
        (b"[]", "is not a JSON report of --py-images-report: the whole: wrong or missing"),
        (b"{}", "is not a JSON report of --py-images-report: schema: wrong or missing"),
        (broken(schema=2), "has schema 2, and this version reads 1 · use one version for all jobs"),
        (broken(schema=True), "report: schema: wrong"),
        (broken(started=-1), "report: started: wrong"),
        (broken(seconds="1"), "report: seconds: wrong"),
        (broken(seconds=1e300), "report: seconds: wrong"),
        (broken(images=[]), "report: tests[0].outcomes.3.12: wrong"),
        (broken(images={}), "report: images: wrong"),
        (broken(images=[1]), "report: images[0]: wrong"),
        (broken(images=document(image())["images"] * 2), "report: images: a label is used twice"),
        (broken(tests=document(image(a="passed"))["tests"] * 2), "report: tests[1].nodeid: wrong"),
        (of_image(label="3.12\x1b[2J"), "report: images[0].label: wrong"),
        (of_image(label=""), "report: images[0].label: wrong"),
        (of_image(outcome="failed"), "report: images[0].outcome: wrong"),
        (of_image(allowed_to_fail=1), "report: images[0].allowed_to_fail: wrong"),
        (of_image(counts={"passed": -1}), "report: images[0].counts.passed: wrong"),
        (of_image(counts={"a\x07": 1}), "report: images[0].counts: wrong"),
        (of_image(shard={"index": 4, "of": 3}), "report: images[0].shard.collected: wrong"),
        (of_image(shard={**document(image(shard=shard(1)))["images"][0]["shard"], "index": 4}), "shard.index: wrong"),
        (of_test(nodeid="a\nb"), "report: tests[0].nodeid: wrong"),
        (of_test(outcomes={"3.99": "passed"}), "report: tests[0].outcomes.3.99: wrong"),
        (of_test(seconds={"3.12": None}), "report: tests[0].seconds.3.12: wrong"),
        (of_test(failures={"3.12": {"phase": "call"}}), "report: tests[0].failures.3.12.sections: wrong"),
    ],
)
def test_invalid_report_is_refused_on_one_line(tmp_path: Path, data: bytes, told: str) -> None:
    path = tmp_path / "bad.json"
    path.write_bytes(data)
    with pytest.raises(ConfigurationError) as caught:
        read_report(path)
    line = str(caught.value)
    assert line.startswith(f"{path} ")
    assert told in line
    assert line.isprintable()


def test_unreadable_file(tmp_path: Path) -> None:
    for path, reason in ((tmp_path / "none.json", "No such file or directory"), (tmp_path, "Is a directory")):
        with pytest.raises(ConfigurationError) as caught:
            read_report(path)
        assert str(caught.value) == f"{path} cannot be read ({reason})"


def test_warnings_reasons_and_the_session_are_merged(tmp_path: Path) -> None:
    first, second = (
        image(a="passed", shard=shard(1, 2, 1, collected=2)),
        image(b="skipped", shard=shard(2, 2, 1, collected=2)),
    )
    documents = [
        document(replace(first, warnings={"UserWarning: x": 1})),
        document(replace(second, warnings={"UserWarning: x": 2}, reasons={"t.py::b": "no fork"}), started=200.0),
    ]
    for number, one in enumerate(documents, 1):
        one["session"] = {"project": "shop", "commit": "abc", "command": f"pytest {number}"}
    merged = merge_reports(jobs(tmp_path, *documents))
    assert dict(merged.results["3.12"].warnings) == {"UserWarning: x": 3}, "of reports without places"
    assert dict(merged.results["3.12"].reasons) == {"t.py::b": "no fork"}
    assert merged.session == {"project": "shop", "commit": "abc", "command": ""}


def test_what_the_jobs_say_is_merged(tmp_path: Path) -> None:
    first, second = (
        replace(image(**{name: "skipped"}, shard=shard(index, 2, 1, collected=2)), hint="add six", deselected=3)
        for index, name in enumerate("ab", 1)
    )
    first = replace(first, stopped="stopping after 1 failures", reason_places={"t.py::a": "t.py:7"})
    documents = [document(first), document(second)]
    documents[0]["notes"], documents[1]["notes"] = ["both", "the first"], ["both"]
    merged = of(tmp_path, *documents)
    result = merged.results["3.12"]
    assert (result.hint, result.stopped) == ("add six", "shard 1/2: stopping after 1 failures")
    assert (result.deselected, dict(result.reason_places)) == (3, {"t.py::a": "t.py:7"})
    assert merged.notes == ("both", "shard 1/2: the first")


def test_deselected_tests_of_parts_that_are_no_shards_are_not_known(tmp_path: Path) -> None:
    parts = [document(replace(one, deselected=1)) for one in (image(a="passed"), image(b="passed"))]
    assert of(tmp_path, parts[0]).results["3.12"].deselected == 1
    assert of(tmp_path, *parts).results["3.12"].deselected == 0


@pytest.mark.parametrize(
    ("statuses", "merged"),
    [((6, 0), 6), ((6, 6), 6), ((6, 1), 1), ((1, 6), 1), ((6, 2), 2), ((0, 0), 0)],
)
def test_too_many_warnings_count_if_no_test_fails(tmp_path: Path, statuses: tuple[int, int], merged: int) -> None:
    outcomes = ["failed" if status == 1 else "passed" for status in statuses]
    images = image(a=outcomes[0]), image(b=outcomes[1])
    parts = [replace(one, exit_status=status) for one, status in zip(images, statuses, strict=True)]
    found = of(tmp_path, *map(document, parts))
    assert (found.results["3.12"].exit_status, found.exit_status) == (merged, merged)


@pytest.mark.parametrize("count", [0, 3, 1 << 40, "many"])
def test_wrong_numbers_of_warnings_are_refused(tmp_path: Path, count: object) -> None:
    one = document(image(a="passed"))
    place = {"category": "UserWarning", "text": "x", "when": "runtest", "path": "t.py", "line": 1}
    one["images"][0]["warning_places"] = [{**place, "count": count, "tests": {"t.py::a": 4}}]
    with pytest.raises(ConfigurationError, match=r"warning_places\[0\]"):
        jobs(tmp_path, one)


def test_changed_files_and_services_are_merged(tmp_path: Path) -> None:
    documents = shards()
    service = {"name": "db", "image": "postgres:17", "digest": "sha256:1"}
    for one, name in zip(documents, ("a.txt", "b.txt", "a.txt"), strict=True):
        one["images"][0] |= {"changed_files": [{"path": name, "change": "new"}], "services": [service]}
    lists = of(tmp_path, *documents).lists["3.12"]
    assert sorted(entry["path"] for entry in lists["changed_files"]) == ["a.txt", "b.txt"]
    assert lists["services"] == [service]
    assert of(tmp_path, *shards()).lists == {"3.12": {}}


@pytest.mark.parametrize("seed", range(300))
def test_any_change_is_read_or_refused(tmp_path: Path, seed: int) -> None:
    """One value of a report replaced by something else: no other error comes of it, and the document stays one."""
    chance = random.Random(seed)
    whole = document(image(a="failed", b="passed", shard=shard(1)), image("3.14", a="passed"))
    node: Any = whole
    while True:
        key = chance.choice(list(node) if isinstance(node, dict) else range(len(node)))
        if not isinstance(node[key], dict | list) or not node[key] or chance.random() < 0.2:
            break
        node = node[key]
    node[key] = chance.choice(
        [None, True, -1, 0, 1.5, 10**400, "", "\x1b]0;x\x07", "\ud800", [], {}, [[]], {"3.12": 1}]
    )
    path = tmp_path / "changed.json"
    path.write_text(json.dumps(whole))
    try:
        told = as_one(merge_reports([read_report(path)]))
    except ConfigurationError as error:
        told = {"refused": str(error)}
    assert json.loads(json.dumps(told))
    refusal = told.get("refused", str(path))
    assert refusal.startswith(str(path))
    assert refusal.isprintable()
