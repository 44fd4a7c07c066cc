"""The benchmarks of builds: environment images of four tags, against an ordinary Dockerfile for each of them."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

from pytest_pyimages.engines.labels import KIND_LABEL, LABEL
from tools.bench.clock import Command, NotMeasuredError, Timing, in_turns, seconds_of
from tools.bench.images import write_dockerfile
from tools.bench.projects import write_requirements, write_requiring
from tools.bench.workshop import PYIMAGES, Result, Workshop

TAGS = ("3.11-slim", "3.12-slim", "3.13-slim", "3.14-slim")
THEIRS = "pyimages-bench"
IN_TURN, AT_ONCE = " && ", " & "


def cold_in_turn(shop: Workshop) -> Result:
    """Four cold builds, against four times `docker build` of an ordinary Dockerfile in turn."""
    return _four(shop, "d. 4 cold builds / 4 docker builds in turn", IN_TURN, 0.25)


def cold_at_once(shop: Workshop) -> Result:
    """Four cold builds, against four times `docker build` of an ordinary Dockerfile at once."""
    return _four(shop, "e. 4 cold builds / 4 docker builds at once", AT_ONCE, 0.4)


def anew_in_turn(shop: Workshop) -> Result:
    """Four builds from the base images with what earlier ones downloaded, against four times `docker build` in turn."""
    return _four(shop, "h. 4 builds with our cache / 4 docker builds in turn", IN_TURN, 0.25, with_cache=True)


def anew_at_once(shop: Workshop) -> Result:
    """Four builds from the base images with what earlier ones downloaded, against four times `docker build` at once."""
    return _four(shop, "i. 4 builds with our cache / 4 docker builds at once", AT_ONCE, 0.4, with_cache=True)


def one_more(shop: Workshop) -> Result:
    """Four builds after a dependency was added, against the same from nothing."""
    project = write_requiring(shop.folder)
    ours = _ours(shop, project)
    shop.say(f"  both    {shlex.join(ours.words)}")
    try:
        pairs = []
        for _ in range(shop.rounds):
            write_requirements(project)
            _remove_ours(shop, project)
            cold = seconds_of([ours], shop.output)
            write_requirements(project, further=1)
            pairs.append((seconds_of([ours], shop.output), cold))
    finally:
        _remove_ours(shop, project)
    timing = Timing(ours=tuple(ours for ours, _ in pairs), theirs=tuple(cold for _, cold in pairs))
    return Result(title="f. one more dependency / cold", timing=timing, limit=0.33)


def _four(shop: Workshop, title: str, between: str, limit: float, *, with_cache: bool = False) -> Result:
    project = write_requiring(shop.folder)
    ours, theirs = _ours(shop, project), _by_hand(shop, project, between)
    shop.say(f"  ours    {shlex.join(ours.words)}")
    shop.say(f"  theirs  {theirs.words[-1]}")
    there = "the cache volume of an earlier build is there" if with_cache else "no cache volume"
    shop.say(f"  nothing of ours is there before a build: no environment image; {there}")

    def anew() -> float:
        _remove_ours(shop, project, with_cache=not with_cache)
        return seconds_of([ours], shop.output)

    try:
        if with_cache:
            anew()
        timing = in_turns(anew, lambda: seconds_of([theirs], shop.output), rounds=shop.rounds)
    finally:
        _remove_ours(shop, project)
        _docker(shop, "image", "rm", "--force", *(f"{THEIRS}:{tag}" for tag in TAGS))
    return Result(title=title, timing=timing, limit=limit)


def _ours(shop: Workshop, project: Path) -> Command:
    return shop.command((*PYIMAGES, "build", ",".join(TAGS)), project, ("built", len(TAGS)))


def _by_hand(shop: Workshop, project: Path, between: str) -> Command:
    """Return a shell that builds the image that a user would write down for each tag, with nothing cached."""
    write_dockerfile(project)
    builds = (f"docker build -q --no-cache -t {THEIRS}:{tag} --build-arg PYTHON={tag} ." for tag in TAGS)
    wait = " & wait" if between == AT_ONCE else ""
    return shop.command(("sh", "-c", between.join(builds) + wait), project, ("sha256:", len(TAGS)))


def _remove_ours(shop: Workshop, project: Path, *, with_cache: bool = True) -> None:
    """Remove what was built for the project, and the volumes in which builds keep what they may need again."""
    chosen = (f"label={LABEL}.project={project.name}", f"label={KIND_LABEL}=environment")
    found = _docker(
        shop, "image", "ls", "--format", "{{.Repository}}:{{.Tag}}", *(f"--filter={each}" for each in chosen)
    )
    if found:
        _docker(shop, "image", "rm", *found)
    found = _docker(shop, "volume", "ls", "-q", f"--filter=label={KIND_LABEL}=cache")
    if with_cache and found:
        _docker(shop, "volume", "rm", *found)


def _docker(shop: Workshop, *words: str) -> list[str]:
    environment = {**os.environ, "DOCKER_HOST": shop.engine}
    try:
        done = subprocess.run(("docker", *words), env=environment, capture_output=True, text=True, timeout=120)
    except FileNotFoundError:
        raise NotMeasuredError("the docker command, by which the same is done by hand, is not installed") from None
    if done.returncode:
        raise NotMeasuredError(f"docker {words[0]} failed: {done.stderr.strip()}")
    return done.stdout.split()
