"""``pyimages list``: list environment images."""

from __future__ import annotations

import json
import shlex
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import asdict
from functools import partial
from typing import Any

from pytest_pyimages.cli.project import Place, pytest_arguments, run_at_project
from pytest_pyimages.cli.quantities import format_age, format_size, format_time
from pytest_pyimages.cli.stored import Stored, read_stored
from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.images import STALE, Contents, ImagePlan, StoredImage, describe_contents
from pytest_pyimages.text import table_lines

SUMMARY = "list the environment images that exist"
DESCRIPTION = """\
List this project's environment images, most recently used first: what is installed in each, and whether a run would
use it now. Then show what a run would install now. Registries are not contacted."""
COLUMNS = ("image", "python", "project", "installs", "size", "last used", "state")


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("-a", "--all", action="store_true", help="list the images of all projects")
    parser.add_argument("--json", action="store_true", help="print everything as one JSON object")


def run(arguments: Namespace) -> int:
    work = partial(_list, arguments=arguments)
    return run_at_project(pytest_arguments(arguments), work, on_each_engine=not arguments.json)


def _list(place: Place, *, arguments: Namespace) -> int:
    if len(place.settings.engines) > 1:
        raise ConfigurationError("--json: several engines are named, and the object is of one", "add --engine")
    with closing(place.engine()) as engine:
        stored = read_stored(place, engine)
        images = stored.scope(everything=arguments.all)
        lines = [as_json(stored, images)] if arguments.json else as_text(stored, images, everything=arguments.all)
        stored.report_problems()
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return 0


def as_text(stored: Stored, images: Sequence[StoredImage], *, everything: bool) -> list[str]:
    """Return a table; for one project also its installed packages in full."""
    now = time.time()
    if not images:
        whose = "any project" if everything else f"the project {stored.project.name} ({stored.project.root})"
        lines = [f"no environment images of {whose}"]
    else:
        lines = table_lines(COLUMNS, (_row(stored, image, now) for image in images), right=("size",))
        count = f"{len(images)} images" if len(images) > 1 else "1 image"
        lines += ["", f"{count}, {format_size(stored.storage.measure(images))} on disk in addition to the base images"]
    return lines if everything else [*lines, *_installed_groups(images), *list_current(stored, images)]


def _row(stored: Stored, image: StoredImage, now: float) -> tuple[str, ...]:
    return (
        image.tag.label or "?",
        image.python,
        image.project,
        image.contents.origin or ("pytest" if image.contents.steps else "?"),
        format_size(image.info.size),
        format_age(now - image.last_used),
        stored.states.read(image),
    )


def _installed_groups(images: Iterable[StoredImage]) -> list[str]:
    """Return the installed packages in full, once for each group of images that has the same."""
    return _groups("", ((image.tag.label, image.contents) for image in images if image.contents.steps))


def list_current(stored: Stored, images: Iterable[StoredImage] = ()) -> list[str]:
    """Return the packages that a run would install now, in the same form.

    :param images: those whose packages were listed; only other packages are.
    """
    plans = stored.current_plans()
    if not plans:
        return ["", f"a run here installs: {stored.project.origin or 'pytest'}"]
    listed = {(image.tag.label, image.contents) for image in images}
    current = [(plan.tag.label, describe_contents(plan)) for plan in plans]
    same = dict.fromkeys(label for label, contents in current if (label, contents) in listed)
    lines = ["", f"a run here installs the same for {', '.join(same)}"] if same else []
    return lines + _groups("a run here installs for ", (each for each in current if each not in listed))


def _groups(words: str, installed: Iterable[tuple[str, Contents]]) -> list[str]:
    groups: dict[Contents, list[str]] = {}
    for label, contents in installed:
        groups.setdefault(contents, []).append(label)
    lines = []
    for contents, labels in groups.items():
        lines += ["", f"{words}{', '.join(dict.fromkeys(labels))}: {contents.origin or 'pytest'}"]
        lines += (f"  pip install {shlex.join(step)}" for step in contents.steps)
        further = (
            ("the project requires", ", ".join(contents.dependencies)),
            ("versions", contents.versions),
            ("system packages", " ".join(contents.apt)),
            ("set-up commands", contents.setup),
            ("based on", contents.dockerfile),
        )
        lines += (f"  {name}: {value}" for name, value in further if value)
    return lines


def as_json(stored: Stored, images: Iterable[StoredImage]) -> str:
    """Return everything as JSON: sizes in bytes, times in UTC (RFC 3339)."""
    project = stored.project
    document = {
        "engine": stored.engine.info.endpoint,
        "project": {"name": project.name, "root": str(project.root)},
        "wanted": [_plan_object(plan) for plan in stored.current_plans()],
        "images": [_image_object(stored, image) for image in images],
    }
    return json.dumps(document, indent=2)


def _plan_object(plan: ImagePlan) -> dict[str, Any]:
    return {"image": plan.tag.label, "reference": plan.tag.reference, "installs": asdict(describe_contents(plan))}


def _image_object(stored: Stored, image: StoredImage) -> dict[str, Any]:
    state = stored.states.read(image)
    return {
        "image": image.tag.label,
        "kind": image.kind,
        "id": image.id,
        "references": list(image.references),
        "base": {"reference": image.tag.reference, "id": image.base},
        "python": image.python,
        "project": image.project,
        "used_in": sorted(str(use.rootdir) for use in image.uses.values()),
        "installs": asdict(image.contents),
        "size": image.info.size,
        "freed_by_removal": stored.storage.measure_freed([image]),
        "created": format_time(image.info.created),
        "last_used": format_time(image.last_used),
        "state": state,
        "stale": state in STALE,
    }
