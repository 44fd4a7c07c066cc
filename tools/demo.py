"""``python -m tools.demo``: the main job on examples/, seen as it is, and checked: 0 if all came out as expected.

One of the examples fails on purpose, so its own exit status says nothing; what is expected of each stands below, and
is compared with the file that ``--py-images-report`` writes.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "examples"
IMAGES = ("3.12", "3.14-slim")
NO_REPORT: Mapping[str, Any] = {"images": [], "tests": []}


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A project below examples/, how it is called, and what must come of it."""

    name: str
    arguments: tuple[str, ...] = ()
    exit_status: int = 0
    counts: Mapping[str, Mapping[str, int]]  # by image, of those that are not 0
    differences: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # by node id, an outcome for each image


EXAMPLES = (
    Example(
        name="shop",
        arguments=("--currency=USD",),  # an option that the suite's own conftest defines
        counts={label: {"passed": 18} for label in IMAGES},
    ),
    Example(
        name="inventory",
        counts={label: {"passed": 8, "skipped": 1, "xfailed": 1} for label in IMAGES},
    ),
    Example(
        name="calendar_cli",
        exit_status=1,
        counts={"3.12": {"passed": 7, "skipped": 1}, "3.14-slim": {"passed": 6, "failed": 2}},
        differences={
            "tests/test_calendar.py::test_reminders_come_in_order": ("passed", "failed"),
            "tests/test_calendar.py::test_an_invitation_says_when": ("passed", "failed"),
            "tests/test_calendar.py::test_the_day_can_be_read_alone": ("skipped", "passed"),
        },
    ),
)


def unexpected(example: Example, exit_status: int, report: Mapping[str, Any]) -> list[str]:
    """Return a line for each thing that is not as it must be.

    :param report: what --py-images-report wrote, schema 1.
    """
    found = []
    if exit_status != example.exit_status:
        found.append(f"exit status {exit_status}, not {example.exit_status}")
    images = {image["label"]: image for image in report["images"]}
    for label in IMAGES:
        if label not in images:
            found.append(f"no result of {label}")
            continue
        counts = {name: count for name, count in images[label]["counts"].items() if count}
        if images[label]["problem"] or counts != example.counts[label]:
            found.append(f"{label}: {images[label]['problem'] or counts}, not {dict(example.counts[label])}")
    outcomes = {test["nodeid"]: tuple(test["outcomes"].get(label, "") for label in IMAGES) for test in report["tests"]}
    differences = {nodeid: each for nodeid, each in outcomes.items() if len(set(each)) > 1}
    if differences != example.differences:
        found.append(f"differences {differences}, not {dict(example.differences)}")
    return found


def run(example: Example, report_file: Path) -> list[str]:
    """Run one example on the terminal; return what is not as it must be."""
    command = ["pytest", f"--py-images={','.join(IMAGES)}", *example.arguments, f"--py-images-report={report_file}"]
    sys.stdout.write(f"\n$ cd {FOLDER.name}/{example.name} && {shlex.join(command)}\n")
    sys.stdout.flush()
    program = Path(sys.executable).with_name("pytest")  # that of this environment, whatever PATH says
    status = subprocess.run([str(program), *command[1:]], cwd=FOLDER / example.name).returncode
    report = json.loads(report_file.read_text()) if report_file.exists() else NO_REPORT
    return unexpected(example, status, report)


def main() -> int:
    """Run the examples one after the other."""
    wrong = []
    with tempfile.TemporaryDirectory(prefix="pyimages-demo-") as folder:
        for example in EXAMPLES:
            wrong += [f"{example.name}: {line}" for line in run(example, Path(folder) / f"{example.name}.json")]
    sys.stdout.write("\n")
    if wrong:
        sys.stdout.writelines(f"demo: NOT as expected: {line}\n" for line in wrong)
        return 1
    meant = [f"{len(example.differences)} in {example.name}" for example in EXAMPLES if example.differences]
    sys.stdout.write(
        f"demo: {len(EXAMPLES)} examples on {' and '.join(IMAGES)}, all as expected"
        f" (tests that differ on purpose: {', '.join(meant)})\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
