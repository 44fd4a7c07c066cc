"""The installer's job: its modules, the project's requirements, and the access to package indexes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Literal

from pytest_pyimages.containers import BUILD_OUTPUT, NO_SOURCE, SourceJob, Witness
from pytest_pyimages.images.plan import ImagePlan
from pytest_pyimages.images.recipe import read_modules
from pytest_pyimages.immutable import Immutable
from pytest_pyimages.indexes import MEMORY, IndexAccess
from pytest_pyimages.project import describe_packages

_CONSTRAINTS = "variant.txt"  # in memory
_TARGET = "project.txt"  # in memory: the project's folder, as a requirements file
# Reads the job's size and the job from standard input, so that neither shows in the container's command, and writes the
# modules in it to memory. The current folder is removed from the path: a project's ast.py is not Python's.
BOOTSTRAP = """\
import sys
sys.path[:] = [path for path in sys.path if path]
import json, os
from importlib import import_module
stdin = getattr(sys.stdin, 'buffer', sys.stdin)
job = json.loads(stdin.read(int(stdin.readline())).decode('utf-8'))
for package in 'worker', 'installer':
    folder = '/run/pyimages/' + package
    os.mkdir(folder)
    for name, text in job[package].items():
        with open(folder + '/' + name + '.py', 'wb') as file:
            file.write(text.encode('utf-8'))
    module = sys.modules['pyimages_' + package] = type(sys)('pyimages_' + package)
    module.__path__ = [folder]
print('{}')  # it has begun
sys.stdout.flush()
import_module('pyimages_installer.main').main(job)
"""


class Wheels(Immutable):
    """The wheels that one installation builds for the next; uv shares them by the variables of the builds."""

    build: str  # the same for both installations, and for no other
    variables: Mapping[str, str] | None = None  # that the first one set the version by; None: it is this one


# "setup": system packages and set-up commands alone; "install": the rest, on the image of the former.
Phase = Literal["all", "setup", "install"]


class InstallJob(Immutable):
    """One run of the installer; ``inside/worker/jobs.py`` lists the keys."""

    name: str  # of the container; no other build has it
    phase: Phase
    build: str  # wheels are shared with no build of another name
    root: str  # the project's folder
    extends: bool  # whether the image is an environment of the same project already
    interpreter: str  # the Python to install, as uv names it; empty for the image's own
    apt: tuple[str, ...]  # system packages
    setup: tuple[str, ...]  # shell commands
    steps: tuple[tuple[str, ...], ...]  # arguments of ``pip install``, one command each
    built_extras: tuple[str, ...]  # see Project
    is_partial: bool  # what cannot be installed is left out
    lock: Mapping[str, object] | None  # versions that constrain the steps
    needs_pip: bool  # the requirements files have what uv does not know
    uv: Mapping[str, str]  # digest of the program in its volume by machine; see images/uv_program.py
    uv_features: tuple[str, ...]  # what the project's sources need that pip cannot do
    packages: Mapping[str, Mapping[str, str]]  # see ``describe_packages``
    distribution: str  # normalised name of the project; empty if only a build reports it
    kind: str  # "none" if there is no package to build, "wheel" if it has something to compile
    version: Mapping[str, Any] | None  # see ``describe_version``
    environment: Mapping[str, str]
    files: Mapping[str, str]  # text by path below the memory folder: credentials and certificates
    servers: tuple[tuple[str, int], ...]  # addresses in the container that lead to servers of this host
    hosts: Mapping[str, str]  # further names of these addresses
    folders: tuple[tuple[str, tuple[str, ...]], ...]  # mounted folders of packages, and some names in each
    witness: tuple[Witness, ...] = ()  # known when the source is mounted
    source: SourceJob | None = None  # likewise
    volumes: tuple[str, ...]  # of the image: what is installed there would be lost
    skipped: Mapping[str, list[str]]  # names of folders that hold no source: "anywhere", and at the "top"
    worker: Mapping[str, str]  # sources by module
    installer: Mapping[str, str]  # sources by module


def make_install_job(  # noqa: PLR0913 - each has another source
    plan: ImagePlan,
    name: str,
    access: IndexAccess,
    *,
    extends: bool,
    uv: Mapping[str, str],
    phase: Phase = "all",
    volumes: tuple[str, ...] = (),
    wheels: Wheels | None = None,
) -> InstallJob:
    """Return the installer's job for one container.

    :param name: of the container.
    """
    recipe = plan.recipe
    steps, files, version = recipe.steps, access.files, describe_version(plan)
    if wheels is not None and wheels.variables is not None:
        version = version and {"variables": wheels.variables, "is_certain": True, "note": ""}
        if plan.project.kind == "wheel":
            # uv always builds a folder that its command line names ("Caching" in its documentation).
            *others, (*arguments, target) = steps
            steps = (*others, (*arguments, "-r", f"{MEMORY}/{_TARGET}"))
            files = {**files, _TARGET: f"{target}\n"}
    if recipe.constraints:
        files = {**files, _CONSTRAINTS: "".join(f"{text}\n" for text in recipe.constraints)}
    resolution = {"UV_RESOLUTION": recipe.resolution} if recipe.resolution else {}
    return InstallJob(
        name=name,
        phase=phase,
        build=name if wheels is None else wheels.build,
        root=str(plan.project.root),
        extends=extends,
        interpreter=recipe.interpreter,
        apt=recipe.apt,
        setup=recipe.setup,
        steps=steps,
        built_extras=recipe.built_extras,
        is_partial=recipe.is_partial,
        lock=recipe.lock.content if recipe.lock else None,
        needs_pip=recipe.needs_pip,
        uv=uv,
        uv_features=(*access.uv_features, *list_variant_features(plan)),
        packages=describe_packages(plan.project.packages, {**os.environ, **plan.environment}),
        distribution=plan.project.distribution,
        kind=plan.project.kind,
        version=version,
        environment={**plan.environment, **access.environment, **resolution},
        files=files,
        servers=tuple(server.address for server in access.servers),
        hosts=access.hosts,
        folders=access.folders,
        volumes=volumes,
        skipped={"anywhere": sorted(NO_SOURCE), "top": sorted(BUILD_OUTPUT | {"target"})},  # target: of Rust
        worker=read_modules("worker"),
        installer=read_modules("installer"),
    )


def list_variant_features(plan: ImagePlan) -> tuple[str, ...]:
    """Return what the plan's variant needs of uv: pip always takes the highest versions."""
    resolution = plan.recipe.resolution
    return (f"resolution = {resolution}",) if plan.tag.variant and resolution.startswith("lowest") else ()


def describe_version(plan: ImagePlan) -> Mapping[str, Any] | None:
    """Return the version for the tool that takes it from git; None if no tool does."""
    versioning = plan.project.versioning
    if versioning is None:
        return None
    environ = {**os.environ, **plan.environment}
    version = versioning.version(environ)
    refusal = "" if version is not None else versioning.explain_refusal(environ)
    unknown = f"there is no git for {versioning.tool.name} to take the version from · {versioning.tool.hint}"
    return {
        "variables": {} if version is None else dict.fromkeys(versioning.variables, version),
        "is_certain": version is not None and versioning.tool.is_certain,
        "note": refusal or unknown,
    }
