"""Send the host what it keeps of a suite's files: what pytest-cov measures, and the names of bytecode.

One report is made of all images' data; what has bytecode after a slow collection is compiled before the next run.
"""

from __future__ import absolute_import, print_function

import base64
import os
import sys

import pytest

from .channel import clock

PART = 256 * 1024  # bytes of a file in one record
MAX_DATA = 256 * 1024 * 1024  # bytes of one data file
MOST_NAMES = 20000
ROWS = 500  # names in one record
CACHE = "__pycache__"


class Measuring(object):
    """Lets pytest-cov measure without a report, and sends its data file."""

    def __init__(self, channel):
        self.channel = channel
        self.plugin = None

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_load_initial_conftests(self, early_config):
        # The data of earlier runs are added once, in the report.
        early_config.known_args_namespace.cov_append = False
        yield
        plugin = early_config.pluginmanager.getplugin("_cov")
        if plugin is not None:
            # One report is made of all images, and judged against the required total.
            plugin._should_report = lambda: False
            plugin.options.cov_fail_under = None
            self.plugin = plugin

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session):
        controller = getattr(self.plugin, "cov_controller", None)
        if controller is None or getattr(session.config.option, "collectonly", False):
            return
        try:
            path, size = find_data(controller)
        except Exception as error:  # coverage's, or that of one of its plugins
            self.channel.send({"t": "measured", "size": 0, "problem": "%s: %s" % (type(error).__name__, error)})
            return
        if path:
            send_content(self.channel, path)
        lost = len(getattr(controller, "failed_workers", ()))
        problem = "what %d of xdist's workers measured was lost with them" % lost if lost else ""
        self.channel.send({"t": "measured", "size": size, "problem": problem})


def find_data(controller):
    """Return the path and the size of the data file; None and 0 if nothing was measured."""
    import coverage

    if coverage.version_info < (5,):
        raise ValueError("coverage %s has a data format of its own, 5.0 is needed" % coverage.__version__)
    if controller.cov is not controller.combining_cov:  # the suite was stopped before pytest-cov finished
        controller.finish()
    path = controller.cov.get_data().data_filename()
    if not os.path.exists(path):
        return None, 0
    size = os.path.getsize(path)
    if size > MAX_DATA:
        raise ValueError("its data file has %d MiB, %d are the limit" % (size >> 20, MAX_DATA >> 20))
    return path, size


def send_content(channel, path):
    """Send a file's content in parts."""
    with open(path, "rb") as file:
        while True:
            data = file.read(PART)
            if not data:
                return
            channel.send({"t": "coverage", "data": base64.b64encode(data).decode("ascii")})


class BytecodeLister(object):
    """Names the bytecode that a slow collection has left in the source, or found there, before its last record."""

    def __init__(self, channel, spec):
        self.channel = channel
        self.root = spec["source"]["root"]
        self.skipped = frozenset(spec["bytecode"]["skip"])
        self.seconds = spec["bytecode"]["seconds"]
        self.began = None  # None again when the names were sent

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self):
        self.began = clock()

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self):
        self.send()

    @pytest.hookimpl(tryfirst=True, optionalhook=True)
    def pytest_xdist_node_collection_finished(self):
        self.send()

    def send(self):
        """Send the names, once, if the collection was slow."""
        began, self.began = self.began, None
        if began is not None and clock() - began > self.seconds:
            names = list_bytecode(self.root, self.skipped)
            for start in range(0, len(names), ROWS):
                self.channel.send({"t": "compiled", "paths": names[start : start + ROWS]})


def list_bytecode(root, skipped):
    """Return the paths below the root of this Python's bytecode; that of Python 2 is not worth it.

    :param skipped: names of folders that are not looked at.
    """
    tag = getattr(getattr(sys, "implementation", None), "cache_tag", None)
    found = []
    for folder, folders, _ in os.walk(root) if tag else ():
        if CACHE in folders:
            below = os.path.relpath(os.path.join(folder, CACHE), root)
            try:
                names = sorted(os.listdir(os.path.join(folder, CACHE)))
            except (IOError, OSError):  # of another user
                names = []
            found += [os.path.join(below, name) for name in names if name.endswith(".pyc") and "." + tag in name]
            if len(found) > MOST_NAMES:
                return found[:MOST_NAMES]
        folders[:] = [name for name in folders if name not in skipped]
    return found
