"""Programs that an image lacks at run time."""

from __future__ import annotations

import pytest

from pytest_pyimages.results.missing_programs import MissingPrograms
from tests.support.golden import message

TRACEBACK = """\
/usr/local/lib/python3.12/subprocess.py:1953: in _execute_child
    raise child_exception_type(errno_num, err_msg, err_filename)
E   FileNotFoundError: [Errno 2] No such file or directory: '{name}'
"""


def find(*failures: tuple[str, str]) -> tuple[str, ...]:
    programs = MissingPrograms()
    for label, text in failures:
        programs.record_failure(label, text)
    return tuple(programs.list_notes(["3.12", "3.12-slim", "3.12-alpine"]))


def test_tests_without_a_program_are_counted() -> None:
    git = TRACEBACK.format(name="git")
    slim, alpine = ("3.12-slim", "3.12-alpine")
    note = message("results", "no-program", labels=f"{slim}, {alpine}", tests="2 tests", program="git", package="git")
    assert find((slim, git), (slim, git + git), (alpine, git), (alpine, git)) == (note,)


def test_the_package_of_a_program_may_have_another_name() -> None:
    note = message("results", "no-program", labels="3.12", tests="1 test", program="hg", package="mercurial")
    assert find(("3.12", TRACEBACK.format(name="hg"))) == (note,)


def test_a_short_traceback_is_enough() -> None:
    crash = ("/lib/subprocess.py", 1953, "FileNotFoundError: [Errno 2] No such file or directory: 'git'")
    assert len(find(("3.12", f"\n{crash}"))) == 1


@pytest.mark.parametrize(
    "text",
    [
        TRACEBACK.format(name="/src/tool"),
        "a.py:1: in test\nE   FileNotFoundError: [Errno 2] No such file or directory: 'config'",
    ],
    ids=["a path", "a file to open"],
)
def test_other_files_are_no_programs(text: str) -> None:
    assert find(("3.12", text)) == ()
