"""What the user typed to images: entries, ranges, braces, references, ``auto`` and the trailing ``?``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from pytest_pyimages.matrix.braces import MOST_IMAGES, expand_braces
from pytest_pyimages.matrix.faults import EntryError, rejection
from pytest_pyimages.matrix.project import ProjectPythons, admitted_releases
from pytest_pyimages.matrix.ranges import expand_range
from pytest_pyimages.matrix.references import (
    Reference,
    is_reference,
    labels_for,
    parse_reference,
    parse_registry,
)
from pytest_pyimages.matrix.tags import check_tag

OPTION = "--py-images"
REGISTRY_OPTION = "--py-images-registry"
ALLOWED_TO_FAIL = "?"
AUTO = "auto"
_BLANK = " \t\r"
_LONGEST_ENTRY = 4096
_EXAMPLE = "for example 3.12,3.14-slim"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageTag:
    """An image of the matrix."""

    label: str  # what people see and node ids carry: "3.12", "pypy:3.11-slim"; unique; no brackets, no space
    reference: str  # what the engine is asked for: "python:3.12", "localhost:5000/library/python:3.12"
    allowed_to_fail: bool  # from a trailing "?"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Selected:
    text: str  # as typed, after expansion, without the "?"
    reference: Reference
    allowed_to_fail: bool


def parse_matrix(
    specs: Sequence[str], *, registry: str = "", project: ProjectPythons | None = None
) -> tuple[ImageTag, ...]:
    """The images that the specs name, in their order, each once.

    Entries are separated by commas and line ends. One that is named both with and without ``?`` is required.

    :param specs: the values of the option or of the ini key; none give no images.
    :param registry: what stands before plain tags instead of the engine's default registry: ``localhost:5000/library``.
    :param project: what ``auto`` goes by; without it ``auto`` stands for all releases that are maintained.
    :raises ConfigurationError: an entry (or the registry) is wrong; names it, and the nearest right one.
    """
    prefix = _registry_prefix(registry)
    selected: dict[str, _Selected] = {}
    for spec in specs:
        subject = spec
        try:
            for entry in _entries(spec):
                subject = entry
                for image in _select(entry, prefix, project or ProjectPythons()):
                    _add(selected, image)
        except EntryError as fault:
            fault.nearest = tuple(text for text in fault.nearest if _can_be_taken(text))
            raise rejection(OPTION, subject, fault) from None
    return _labelled(selected.values())


def _registry_prefix(registry: str) -> str:
    try:
        return parse_registry(registry)
    except EntryError as fault:
        fault.nearest = tuple(text for text in fault.nearest if _is_registry(text))
        raise rejection(REGISTRY_OPTION, registry, fault) from None


def _is_registry(text: str) -> bool:
    try:
        return bool(parse_registry(text))
    except EntryError:
        return False


def _entries(spec: str) -> tuple[str, ...]:
    """The entries of one spec, without the space around them.

    A comma at the end of a line that is not the last says the same as the line end; other empty entries are errors.
    """
    lines = spec.split("\n")
    entries: list[str] = []
    for number, line in enumerate(lines, 1):
        content = line.strip(_BLANK)
        if not content:
            continue
        if number < len(lines) and content != ",":
            content = content.removesuffix(",")
        entries.extend(part.strip(_BLANK) for part in _split_at_commas(content))
    if not any(entries):
        raise EntryError("names no image", hint=_EXAMPLE)
    if not all(entries):
        hint = "put no space after a comma" if not entries[-1] else ""
        raise EntryError("has an empty entry", nearest=(",".join(entry for entry in entries if entry),), hint=hint)
    return tuple(entries)


def _split_at_commas(line: str) -> list[str]:
    """The parts between the commas that stand outside of braces."""
    parts, depth, start = [], 0, 0
    for position, character in enumerate(line):
        if character == "," and depth == 0:
            parts.append(line[start:position])
            start = position + 1
        elif character in "{}":
            depth = max(0, depth + (1 if character == "{" else -1))
    return [*parts, line[start:]]


def _select(entry: str, prefix: str, project: ProjectPythons) -> Iterator[_Selected]:
    """The images of one entry.

    :raises EntryError: with the part of the entry that is at fault.
    """
    if len(entry) > _LONGEST_ENTRY:
        raise EntryError(f"is longer than {_LONGEST_ENTRY} characters")
    if re.search(r"\s", entry):
        raise EntryError("has space inside", nearest=(",".join(entry.split()), "".join(entry.split())))
    if entry.endswith(ALLOWED_TO_FAIL * 2):
        raise EntryError(
            f'has more than one "{ALLOWED_TO_FAIL}"', nearest=(entry.rstrip(ALLOWED_TO_FAIL) + ALLOWED_TO_FAIL,)
        )
    all_allowed = entry.endswith(ALLOWED_TO_FAIL)
    for expanded in expand_braces(entry.removesuffix(ALLOWED_TO_FAIL)):
        text = expanded.removesuffix(ALLOWED_TO_FAIL)
        allowed = all_allowed or text != expanded
        part = text
        try:
            _check_expanded(text, entry)
            for part in _tags(text, project):
                yield _image(part, prefix, allowed_to_fail=allowed)
        except EntryError as fault:
            fault.part = part
            raise


def _check_expanded(text: str, entry: str) -> None:
    if not text:
        raise EntryError("has an empty alternative" if "{" in entry else "names no image", hint=_EXAMPLE)
    if ALLOWED_TO_FAIL in text:
        nearest = text.replace(ALLOWED_TO_FAIL, "") + ALLOWED_TO_FAIL
        raise EntryError(f'has a "{ALLOWED_TO_FAIL}" that is not at the end', nearest=(nearest,))


def _tags(text: str, project: ProjectPythons) -> Iterable[str]:
    """The tags or the reference that one text without braces stands for."""
    if text == AUTO:
        return tuple(release.name for release in admitted_releases(project))
    if text.lower() == AUTO:
        raise EntryError("is not a Python tag", nearest=(AUTO,))
    if text.startswith(f"{AUTO}-"):
        raise EntryError(f"puts a suffix on {AUTO}, which takes none", nearest=(AUTO,))
    return (text,) if is_reference(text) else expand_range(text)


def _image(text: str, prefix: str, *, allowed_to_fail: bool) -> _Selected:
    if is_reference(text):
        reference = parse_reference(text)
    else:
        check_tag(text)
        reference = parse_reference(f"{prefix}python:{text}")
    return _Selected(text=text, reference=reference, allowed_to_fail=allowed_to_fail)


def _add(selected: dict[str, _Selected], image: _Selected) -> None:
    """Keep the image at the place of its first mention; required wins over allowed to fail."""
    known = selected.setdefault(image.reference.identity, image)
    if known.allowed_to_fail and not image.allowed_to_fail:
        selected[image.reference.identity] = replace(known, allowed_to_fail=False)
    if len(selected) > MOST_IMAGES:
        raise EntryError(f"brings the matrix to more than {MOST_IMAGES} images")


def _labelled(selected: Iterable[_Selected]) -> tuple[ImageTag, ...]:
    tags: dict[str, ImageTag] = {}
    for image in selected:
        label = next(label for label in labels_for(image.text) if label not in tags)
        tags[label] = ImageTag(label=label, reference=str(image.reference), allowed_to_fail=image.allowed_to_fail)
    return tuple(tags.values())


def _can_be_taken(text: str) -> bool:
    """Whether a suggestion would not lead to the next error."""
    try:
        for entry in _entries(text):
            tuple(_select(entry, "", ProjectPythons()))
    except EntryError:
        return False
    return True
