"""A suite's output does not reach the log of a CI service as a command."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.plugin.conftest import ImagesRun

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
            warnings.warn("one\\n::error::warned")
            raise Odd("two\\n::error::raised")
        """
    )
    run = run_images(*arguments, images=images)
    assert run.result.ret == 1
    lines = run.out.splitlines()
    commands = [line for line in lines if line.lstrip().startswith("::")]
    assert commands
    assert all(line.startswith("::error file=") for line in commands), commands
    assert "##[" not in run.out
    for text in ("printed", "in pieces", "warned", "raised", "summary"):
        assert text in run.out, "nothing is left out"
