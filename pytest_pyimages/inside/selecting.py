"""Decide what arguments that name an image mean, in the container: a pytest plugin of its own.

``test_a.py::test_x[3.12]`` is the test ``test_x`` on the image 3.12, unless the suite has a test of this very name. So
both are collected, and what was not meant is removed. The worker names this file with ``-p``, see sharding.py.
Standard library and pytest only, and the common syntax of Python 2.7 to 3.15.
"""

from __future__ import print_function

import io
import json
import os

import pytest

JOB = "selection.json"  # ids, deselected, keywords
STATE = {}  # the job, and what this process has learned


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session):
    """Collect the tests without an image's name, too."""
    config = session.config
    with io.open(os.path.join(os.path.dirname(os.path.abspath(__file__)), JOB), encoding="utf-8") as file:
        STATE.update(make_native(json.load(file)))
    STATE["ids"] = [chosen for chosen in STATE["ids"] if chosen["word"] in config.args]  # not values of options
    nodeids = dict((chosen["word"], chosen["nodeid"]) for chosen in STATE["ids"])
    STATE["others"] = [arg for arg in config.args if arg not in nodeids]
    config.args[:] = [str(nodeids.get(arg, arg)) for arg in config.args]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    keep_chosen(config, items)
    choose_keywords(config, items)
    deselect(config, items)


def make_native(value):
    """Return a JSON value with the strings of arguments and node ids: in Python 2 bytes."""
    if isinstance(value, dict):
        return dict((make_native(key), make_native(item)) for key, item in value.items())
    if isinstance(value, list):
        return [make_native(item) for item in value]
    return value.encode("utf-8") if str is bytes and hasattr(value, "encode") else value


def keep_chosen(config, items):
    """Remove the tests that were collected only because a node id may name an image."""
    chosen, kept = set(), set()
    for entry in STATE["ids"]:
        found = [item for item in items if is_selected(config, item, entry["nodeid"])]
        exact = [item for item in found if get_names(item.nodeid) == get_names(entry["word"])]
        if exact and entry["unique"]:
            text = "%s is the id of a test, too; to select that test, add an image: %s[%s]"
            image = entry["word"][len(entry["nodeid"]) + 1 : -1]
            raise pytest.UsageError(text % (entry["word"], entry["word"], image))
        chosen.update(map(id, found))
        kept.update(map(id, exact or (found if entry["mine"] else ())))
    items[:] = [
        item
        for item in items
        if id(item) not in chosen
        or id(item) in kept
        or any(is_selected(config, item, other) for other in STATE["others"])
    ]


def choose_keywords(config, items):
    """Let an image's name in -k be true or false, unless names of tests have it."""
    keywords = STATE["keywords"]
    if not keywords or config.option.keyword != keywords["expression"]:
        return
    for operand in keywords["operands"]:
        if any(operand.lower() in item.nodeid.lower() for item in items):
            if keywords["unique"]:
                text = "-k: %s is a part of test names, too; select images with --py-images and tests by their ids"
                raise pytest.UsageError(text % operand)
            return
    if keywords["folded"] is None:
        remove(config, items, list(items))
    else:
        config.option.keyword = str(keywords["folded"])


def deselect(config, items):
    """Deselect the tests of an id that names an image and no test."""
    for entry in STATE["deselected"]:
        if not any(item.nodeid.startswith(entry["word"]) for item in items):
            remove(config, items, [item for item in items if begins(item.nodeid, entry["nodeid"])])


def remove(config, items, deselected):
    if deselected:
        gone = set(map(id, deselected))
        items[:] = [item for item in items if id(item) not in gone]
        config.hook.pytest_deselected(items=deselected)


def get_names(nodeid):
    return nodeid.partition("::")[2]


def begins(nodeid, prefix):
    """Return whether a node id is this one, or one of its parameters or of what it holds."""
    return nodeid == prefix or nodeid.startswith((prefix + "[", prefix + "::", prefix + "/"))


def is_selected(config, item, arg):
    """Return whether a path or node id of the command line selects a test."""
    path, _, names = arg.partition("::")
    if names and not begins(get_names(item.nodeid), names):
        return False
    own = os.path.realpath(str(getattr(item, "path", None) or item.fspath))
    folder = getattr(config, "invocation_dir", None) or config.invocation_params.dir
    given = os.path.realpath(os.path.join(str(folder), path))
    if own == given or own.startswith(os.path.join(given, "")):
        return True
    return config.option.pyargs and path.replace(".", os.sep) in own
