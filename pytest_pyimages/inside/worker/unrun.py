"""Count the collected tests that have no result, and name the reason."""

from __future__ import absolute_import, print_function

import os

from .records import clip, to_text


class Unrun(object):
    """The node ids of the collected tests that have no result yet."""

    def __init__(self):
        self.nodeids = set()
        self.repeated = set()  # those of which a plugin has repeated the last attempt, such as "rerun"
        self.half = set()  # those whose teardown was reported, and no call
        self.reason = ""

    def add(self, nodeids):
        self.nodeids.update(nodeids)

    def forget(self, nodeid):
        """Forget a test that has a result, perhaps in a later attempt."""
        self.repeated.discard(nodeid)
        self.nodeids.discard(nodeid)

    def record(self, nodeid, report):
        """Forget a test that has a result: the host has the same rule (``ImageRun.record_phase``)."""
        if type(report).__name__ == "SubtestReport":
            return
        if report.outcome not in ("passed", "failed", "skipped"):
            self.repeated.add(nodeid)
        elif report.when == "call" or report.outcome != "passed":
            self.forget(nodeid)
        elif report.when == "teardown" and nodeid in self.nodeids and nodeid not in self.repeated:
            self.half.add(nodeid)

    def find_reason(self, config, session, collected):
        """Store why tests have no result, when the session finishes.

        :param collected: how many tests there are in ``session.items``, unless the suite removes some.
        """
        reason = getattr(session, "shouldfail", False) or getattr(session, "shouldstop", False)
        if not reason and self.nodeids:
            reason = find_replaced_loop(config)
        if not reason and self.half & self.nodeids:
            reason = "the suite reported no call phase"
        if not reason and len(getattr(session, "items", ())) < collected:
            reason = "the suite removed tests from session.items after the collection"
        self.reason = clip(to_text(reason or ""), 4096)


def find_replaced_loop(config):
    """Return the hooks of plugins and conftests that run tests instead of pytest; empty if there are none."""
    root = to_text(getattr(config, "rootpath", None) or config.rootdir) + os.sep
    found = []
    for name in ("pytest_runtestloop", "pytest_runtest_protocol"):
        for implementation in getattr(config.hook, name).get_hookimpls():
            is_wrapper = implementation.hookwrapper or getattr(implementation, "wrapper", False)
            module = to_text(implementation.function.__module__)
            if not is_wrapper and module.split(".")[0] not in ("_pytest", "xdist", "pyimages_worker"):
                found.append("%s of %s" % (name, to_text(implementation.plugin_name).replace(root, "")))
    return ", ".join(found)
