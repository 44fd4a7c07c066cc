"""Each step of a build and of a run has a name, and a session is interrupted when it begins."""

from __future__ import annotations

import random
import signal
from collections.abc import Iterator
from pathlib import Path

from tests.attack.hosts import Host
from tests.attack.interruptions import HANDLED
from tests.attack.interruptions import find_faults as find_faults_of_end
from tests.attack.trials import Battery, Clock

# What the engine is asked for, by the kind of the container or volume, and hooks on the main thread; in the order of a
# session that builds an image and runs its suite. ``test_kill_points`` fails for a step that is not among them.
STEPS = (
    "pytest_sessionstart",
    "pytest_report_header",
    "pytest_collection",
    "pytest_runtestloop",
    "engine.leftovers",
    "image.find_image",
    "image.pull",
    "image.build",
    "image.images",
    "cache.create_volume",
    "engine.overlay_options",
    "source.create_container",
    "source.upload",
    "source.attach",
    "source.start",
    "source.send",
    "source.frames",
    "source.close",
    "source.wait",
    "source.remove_container",
    "source-copy.create_volume",
    "source.create_volume",
    "build.create_container",
    "build.attach",
    "build.start",
    "build.send",
    "build.frames",
    "build.close",
    "build.wait",
    "build.commit",
    "build.remove_container",
    "source.remove_volume",
    "image.tag",
    "image.push",
    "pytest_pyimages_image_ready",
    "service.create_network",
    "service.create_service",
    "service.start",
    "service.inspect",
    "service.execute",
    "service.remove_container",
    "service.remove_network",
    "run.create_container",
    "run.attach",
    "run.start",
    "run.send",
    "run.frames",
    "pytest_runtest_logstart",
    "pytest_runtest_logreport",
    "pytest_runtest_logfinish",
    "run.close",
    "run.remove_container",
    "report.create_container",
    "report.attach",
    "report.start",
    "report.send",
    "report.frames",
    "report.close",
    "report.remove_container",
    "pytest_pyimages_run_finished",
    "pytest_sessionfinish",
    "pytest_pyimages_report",
    "pytest_terminal_summary",
    "pytest_unconfigure",
    "engine.close",
)
COPIED = ("source.upload", "source-copy.create_volume")
SIGNALS = (*HANDLED, signal.SIGKILL)
SERVICE = """
[[tool.pyimages.services]]
name = "db"
image = "postgres:17"
ports = [5432]
ready = "pg_isready"
[[tool.pyimages.services]]
name = "replica"
image = "postgres:17"
ports = [5432]
ready = "pg_isready"
"""
# Sessions that have further steps: how the worker is made, pytest's arguments, and the project's configuration.
SESSIONS: dict[str, tuple[str, tuple[str, ...], str]] = {
    "whole": ("scripted", (), ""),
    "copy": ("scripted", ("--py-images-source=copy",), ""),
    "pull": ("pulled", (), ""),
    "push": ("scripted", ("--py-images-cache-to=localhost:1/shop",), ""),
    "dockerfile": ("scripted", ("--override-ini=py_images_dockerfile=Dockerfile",), ""),
    "services": ("scripted", (), SERVICE),
    "coverage": ("real", ("--cov=.",), ""),
}
# What no session needs for its builds and runs.
OTHER_METHODS = {
    "command_status",
    "data_folder",
    "find_remote_digest",
    "info",
    "kill",
    "open_command",
    "processors",
    "read_log",
    "resize",
    "resize_command",
    "remove_image",
    "volume_sizes",
}


def choose_session(step: str) -> str:
    """Return the name of a session that has a step."""
    kind = step.partition(".")[0]
    kinds = {"report": "coverage", "service": "services"}
    pushed = dict.fromkeys(("image.tag", "image.push"), "push")
    names = {**pushed, "image.pull": "pull", "image.build": "dockerfile", **dict.fromkeys(COPIED, "copy")}
    return names.get(step) or kinds.get(kind, "whole")


def make_host(folder: Path, session: str, images: str = "3.12") -> Host:
    """Return a host of a session."""
    workers, arguments, configuration = SESSIONS[session]
    host = Host(folder, workers, images, ("--py-images-report=report.json", *arguments))
    (folder / "project" / "Dockerfile").write_text("ARG PYTHON_IMAGE\nFROM $PYTHON_IMAGE\n")
    (folder / "project" / "pyproject.toml").write_text(configuration)
    return host


def try_step(host: Host, step: str, number: int) -> Iterator[str]:
    """Interrupt a session at a step; yield what is wrong with its end and with what it leaves."""
    host.reset()
    ended = host.run(stop=step, number=number)
    if not ended.signals:
        yield f"the session has no such step\n{ended.out}"
        return
    if number == signal.SIGKILL:
        if ended.status != -number:
            yield f"exit status {ended.status}"
        after = host.run()
        if after.status != 0:
            yield f"the next session ended with {after.status}: {after.out}"
        yield from (f"after the next session: {remains}" for remains in host.find_remains(after_killed=True))
    else:
        yield from (f"{fault}\n{ended.out}" for fault in find_faults_of_end(ended))
        yield from (f"{remains}\n{ended.out}" for remains in host.find_remains())


def stop_at_steps(battery: Battery, source: random.Random, clock: Clock, folder: Path) -> None:
    """Send each signal at each step, in random order."""
    trials = [(step, number) for step in STEPS for number in SIGNALS]
    source.shuffle(trials)
    folder.mkdir()
    hosts = {name: make_host(folder / name, name) for name in SESSIONS}
    for step, number in trials[: battery.planned]:
        if clock.is_up:
            break
        battery.count(f"{signal.Signals(number).name} at {step}", try_step(hosts[choose_session(step)], step, number))
