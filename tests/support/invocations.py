"""Ways in which pytest can be called."""

from __future__ import annotations

import shlex
from pathlib import Path

from pytest_pyimages.host import CommandLine, Invocation


def make_invocation(
    typed: str = "",
    *,
    addopts: str = "",
    cwd: Path = Path("/nonexistent"),
    ini: dict[str, str | list[str]] | None = None,
    inipath: Path | None = None,
    variables: dict[str, str] | None = None,
    command: bool = False,
    module: bool = False,
    host_args: tuple[str, ...] = (),
) -> Invocation:
    """Return the invocation of pytest with these arguments, in the syntax of a shell."""
    return Invocation(
        addopts=CommandLine.parse(shlex.split(addopts)),
        environment_addopts=CommandLine(),
        typed=CommandLine.parse(shlex.split(typed)),
        ini=ini or {},
        host_ini={},
        table_keys=frozenset(),
        inipath=inipath,
        rootdir=cwd,
        cwd=cwd,
        module=module,
        command=command,
        environment={},
        variables=variables or {},
        host_args=host_args,
    )
