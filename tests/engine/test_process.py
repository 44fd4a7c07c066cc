"""The process in which a suite runs is what it is by hand, in ``docker run --init`` of the same image."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pytest_pyimages.engines.docker import DockerEngine
from pytest_pyimages.engines.labels import ROOT_LABEL
from tests.support.jobs import Job

DUMP = """
import json, os, resource, signal, sys, threading

def dump(config):
    main = sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    with open("/proc/self/status") as file:
        status = dict(line.rstrip().split(":", 1) for line in file)
    with open("/proc/self/cmdline") as file:
        cmdline = file.read()
    shm = os.statvfs("/dev/shm")
    limits = [name for name in dir(resource) if name.startswith("RLIMIT_")]
    return {
        "__main__": [main.__file__, spec and spec.name, type(main.__loader__).__name__, sorted(vars(main))],
        "sys.argv": sys.argv,
        "sys.orig_argv": getattr(sys, "orig_argv", None),
        "sys.flags": repr(sys.flags),
        "sys.path": sys.path,
        "sys.modules": sorted(sys.modules),
        "sys.meta_path": [getattr(finder, "__name__", type(finder).__name__) for finder in sys.meta_path],
        "encodings": [sys.__stdout__.encoding, sys.__stdout__.errors, sys.getfilesystemencoding()],
        "bytecode": sys.dont_write_bytecode,
        "pytest's arguments": [list(config.invocation_params.args), str(config.invocation_params.dir)],
        "environment": dict(os.environ),
        "process": [os.getpgrp() == os.getpid(), os.getsid(0), os.getppid(), os.nice(0)],
        "user": [os.getuid(), os.getgid(), os.getgroups(), os.umask(0o22)],
        "limits": {name: resource.getrlimit(getattr(resource, name)) for name in limits},
        "/dev/shm": shm.f_blocks * shm.f_frsize,
        "stdin": os.readlink("/proc/self/fd/0"),
        "signals": {number: repr(signal.getsignal(number)) for number in range(1, 65) if number not in (32, 33)},
        "status": [status[name] for name in ("SigIgn", "SigBlk", "CapEff", "CapBnd", "Seccomp")],
        "threads": [thread.name for thread in threading.enumerate()],
        "/proc/self/cmdline": cmdline,
        "descriptors": os.listdir("/proc/self/fd"),
        "no new privileges": status["NoNewPrivs"],
        "buffering": sys.__stdout__.line_buffering,
    }

def pytest_terminal_summary(terminalreporter, config):
    terminalreporter.write_line("DUMP " + json.dumps(dump(config)))
"""
# docs/troubleshooting.md lists and explains them.
DIFFERENT = {"/proc/self/cmdline", "descriptors", "no new privileges", "buffering"}


def read_dump(text: str) -> dict[str, Any]:
    found = re.search("^DUMP (.*)$", text, re.MULTILINE)
    assert found, text
    dump: dict[str, Any] = json.loads(found[1])
    dump["sys.modules"] = [
        name for name in dump["sys.modules"] if name not in ("fcntl", "mmap")
    ]  # of the standard library
    del dump["environment"]["HOSTNAME"]
    return dump


@pytest.mark.parametrize("image", ["3.6", "3.14-slim"])
def test_process_is_what_it_is_by_hand(
    engine: DockerEngine, job: Job, image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI", raising=False)  # it is passed on
    job.write(conftest=DUMP, test_it="def test_it(): pass")
    (job.folder / "requirements.txt").write_text(job.unique_requirement)
    here = Path(sys.executable)
    programs = {("python", "-m", "pytest"): [str(here), "-m", "pytest"], ("pytest",): [str(here.with_name("pytest"))]}
    for program, on_host in programs.items():
        ours = run_command(*on_host, f"--py-images={image}", "-rs", folder=job.folder)
        reference, _ = engine.images(f"{ROOT_LABEL}={job.root}")[0]
        # docs/troubleshooting.md lists these, too.
        privileges = ("--cap-drop=MKNOD", "--cap-drop=SETFCAP")
        options = ("--rm", "--init", *privileges, "-v", f"{job.folder}:{job.folder}", "-w", str(job.folder))
        by_hand = run_command("docker", "run", *options, reference, *program, "-rs", folder=job.folder)
        theirs, dump = read_dump(by_hand), read_dump(ours)
        different = {name: (dump[name], theirs[name]) for name in theirs if dump[name] != theirs[name]}
        assert {name: values for name, values in different.items() if name not in DIFFERENT} == {}
        assert set(different) == DIFFERENT - ({"buffering"} if image == "3.6" else set())  # it came with 3.7


def run_command(*command: str, folder: Path) -> str:
    """Return what a command prints; without input."""
    return subprocess.run(
        command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, timeout=300
    ).stdout
