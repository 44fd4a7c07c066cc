"""The commands that run a program by an image's Python, with and without a shell."""

from __future__ import annotations

import pytest

from pytest_pyimages.containers.probe import explain_refusal
from pytest_pyimages.containers.source_programs import try_commands
from pytest_pyimages.errors import EngineError

MESSAGES = (
    'starting container process caused: exec: "{}": executable file not found in $PATH: unknown',
    "crun: executable file `{}` not found in $PATH: No such file or directory: OCI runtime attempted to invoke it",
)


@pytest.mark.parametrize("text", MESSAGES)
@pytest.mark.parametrize("present", ["sh", "python", "pypy3"])
def test_python_is_tried_directly_where_there_is_no_shell(text: str, present: str) -> None:
    def run(command: tuple[str, ...]) -> str:
        if command[0] != present:
            raise EngineError(text.format(command[0]))
        return command[-1]

    assert try_commands("pass", run) == "pass"


@pytest.mark.parametrize("text", MESSAGES)
def test_a_missing_program_is_no_reason_to_copy_the_source(text: str) -> None:
    assert explain_refusal(EngineError(text.format("sh"))) is None


def test_an_image_without_any_of_them_has_no_python() -> None:
    def run(command: tuple[str, ...]) -> None:
        raise EngineError(MESSAGES[0].format(command[0]))

    with pytest.raises(EngineError, match="the image has no Python · choose an image that has one"):
        try_commands("pass", run)


def test_another_error_is_not_hidden_by_a_second_attempt() -> None:
    tried = []

    def run(command: tuple[str, ...]) -> None:
        tried.append(command[0])
        raise EngineError("no space left on device")

    with pytest.raises(EngineError, match="no space left"):
        try_commands("pass", run)
    assert tried == ["sh"]
