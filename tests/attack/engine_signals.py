"""Signals to sessions on a real engine, at a step or at a random moment."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from pytest_pyimages.containers.leases import identify_host
from pytest_pyimages.engines import Leftover
from pytest_pyimages.engines.docker import DockerEngine, connect
from pytest_pyimages.engines.labels import HOST_LABEL, KIND_LABEL, LABEL, ROOT_LABEL
from pytest_pyimages.images.recipe import hash_text
from tests.attack.hosts import Host
from tests.attack.interruptions import HANDLED, find_faults
from tests.attack.trials import Battery, Clock

IMAGE = "3.14-slim"
STEPS = (
    "source.create_volume",
    "build.create_container",
    "build.start",
    "build.frames",
    "build.commit",
    "build.remove_container",
    "run.create_container",
    "run.start",
    "run.frames",
    "run.remove_container",
    "source.remove_volume",
)
ENDING_SECONDS = 15.0  # that the containers of a killed session have
REMOVAL_SECONDS = 5.0  # that the engine has for what sessions leave to it


def interrupt_containers(battery: Battery, source: random.Random, clock: Clock, folder: Path) -> None:
    """Interrupt sessions that build an image and run its suite; every other one at a step, or killed."""
    host = Host(folder, "docker", IMAGE)
    engine = connect()
    try:
        # In the requirements, it makes the environment image one of this battery's own.
        unique = f"six!=0.{source.randrange(10**9)}"
        (folder / "project" / "requirements.txt").write_text(f"pytest\n{unique}\n")
        whole = host.run().seconds
        for number in range(battery.planned):
            if clock.is_up:
                break
            if source.random() < 0.7:  # else what was built before is only run
                remove_images(engine, folder / "project")
            chosen = source.choice((*HANDLED, signal.SIGKILL))
            step = STEPS[number % len(STEPS)] if number % 4 else ""
            ended = host.run(
                stop=step, number=chosen, signals=() if step else [(source.uniform(0.0, whole), int(chosen))]
            )
            battery.longest = max(battery.longest, ended.seconds if ended.signals else 0.0)
            battery.figures["signals"] += ended.signals
            faults = [] if chosen == signal.SIGKILL else [f"{fault}\n{ended.out}" for fault in find_faults(ended)]
            faults += find_remains(engine, host, is_killed=chosen == signal.SIGKILL and ended.status != 0)
            battery.count(f"{signal.Signals(chosen).name} at {step or 'a random moment'}", faults)
    finally:
        remove_images(engine, folder / "project")
        engine.close()


def find_remains(engine: DockerEngine, host: Host, *, is_killed: bool) -> Iterator[str]:
    """Yield what the last session has left in the engine; after a killed one, what the next session leaves."""
    if is_killed:
        deadline = time.monotonic() + ENDING_SECONDS
        while running := [entry.name for entry in list_own(engine, host) if entry.is_running]:
            if time.monotonic() > deadline:
                yield f"still running: {', '.join(running)}"
                break
            time.sleep(0.1)
        after = host.run()
        if after.status != 0:
            yield f"the next session ended with {after.status}\n{after.out}"
    deadline = time.monotonic() + REMOVAL_SECONDS
    while (left := list_own(engine, host)) and time.monotonic() < deadline:
        time.sleep(0.05)
    yield from (f"{entry.kind} {entry.name}" for entry in left)
    yield from (remains for remains in host.find_remains(after_killed=is_killed) if remains.startswith("file "))


def list_own(engine: DockerEngine, host: Host) -> list[Leftover]:
    """Return the containers and volumes of a host's sessions, without what all sessions share."""
    identity = identify_host(host.state)
    own = (entry for entry in engine.leftovers(LABEL) if entry.labels.get(HOST_LABEL) == identity)
    return [entry for entry in own if entry.labels.get(KIND_LABEL) != "cache"]


def remove_images(engine: DockerEngine, project: Path) -> None:
    """Remove the environment images of a project."""
    root = hash_text(str(project))[:16]
    for reference, _ in engine.images(f"{ROOT_LABEL}={root}"):
        engine.remove_image(reference)
