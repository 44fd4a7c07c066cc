"""Which images the command line selects: node ids and ``-k`` expressions that name images.

A test is shown as ``tests/test_a.py::test_x[3.14-slim]``, so that is what users paste. Other images do not get that
node id, and an image that nothing selects is left out. But a test may have a parameter of that name: then its node id
means what it means to pytest, on all images. Only the collection knows, so containers get what was typed, and a plugin
in the container decides (``inside/selecting.py``); images are left out only where no parameter is to be expected.

Arguments that were not typed, and values of options that only the suite knows, are left as they are.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.host.command_line import POSITION, Argument, CommandLine
from pytest_pyimages.host.expressions import find_image_operands, fold_expression, split_brackets, split_nodeid
from pytest_pyimages.host.invocation import Invocation
from pytest_pyimages.host.parameters import may_have_parameter, mentions_any

_SELECTING = tuple(
    "-k -m --deselect --ignore --ignore-glob --lf --last-failed --nf --new-first --sw --stepwise".split()
)


class Target(NamedTuple):
    """A position that was typed."""

    word: str
    nodeid: str  # without the image
    image: str  # the label that it ends with; empty for none
    is_certain: bool  # that it is no value of an option
    for_all: bool  # whether all images get it

    @property
    def is_decided_later(self) -> bool:
        """Whether only the container knows what it means."""
        return bool(self.image) and (not self.is_certain or "::" in self.word)

    def make_entry(self, label: str, labels: Sequence[str]) -> dict[str, Any]:
        """Return this for the job of an image."""
        unique = not self.for_all and len(labels) > 1  # for this image, though it may be a test of all
        return {"word": self.word, "nodeid": self.nodeid, "mine": self.image == label, "unique": unique}


class _Keywords(NamedTuple):
    """The ``-k`` expression that was typed."""

    expression: str
    labels: Sequence[str]
    operands: tuple[str, ...]  # that name images
    may_be_names: bool  # whether names of tests may have these operands

    @classmethod
    def find(cls, invocation: Invocation, labels: Sequence[str]) -> _Keywords:
        expression = invocation.typed.last("-k")
        operands = find_image_operands(expression, labels)
        may_be_names = bool(operands) and mentions_any(operands, invocation)
        return cls(expression=expression, labels=labels, operands=operands, may_be_names=may_be_names)

    def may_select(self, label: str) -> bool:
        """Return whether tests of an image may be selected."""
        return self.may_be_names or fold_expression(self.expression, label, self.labels) is not False

    def make_entry(self, label: str) -> dict[str, Any]:
        """Return this for the job of an image."""
        folded = fold_expression(self.expression, label, self.labels)
        return {
            "expression": self.expression,
            "operands": list(self.operands),
            "folded": folded if isinstance(folded, str) else "" if folded else None,
            "unique": not self.may_be_names and len(self.labels) > 1,
        }


class ImageArguments(NamedTuple):
    """What one image's pytest gets."""

    words: tuple[str, ...]
    selection: Mapping[str, Any] | None  # the job of inside/selecting.py; None if no argument names an image


def split_by_image(
    invocation: Invocation, labels: Sequence[str], options: Sequence[str] = ()
) -> dict[str, ImageArguments]:
    """Return pytest's arguments for each selected image, by label.

    :param labels: of the whole matrix.
    :param options: further ones, for each image.
    """
    typed = invocation.typed.container_arguments()
    targets = find_targets(invocation, labels)
    keywords = _Keywords.find(invocation, labels)
    deselected = [(value, *split_nodeid(value, labels)) for value in typed.values("--deselect")]
    found = {}
    for label in labels:
        mine = [target for target in targets if target.for_all or target.image == label]
        is_selected = bool(mine or not targets) and ("", label) not in [each[1:] for each in deselected]
        if not is_selected or not keywords.may_select(label):
            continue
        if any((target.nodeid, target.image) == ("", label) for target in mine):  # "[3.12]"
            mine = [target for target in mine if target.image != label]
        selection = {
            "ids": [target.make_entry(label, labels) for target in mine if target.is_decided_later],
            "deselected": [{"word": word, "nodeid": nodeid} for word, nodeid, image in deselected if image == label],
            "keywords": keywords.make_entry(label) if keywords.operands else None,
        }
        found[label] = ImageArguments(
            words=CommandLine(tuple(_choose_arguments(typed, mine))).adding(*options),
            selection=selection if any(selection.values()) else None,
        )
    return found


def _choose_arguments(typed: CommandLine, targets: Sequence[Target]) -> Iterator[Argument]:
    """Yield the arguments of an image that has these targets."""
    words = {target.word: target.word if target.is_decided_later else target.nodeid for target in targets}
    for argument in typed.arguments:
        if argument.name != POSITION:
            yield argument
        elif argument.words[0] in words:
            yield argument._replace(words=(words[argument.words[0]],))


def find_targets(invocation: Invocation, labels: Sequence[str]) -> list[Target]:
    """Return the positions that were typed.

    :param labels: of the whole matrix.
    """
    found, is_certain = [], True
    for argument in invocation.typed.arguments:
        if argument.name != POSITION:
            is_certain = not argument.may_precede_values
        else:
            word = argument.words[0]
            is_path = "::" not in word and os.path.exists(invocation.cwd / word)  # noqa: PTH110 - any text
            nodeid, image = (word, "") if is_path else split_nodeid(word, labels)
            for_all = not image or not is_certain or ("::" in word and may_have_parameter(nodeid, image, invocation))
            found.append(Target(word=word, nodeid=nodeid, image=image, is_certain=is_certain, for_all=for_all))
    return found


def describe_selection(invocation: Invocation, labels: Sequence[str], nodeids: Iterable[str]) -> Iterator[str]:
    """Yield a note for each argument that names an image and was taken for a test, because tests have that name.

    :param nodeids: of all tests that were selected.
    """
    targets = [target for target in find_targets(invocation, labels) if target.is_decided_later and target.for_all]
    keywords = _Keywords.find(invocation, labels)
    operands = keywords.operands if keywords.may_be_names else ()
    if not targets and not operands:
        return
    names = {nodeid.partition("::")[2] for nodeid in nodeids}
    for target in targets:
        if target.word.partition("::")[2] in names:
            yield (
                f"{target.word} is a test with this parameter, and was selected on all images; to select an image, add"
                f" it: {target.word}[{target.image}]"
            )
    for operand in operands:
        if any(operand.lower() in name.lower() for name in names):
            yield f'-k: "{operand}" is part of test names, and was taken for one; to select an image, use --py-images'


def selects_tests(invocation: Invocation) -> bool:
    """Return whether only some tests are selected, so that an image may well have none of them.

    A folder selects nothing: ``pytest tests`` is how a whole suite is run.
    """
    typed = invocation.typed
    is_id = any("::" in position for position in typed.positions)  # also one that may be a value
    is_file = any(not os.path.isdir(invocation.cwd / path) for path in typed.paths)  # noqa: PTH112 - any text
    return invocation.command_line.has(*_SELECTING) or is_id or is_file


def find_other_images(invocation: Invocation, labels: Sequence[str]) -> tuple[str, ...]:
    """Return the suffixes of node ids that parse as image tags and are not in the matrix; maybe a test's parameters."""
    from pytest_pyimages.matrix import parse_matrix

    found = []
    for position in invocation.typed.positions:
        text, last = split_brackets(position)
        if text and last and last not in labels:
            with contextlib.suppress(ConfigurationError):
                labels_of_last = [tag.label for tag in parse_matrix([last])]
                found += [last] if labels_of_last == [last] else []  # a word such as "next" is in no node id of ours
    return tuple(dict.fromkeys(found))
