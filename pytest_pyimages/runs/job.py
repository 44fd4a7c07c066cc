"""What a container of an environment image runs: the suite, a report of coverage, or a command on a terminal."""

from __future__ import annotations

import json
import re
import secrets
import sys
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

from pytest_pyimages.containers import HOST_ONLY, SourceJob, Witness, read_program
from pytest_pyimages.engines import NO_OPTIONS, ContainerOptions, Privileges
from pytest_pyimages.immutable import Immutable
from pytest_pyimages.runs.bytecode import BytecodeJob
from pytest_pyimages.runs.changes import ChangesJob

# "Environment variables" of Python's documentation; ld.so(8), locale(7), tzset(3), mallopt(3).
_START_VARIABLE = re.compile("PYTHON.*|PYPY.*|LD_.*|LC_.*|LANG|LANGUAGE|TZ|TZDIR|GLIBC_TUNABLES|MALLOC_.*")


class CoverageJob(Immutable):
    """A report of coverage to make from the data of several images."""

    labels: tuple[str, ...]  # of the images; an image has several data files if its tests were divided
    paths: tuple[Path, ...] = field(metadata=HOST_ONLY)  # the data files, in the same order
    roots: tuple[str, ...] = ()  # of the source, and then those that it had where other data were measured
    sizes: tuple[int, ...]  # of those files, in bytes
    failures: int  # failed tests
    contexts: bool  # whether an image's label is to be part of the contexts


class Job(Immutable):
    """The program of one container, and all of its input."""

    options: ContainerOptions = field(default=NO_OPTIONS, metadata=HOST_ONLY)  # what the container may use
    image: str = field(metadata=HOST_ONLY)  # id of the environment image
    network: str = field(default="", metadata=HOST_ONLY)  # the container's network mode; empty for the engine's default
    python: str = field(metadata=HOST_ONLY)  # absolute path of the interpreter in the container
    privileges: Privileges = field(default="reduced", metadata=HOST_ONLY)
    token: str = field(default_factory=lambda: secrets.token_hex(4))  # marks the lines of the program
    command: tuple[str, ...] = ()  # to run on a terminal; empty for pytest
    args: tuple[str, ...]  # pytest's command line, as the user typed it
    project: str  # the folder that the environment was built for
    cwd: str
    cwd_on_path: bool  # ``python -m pytest`` has the working folder on sys.path, ``pytest`` has not
    environment: Mapping[str, str]
    worker: str = ""  # SHA-256 of the worker's modules in the image, hex digits; empty: not known
    witness: tuple[Witness, ...] = ()  # known when the source is mounted
    source: SourceJob | None = None  # likewise
    user: str = ""  # that the program becomes, see inside/worker/user.py; empty for root
    passed_output: bool  # whether what passed tests printed is to be sent
    own_options: tuple[str, ...]  # the options of this plugin that have a value
    own_flags: tuple[str, ...] = ()  # those that have none
    own_ini: tuple[str, ...]  # its ini keys
    memory: Mapping[str, Any] | None  # values of pytest's cache by name; None to leave the cache alone
    seed: int  # for pytest-randomly
    host_plugins: tuple[str, ...]  # modules that the suite must not load
    shard: Mapping[str, Any] | None  # see ``make_shard_job``; None for all tests
    selection: Mapping[str, Any] | None = None  # see ``make_selection_job``; None if no argument names an image
    smoke: Mapping[str, Any] | None = None  # see ``make_smoke_job``; None for the whole suite
    tracebacks: Mapping[str, Any] | None = None  # see ``make_tracebacks_job``; None for those of --tb only
    coverage: bool  # whether pytest-cov may be active
    timeout: float | None = None  # seconds that the suite may take; None for any time
    silence: float | None = None  # seconds without a record after which it is stopped
    report: CoverageJob | None = None  # to make instead of running the suite
    bytecode: BytecodeJob | None = None  # how to keep it; None to do without
    changes: ChangesJob | None  # what to report about the source; None for nothing
    terminal: str | None  # its kind (TERM), for a command or for a debugger in the suite; None if there is none

    @property
    def start_variables(self) -> dict[str, str]:
        """Return the variables that Python, the loader and the C library read when a process starts.

        The others are sent to the program, since they may be secrets and the engine shows those of a container.
        """
        return {name: value for name, value in self.environment.items() if _START_VARIABLE.fullmatch(name)}


def make_shard_job(index: int, of: int, milliseconds: Mapping[str, int]) -> dict[str, Any]:
    """Return the files of the plugin that deselects the tests of other shards.

    :param index: from 1.
    :param milliseconds: durations by node id, as far as they are known.
    """
    job = {"index": index, "of": of, "milliseconds": dict(milliseconds)}
    return {"files": {"pyimages_shard.py": read_program("sharding"), "shard.json": json.dumps(job)}}


def make_selection_job(selection: Mapping[str, Any]) -> dict[str, Any]:
    """Return the files of the plugin that decides what arguments that name an image mean."""
    return {"files": {"pyimages_selection.py": read_program("selecting"), "selection.json": json.dumps(selection)}}


def make_tracebacks_job() -> dict[str, Any]:
    """Return the file of the plugin that draws failures in full."""
    return {"files": {"pyimages_tracebacks.py": read_program("tracebacks")}}


def make_smoke_job(root: Path, distribution: str) -> dict[str, Any]:
    """Return the files of the plugin that checks the project's modules and the tests that are marked ``smoke``.

    :param root: the project's folder.
    :param distribution: its normalised name; may be empty.
    """
    job = {"root": str(root), "distribution": distribution, "standard": sorted(sys.stdlib_module_names)}
    return {"files": {"pyimages_smoke.py": read_program("smoke"), "smoke.json": json.dumps(job)}}
