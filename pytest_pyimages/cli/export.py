"""``pyimages export``: write the Dockerfile of an environment image."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from pytest_pyimages.cli.builds import connect_engine
from pytest_pyimages.cli.environment import IMAGE_HELP, build_image, select_plan
from pytest_pyimages.cli.project import Place, pytest_arguments, run_at_project
from pytest_pyimages.containers import Lease
from pytest_pyimages.engines import Engine, ImageInfo
from pytest_pyimages.engines.labels import BASE_LABEL
from pytest_pyimages.errors import ConfigurationError, PyimagesError
from pytest_pyimages.host import OPTION_NAMES, CommandLine
from pytest_pyimages.images import (
    MARK,
    BuiltImage,
    Export,
    ImagePlan,
    list_ignored,
    name_dockerfile_image,
    read_contents,
)
from pytest_pyimages.indexes import list_public_indexes
from pytest_pyimages.session import SessionPlan

SUMMARY = "write a Dockerfile that makes the same environment"
DESCRIPTION = """\
Print the Dockerfile that makes the environment of an image's tests with plain `docker build`: the base image pinned by
its digest, and each installed package by its version. With -o FOLDER, write it there, with its requirements and a
.dockerignore. The image is built if needed."""
REQUIREMENTS = "pinned-requirements.txt"  # a name that is not taken for the project's own requirements


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("spec", metavar="IMAGE", nargs="?", help=IMAGE_HELP)
    parser.add_argument(
        "-o", "--output", metavar="FOLDER", help=f"write Dockerfile, {REQUIREMENTS} and .dockerignore to this folder"
    )
    parser.add_argument("--user", metavar="UID[:GID]", help="the user that runs the tests (default: as in a run)")


def run(arguments: Namespace) -> int:
    if arguments.user:
        arguments.pytest_arguments = [f"--py-images-user={arguments.user}", *arguments.pytest_arguments]
    folder = None if arguments.output is None else Path(arguments.output).absolute()
    return run_at_project(pytest_arguments(arguments, arguments.spec), partial(_export, folder=folder))


def _export(place: Place, *, folder: Path | None) -> int:
    plan = place.plan()
    tag = select_plan(plan, "only one image can be exported").tag
    if tag.interpreter:
        raise ConfigurationError(
            f"{tag.label} cannot be exported: its Python is not that of its base image", "name another image"
        )
    root = plan.source.root
    if folder is not None:
        folder = Path(os.path.normpath(folder))
        if not folder.is_relative_to(root):
            problem = f"-o: {folder} is not in {root}, from which `docker build` copies"
            raise ConfigurationError(problem, "choose another folder")
    with connect_engine(place) as engine:
        image = build_image(place, engine, plan)
        export = _describe(place, engine, plan, image)
    for note in _list_notes(plan, export):
        sys.stderr.write(f"note: {note}\n")
    if folder is None:
        sys.stdout.write(export.write())
    else:
        _write_files(plan, export, folder)
    return 0


def _describe(place: Place, engine: Engine, plan: SessionPlan, image: BuiltImage) -> Export:
    (image_plan,) = plan.plans
    environment = engine.find_image(image.id)
    base = environment and engine.find_image(environment.labels.get(BASE_LABEL, ""))
    if environment is None or base is None:
        raise PyimagesError(f"the engine no longer has {image_plan.tag.reference}", "try again")
    below = _find_below(engine, image_plan, base)
    with Lease() as lease:
        contents = read_contents(engine, lease, image.id, below.id, plan.source.root)
    user = (image_plan.user or environment.user).removeprefix("host ")
    invocation = place.settings.invocation
    return Export(
        plan=image_plan,
        base=base,
        contents=contents,
        indexes=list_public_indexes(image_plan.read_network(os.environ)),
        root=plan.source.root,
        cwd=invocation.cwd,
        user="" if set(user.split(":")) <= {"", "0", "root"} else user,
        arguments=CommandLine.parse(image_plan.args).without(OPTION_NAMES).words,
    )


def _find_below(engine: Engine, plan: ImagePlan, base: ImageInfo) -> ImageInfo:
    """Return the image of the user's Dockerfile; the base image if there is none."""
    dockerfile = plan.recipe.dockerfile
    built = None if dockerfile is None else engine.find_image(name_dockerfile_image(dockerfile, base))
    return base if built is None else built


def _list_notes(plan: SessionPlan, export: Export) -> Iterator[str]:
    image_plan = export.plan
    yield from plan.notes
    variables = sorted(image_plan.environment.keys() - dict(image_plan.recipe.environment).keys())
    if variables:
        yield f"set when you run it: {' '.join(f'-e {name}' for name in variables)}"
    several_lines = [name for name, value in image_plan.recipe.environment if "\n" in value]
    if several_lines:
        yield f"not exported, since an ENV has one line: {', '.join(several_lines)}"
    if image_plan.services:
        yield f"not exported: the services {', '.join(service.name for service in image_plan.services)}"
    outside = [path.link for path in plan.source.linked if not path.is_repository]
    if outside:
        yield f"not exported, since it links to files that `docker build` does not copy: {', '.join(outside)}"
    if image_plan.smoke:
        yield "the smoke test's selection is not exported: the container runs all tests"
    if export.indexes.left_out:
        yield f"not exported, since only this machine can use it: {', '.join(export.indexes.left_out)}"
    if export.indexes.private:
        yield "an index needs a login: the build reads it from the secret netrc, which needs BuildKit"


def _write_files(plan: SessionPlan, export: Export, folder: Path) -> None:
    """Write the files, and say how to build.

    :raises ConfigurationError: if another program or the user has written one of them.
    """
    root = plan.source.root
    dockerfile, requirements = folder / "Dockerfile", folder / REQUIREMENTS
    # BuildKit prefers the file beside the Dockerfile; all builders read the one of the context.
    ignored = folder / (".dockerignore" if folder == root else "Dockerfile.dockerignore")
    for path in (dockerfile, requirements):
        if path.exists() and not _is_ours(path):
            raise ConfigurationError(f"{path} exists, and is not from `pyimages export`", "choose another folder")
    export = replace(export, requirements=requirements, name=dockerfile.relative_to(root).as_posix())
    texts = {dockerfile: export.write(), requirements: export.write_requirements()}
    if ignored.exists() and not _is_ours(ignored):
        sys.stderr.write(f"note: {ignored} exists, and is kept\n")
    else:
        texts[ignored] = list_ignored(plan.source.hidden.paths, needs_git=export.needs_git)
    path = folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in texts.items():
            path.write_text(text, encoding="utf-8")
            sys.stderr.write(f"wrote {path}\n")
    except OSError as error:
        raise PyimagesError(f"{path} cannot be written: {error.strerror}", "choose another folder") from error


def _is_ours(path: Path) -> bool:
    return MARK in path.read_text(encoding="utf-8", errors="replace")
