"""Send to the host what the suite adds to pytest's junit file; the host's pytest writes that of all images."""

from __future__ import absolute_import, print_function

import os

import pytest
from _pytest import junitxml

from .records import clip, simplify, to_text


class JunitAdditions(object):
    """Follows pytest's own junit plugin, which is active in the container, too: conftests look it up and add to it."""

    def __init__(self, channel):
        self.channel = channel
        self.xml = None
        self.attributes = {}  # node id -> attributes that fixtures of the test have added

    def pytest_plugin_registered(self, plugin):
        if isinstance(plugin, junitxml.LogXML):
            self.xml = plugin
            self._follow_attributes()

    def _follow_attributes(self):
        add_attribute = junitxml._NodeReporter.add_attribute

        def add_and_keep(reporter, name, value):
            add_attribute(reporter, name, value)
            kept = self.attributes.setdefault(to_text(reporter.id), {})
            kept[to_text(name)] = clip(to_text(value), 65536)

        junitxml._NodeReporter.add_attribute = add_and_keep

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self):
        """Let pytest write its file only where it can: the host writes the one that counts."""
        if self.xml is None:
            return
        path = os.path.abspath(self.xml.logfile)
        try:
            if not os.path.isdir(os.path.dirname(path)):
                os.makedirs(os.path.dirname(path))
            with open(path, "w") as file:
                file.write("\n")
        except (IOError, OSError):
            self.xml.logfile = os.devnull

    def take_attributes(self, nodeid):
        """Remove and return the attributes of a test, as pairs of texts."""
        return sorted(self.attributes.pop(nodeid, {}).items())

    def send_properties(self):
        """Send what record_testsuite_property and conftests have added to the suite."""
        added = getattr(self.xml, "global_properties", ())
        # Until pytest 6, the values are objects of py.xml.
        pairs = [[to_text(name), to_text(getattr(value, "uniobj", value))] for name, value in added]
        if pairs:
            self.channel.send({"t": "properties", "pairs": simplify(pairs)})
