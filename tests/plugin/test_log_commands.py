"""A suite's output does not reach the log of a CI service as a command."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.plugin.conftest import PYIMAGES, ImagesRun, run_command

Run = Callable[..., ImagesRun]


@pytest.mark.parametrize("arguments", [(), ("-s",), ("-s", "-v")], ids=["captured", "-s", "-s -v"])
@pytest.mark.parametrize("images", ["3.12", "3.12,3.13"])
def test_github_runs_only_our_commands(
    pytester: pytest.Pytester, run_images: Run, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], images: str
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    pytester.makeconftest(
        """
        def pytest_terminal_summary(terminalreporter):
            terminalreporter.write_line("::error::summary")
        """
    )
    pytester.makepyfile(
        """
        import sys, warnings
        class Odd(Exception): pass
        def test_1():
            print("::error::printed")
            print("  ::stop-commands::token", file=sys.stderr)
            sys.stdout.write(":"); sys.stdout.flush()
            sys.stdout.write(":error::in pieces")
            print("##[error]old style")
            warnings.warn("one ##[error]old style\\n::error::warned")
            raise Odd("two\\n::error::raised")
        """
    )
    run = run_images(*arguments, images=images)
    merged = run_command(PYIMAGES, "merge", "report.json")
    for result, texts in (
        (run.result, ("printed", "in pieces", "warned", "raised", "summary")),
        (merged, ("warned",)),
    ):
        assert result.ret == 1
        commands = [line for line in result.stdout.lines if line.lstrip().startswith("::")]
        assert commands
        assert all(line.startswith("::error file=") for line in commands), commands
        assert "##[" not in result.stdout.str()
        for text in texts:
            assert text in result.stdout.str(), "nothing is left out"
