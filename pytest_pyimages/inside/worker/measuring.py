"""Send what pytest-cov measures to the host, where one report is made of all images' data."""

from __future__ import absolute_import, print_function

import base64
import os

import pytest

PART = 256 * 1024  # bytes of a file in one record
MAX_DATA = 256 * 1024 * 1024  # bytes of one data file


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
