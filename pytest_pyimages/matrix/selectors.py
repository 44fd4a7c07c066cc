"""Parse the matrix: entries, ranges, braces, references, words such as ``auto``, and the trailing ``?``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from pytest_pyimages.immutable import Immutable
from pytest_pyimages.matrix.braces import MOST_IMAGES, expand_braces
from pytest_pyimages.matrix.faults import EntryError, make_error
from pytest_pyimages.matrix.nearest import similar_tags
from pytest_pyimages.matrix.other_notations import refuse_notation, refuse_specifier
from pytest_pyimages.matrix.platforms import parse_platform, split_platform
from pytest_pyimages.matrix.project import ProjectPythons
from pytest_pyimages.matrix.ranges import expand_range
from pytest_pyimages.matrix.references import (
    Reference,
    is_image_id,
    is_reference,
    make_labels,
    parse_image_id,
    parse_reference,
    parse_registry,
)
from pytest_pyimages.matrix.releases import split_free_threaded
from pytest_pyimages.matrix.tags import check_tag, has_tag_form
from pytest_pyimages.matrix.words import expand_word

OPTION = "--py-images"
REGISTRY_OPTION = "--py-images-registry"
PLATFORM_OPTION = "--py-images-platform"
ALLOWED_TO_FAIL = "?"
_BLANK = " \t\r"
_VARIANT = re.compile(r"(?P<name>[^+]+)\+(?P<variant>[A-Za-z][A-Za-z0-9_.-]*)")  # no tag or reference has a plus sign
_LONGEST_ENTRY = 4096
_EXAMPLE = "for example 3.12,3.14-slim"


class ImageTag(Immutable):
    """An image of the matrix."""

    label: str  #: shown, and in node ids: "3.12", "pypy:3.11-slim"; unique; no brackets, no space
    reference: str  #: for the engine: "python:3.12", "localhost:5000/library/python:3.12"
    allowed_to_fail: bool  #: from a trailing "?"
    platform: str = ""  #: "linux/arm64"; empty for the engine's own
    variant: str = ""  #: name of the project's variant: "lowest" in 3.14+lowest; empty for none
    interpreter: str = ""  #: "3.14t": the Python that is installed into the image; empty for the image's own


class _Selected(NamedTuple):
    text: str  # as typed, after expansion, without the "?"
    reference: Reference
    allowed_to_fail: bool
    platform: str = ""  # of the entry
    variant: str = ""
    interpreter: str = ""  # free-threaded, to be installed

    @property
    def suffix(self) -> str:
        """What follows the tag or the reference in the entry."""
        return (f"+{self.variant}" if self.variant else "") + (f"@{self.platform}" if self.platform else "")

    @property
    def identity(self) -> str:
        return self.reference.identity + self.interpreter[-1:] + self.suffix


def parse_matrix(
    specs: Sequence[str], *, registry: str = "", project: ProjectPythons | None = None, platform: str = ""
) -> tuple[ImageTag, ...]:
    """Return the images of the specs in their order, each once.

    Entries are separated by commas and line ends. An image that is named both with and without ``?`` is required.

    :param specs: the values of the option or of the ini key.
    :param registry: prefix of plain tags instead of the engine's default registry: ``localhost:5000/library``.
    :param project: decides what ``auto`` stands for; without it, for all maintained releases.
    :param platform: of all entries that name none; empty for the engine's own.
    :raises ConfigurationError: for an invalid entry, registry or platform; names it, and the nearest valid one.
    """
    prefix = _parse_prefix(registry)
    platform = _parse_default_platform(platform)
    selected: dict[str, _Selected] = {}
    for spec in specs:
        subject = spec
        try:
            refuse_specifier(spec)
            for entry in _split_entries(spec):
                subject = entry
                for image in _select_images(entry, prefix, project or ProjectPythons()):
                    _add(selected, image)
        except EntryError as fault:
            fault.nearest = tuple(text for text in fault.nearest if _is_valid(text))
            raise make_error(OPTION, subject, fault) from None
    return _assign_labels(selected.values(), platform)


def _parse_prefix(registry: str) -> str:
    try:
        return parse_registry(registry)
    except EntryError as fault:
        fault.nearest = tuple(text for text in fault.nearest if _is_registry(text))
        raise make_error(REGISTRY_OPTION, registry, fault) from None


def _parse_default_platform(text: str) -> str:
    try:
        return parse_platform(text) if text else ""
    except EntryError as fault:
        raise make_error(PLATFORM_OPTION, text, fault) from None


def _is_registry(text: str) -> bool:
    try:
        return bool(parse_registry(text))
    except EntryError:
        return False


def _split_entries(spec: str) -> tuple[str, ...]:
    """Return the entries of one spec, without the space around them.

    A comma at the end of a line is ignored, except for the last line's; other empty entries are errors.
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
    """Return the parts between the commas outside of braces."""
    parts, depth, start = [], 0, 0
    for position, character in enumerate(line):
        if character == "," and depth == 0:
            parts.append(line[start:position])
            start = position + 1
        elif character in "{}":
            depth = max(0, depth + (1 if character == "{" else -1))
    return [*parts, line[start:]]


def _select_images(entry: str, prefix: str, project: ProjectPythons) -> Iterator[_Selected]:
    """Yield the images of one entry.

    :raises EntryError: with the invalid part of the entry.
    """
    if len(entry) > _LONGEST_ENTRY:
        raise EntryError(f"is longer than {_LONGEST_ENTRY} characters")
    refuse_notation(entry)
    words = entry.split()
    if words != [entry]:
        joined = "".join(words)
        similar = similar_tags(joined)[:1] if joined[:1].isalpha() else ()  # "Python 3.12"
        raise EntryError("contains a space", nearest=(",".join(words), joined, *similar))
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
            named, platform = split_platform(text)
            named, variant = _split_variant(named)
            for part in _expand_tags(named, project):
                image = _make_image(part, prefix, allowed_to_fail=allowed)
                yield image._replace(platform=platform, variant=variant)
        except EntryError as fault:
            fault.part = part
            raise


def _check_expanded(text: str, entry: str) -> None:
    if not text:
        raise EntryError("has an empty alternative" if "{" in entry else "names no image", hint=_EXAMPLE)
    if ALLOWED_TO_FAIL in text:
        nearest = text.replace(ALLOWED_TO_FAIL, "") + ALLOWED_TO_FAIL
        raise EntryError(f'has a "{ALLOWED_TO_FAIL}" that is not at the end', nearest=(nearest,))


def _split_variant(text: str) -> tuple[str, str]:
    """Return an entry and the name of its variant, after a plus sign; empty without one."""
    match = _VARIANT.fullmatch(text)
    return (match["name"], match["variant"]) if match else (text, "")


def read_label(label: str, reference: str) -> ImageTag:
    """Return the image of a label that was assigned in an earlier session."""
    named, platform = split_platform(label)
    named, variant = _split_variant(named)
    interpreter = split_free_threaded(named.partition("@")[0])[1]
    return ImageTag(
        label=label,
        reference=reference,
        allowed_to_fail=False,
        platform=platform,
        variant=variant,
        interpreter=interpreter,
    )


def _expand_tags(text: str, project: ProjectPythons) -> Iterable[str]:
    """Return the tags or the reference of a text without braces."""
    if is_reference(text) or is_image_id(text):
        return (text,)
    return expand_word(text, project) or expand_range(text)


def _make_image(text: str, prefix: str, *, allowed_to_fail: bool) -> _Selected:
    interpreter = ""
    tag, at, digest = text.partition("@")
    if is_image_id(text):
        reference = parse_image_id(text)
    elif is_reference(tag) or (at and not has_tag_form(tag)):
        reference = parse_reference(text)
    else:
        plain, interpreter = split_free_threaded(tag)
        try:
            check_tag(plain)
        except EntryError as fault:
            fault.nearest = tuple(re.sub(r"^3\.\d+", rf"\g<0>{interpreter[-1:]}", near) for near in fault.nearest)
            raise
        reference = parse_reference(f"{prefix}python:{plain}{at}{digest}")
    return _Selected(text=text, reference=reference, allowed_to_fail=allowed_to_fail, interpreter=interpreter)


def _add(selected: dict[str, _Selected], image: _Selected) -> None:
    """Add an image, or mark one that is known as required."""
    known = selected.setdefault(image.identity, image)
    if known.allowed_to_fail and not image.allowed_to_fail:
        selected[image.identity] = known._replace(allowed_to_fail=False)
    if len(selected) > MOST_IMAGES:
        raise EntryError(f"makes a matrix of more than {MOST_IMAGES} images")


def _assign_labels(selected: Iterable[_Selected], platform: str) -> tuple[ImageTag, ...]:
    """Return the images with a label each.

    :param platform: of the images that name none; their labels do not name it either.
    """
    tags: dict[str, ImageTag] = {}
    for image in selected:
        label = next(label for text in make_labels(image.text) if (label := text + image.suffix) not in tags)
        tags[label] = ImageTag(
            label=label,
            reference=str(image.reference),
            allowed_to_fail=image.allowed_to_fail,
            platform=image.platform or platform,
            variant=image.variant,
            interpreter=image.interpreter,
        )
    return tuple(tags.values())


def _is_valid(text: str) -> bool:
    """Return whether a suggestion would not be the next error."""
    try:
        for entry in _split_entries(text):
            tuple(_select_images(entry, "", ProjectPythons()))
    except EntryError:
        return False
    return True
