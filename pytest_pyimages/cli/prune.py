"""``pyimages prune``: remove environment images."""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import TypeVar

import pytest

from pytest_pyimages.cli.project import Place, pytest_arguments, run_at_project
from pytest_pyimages.cli.quantities import format_age, format_size, parse_age, parse_size
from pytest_pyimages.cli.stored import Stored, read_stored
from pytest_pyimages.containers import Lease, find_unused_bytecode, find_unused_copies, remove_bytecode, remove_copies
from pytest_pyimages.engines import Engine
from pytest_pyimages.engines.labels import KIND_LABEL, PROJECT_LABEL, ROOT_LABEL
from pytest_pyimages.errors import ConfigurationError, EngineError
from pytest_pyimages.images import (
    STALE,
    Limits,
    StoredImage,
    choose_images,
    find_used_images,
    make_identity,
    remove_images,
)
from pytest_pyimages.immutable import Immutable
from pytest_pyimages.text import table_lines

T = TypeVar("T")
SUMMARY = "remove environment images"
DESCRIPTION = """\
Remove this project's environment images; conditions are combined with AND. A later run builds them again if needed.
Images in use and images of others are kept. Containers and volumes leaked by killed sessions are always removed."""

COLUMNS = ("", "image", "python", "project", "size", "last used", "")


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("-a", "--all", action="store_true", help="remove the images of all projects")
    parser.add_argument("--older-than", metavar="AGE", help="only images not used for this long: 30d, 12h, 2w")
    parser.add_argument(
        "--stale", action="store_true", help="only images that no run would use now, as shown by `list`"
    )
    parser.add_argument(
        "--keep-storage", metavar="SIZE", help="remove the least recently used until the rest takes at most SIZE: 10GB"
    )
    parser.add_argument(
        "--cache",
        action="store_true",
        help="also remove the download cache of the project; with --all, all caches, copies and bytecode of sources",
    )
    parser.add_argument("-n", "--dry-run", action="store_true", help="only show what would be removed")


def run(arguments: Namespace) -> int:
    limits = _limits(arguments)
    work = partial(_prune, arguments=arguments, limits=limits)
    return run_at_project(pytest_arguments(arguments), work, on_each_engine=True)


def _limits(arguments: Namespace) -> Limits:
    """Parse the conditions, without ``--stale``.

    :raises ConfigurationError: for an invalid age or size.
    """
    return Limits(
        unused=_parse("--older-than", arguments.older_than, parse_age) or 0.0,
        storage=_parse("--keep-storage", arguments.keep_storage, parse_size),
    )


def _parse(option: str, text: str | None, parse: Callable[[str], T]) -> T | None:
    try:
        return None if text is None else parse(text)
    except ConfigurationError as error:
        raise ConfigurationError(f"{option}: {error.message}", error.hint) from error


def _prune(place: Place, *, arguments: Namespace, limits: Limits) -> int:
    dry_run: bool = arguments.dry_run
    with closing(place.engine()) as engine, Lease() as lease:
        dead = lease.find_abandoned(engine)
        problems = () if dry_run else lease.sweep(engine)
        stored = read_stored(place, engine)
        if arguments.stale:
            limits = replace(limits, is_stale=lambda image: stored.states.read(image) in STALE)
        blocked = find_used_images(engine, without={entry.id for entry in dead})
        if not arguments.all:
            blocked |= {image.id: why for image in stored.storage.images if (why := _other_use(stored, image))}
        scope = stored.scope(everything=arguments.all)
        choice = choose_images(stored.storage, scope, limits, blocked=blocked, now=time.time())
        failed: Mapping[str, str] = {}
        if not dry_run:
            failed = remove_images(engine, choice.removed, stored.last_used)
            stored.last_used.forget_all_but(image.id for image in stored.storage.images)
        volumes = _prune_volumes(engine, lease, "" if arguments.all else stored.identity, arguments)
        stored.report_problems()
    removed = [image for image in choice.removed if image.id not in failed]
    verb = "would remove" if dry_run else "removed"
    rows = [_row(verb, image, ", ".join(f"stays as {name}" for name in image.other_names)) for image in removed]
    kept = {**choice.kept, **failed}
    rows += [_row("kept", image, kept[image.id]) for image in scope if image.id in kept]
    lines = table_lines(COLUMNS, rows, right=("size",)) if rows else []
    lines += [f" {verb}  {entry.kind} {entry.name}, leaked by a killed session" for entry in dead]
    lines += [f" {'kept' if volume.problem else verb}  {volume}" for volume in volumes]
    freed = stored.storage.measure_freed(removed) + sum(volume.size for volume in volumes if not volume.problem)
    lines.append(_total(freed, dry_run=dry_run) if removed or dead or volumes else "nothing to remove")
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stderr.write("".join(f"note: {problem}\n" for problem in problems))
    return int(pytest.ExitCode.TESTS_FAILED if failed or problems else pytest.ExitCode.OK)


def _total(freed: int, *, dry_run: bool) -> str:
    return f"would free {format_size(freed)}; nothing removed" if dry_run else f"freed {format_size(freed)}"


def _row(verb: str, image: StoredImage, remark: str) -> tuple[str, ...]:
    age = format_age(time.time() - image.last_used)
    return verb, image.tag.label or "?", image.python, image.project, format_size(image.info.size), age, remark


def _other_use(stored: Stored, image: StoredImage) -> str:
    """Return which other project uses an image; empty if none does."""
    others = [use.rootdir for identity, use in image.uses.items() if identity != stored.identity]
    present = [rootdir for rootdir in others if rootdir.is_dir()]
    if present:
        return f"also used by {present[0]}"
    unknown = image.identity != stored.identity and image.identity not in image.uses
    return f"also used by the project {image.project}" if unknown else ""


class _Volume(Immutable):
    name: str
    content: str
    size: int  # bytes
    problem: str = ""  # why it could not be removed

    def __str__(self) -> str:
        text = f"volume {self.name}, {self.content}, {format_size(self.size)}"
        return f"{text} ({self.problem})" if self.problem else text


def _prune_volumes(engine: Engine, lease: Lease, identity: str, arguments: Namespace) -> list[_Volume]:
    """Remove the requested caches, and copies and bytecode that no session uses; return them.

    :param identity: of the project whose caches are requested; empty for all projects.
    """
    all_own = arguments.cache and arguments.all
    caches = _find_caches(engine, identity) if arguments.cache else []
    copies = find_unused_copies(engine, lease, all_own=all_own)
    bytecode = find_unused_bytecode(engine, lease, all_own=all_own)
    sizes = engine.volume_sizes() if caches or copies or bytecode else {}
    problems: dict[str, str] = {}
    if not arguments.dry_run:
        for name in caches:
            try:
                engine.remove_volume(name)
            except EngineError as error:
                problems[name] = error.message
        copies, bytecode = remove_copies(engine, copies), remove_bytecode(engine, lease, bytecode)
    contents = {
        **dict.fromkeys(caches, "a download cache"),
        **dict.fromkeys(copies, "the copy of a source tree"),
        **dict.fromkeys(bytecode, "the bytecode of a source tree"),
    }
    return [
        _Volume(name=name, content=content, size=sizes.get(name, 0), problem=problems.get(name, ""))
        for name, content in contents.items()
    ]


def _find_caches(engine: Engine, identity: str) -> list[str]:
    """Return the caches of a project, with downloads or uv; all caches if its identity is empty."""
    volumes = [entry for entry in engine.leftovers(f"{KIND_LABEL}=cache") if entry.kind == "volume"]
    return sorted(
        entry.name
        for entry in volumes
        if identity in ("", make_identity(entry.labels.get(PROJECT_LABEL, ""), entry.labels.get(ROOT_LABEL, "")))
    )
