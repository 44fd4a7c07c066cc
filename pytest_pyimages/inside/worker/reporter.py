"""The plugins that turn pytest's reports into records."""

from __future__ import absolute_import, print_function

import json
import os
import sys

import pytest
from _pytest.reports import TestReport

from .debugging import Debugger, refuse_debugger
from .memory import fill_cache
from .options import find_max_warnings
from .records import (
    MAX_RECORD,
    clip,
    describe_longrepr,
    describe_report,
    encode_report,
    list_sections,
    make_domain,
    simplify,
    to_seconds,
    to_text,
)
from .unrun import Unrun

PROTOCOL = 2


class Reporter(object):
    """Registered as an object, so that inner xdist workers do not load it again."""

    def __init__(self, channel, spec, junit):
        self.channel = channel
        self.spec = spec
        self.junit = junit
        self.indexes = {}
        self.started = []  # node ids of the running tests
        self.tests = 0  # collected; a node id may be there twice
        self.is_collected = False
        self.unrun = Unrun()
        self.held = {}  # node id -> the plain passed phases of a running test
        self.detailed = set()  # node ids of running tests of which a full report was sent
        self.config = None
        self.deselected = 0
        self.processes = 0
        self.debugger = Debugger(channel, spec) if self.spec["terminal"] else None

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config):
        self.config = config
        self.processes = count_processes(config)
        if hasattr(config.option, "pastebin"):
            config.option.pastebin = None  # the host sends it
        problem = fill_cache(config, self.spec["memory"])
        if problem:
            self._warn("PytestCacheWarning", problem)
        self.channel.send(
            {
                "t": "hello",
                "v": PROTOCOL,
                "python": "%d.%d.%d%s" % (sys.version_info[:3] + (format_release(),)),
                "pytest": pytest.__version__,
                "rootdir": to_text(getattr(config, "rootpath", None) or config.rootdir),
                "inifile": to_text(getattr(config, "inipath", None) or config.inifile or ""),
                "processes": self.processes,
                "max_warnings": find_max_warnings(config),
            }
        )
        if self.spec["incomplete"]:
            self._warn("ReadOnlySourceWarning", self.spec["incomplete"], (self.spec["project"], 0))
        if hasattr(config.option, "randomly_seed"):  # pytest-randomly, which is configured after this
            config.option.randomly_seed = self.spec["seed"]
            self.channel.send({"t": "seed", "seed": self.spec["seed"]})
        self.channel.flush()

    def pytest_enter_pdb(self):
        if self.debugger is not None:
            self.debugger.enter()  # with -s, pytest's capture calls nothing

    def pytest_leave_pdb(self):
        if self.debugger is not None:
            self.debugger.leave()

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session):
        self.junit.send_properties()
        self.unrun.find_reason(self.config, session, 0 if self.processes else self.tests)
        distribution = self.config.pluginmanager.getplugin("dsession")
        if getattr(distribution, "_summary_report", None):  # too many of its processes died
            self.channel.send({"t": "gaveup", "text": "xdist: %s" % clip(to_text(distribution._summary_report), 4096)})
        cache = getattr(self.config, "cache", None)
        if self.spec["memory"] is None or cache is None:
            return
        failing = sorted(cache.get("cache/lastfailed", {}))
        for start in range(0, len(failing), 500):
            self.channel.send({"t": "failing", "ids": simplify(failing[start : start + 500])})
        self.channel.send({"t": "kept", "stepwise": simplify(cache.get("cache/stepwise", None))})

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_collection_finish(self, session):
        found = list(session.items)
        yield
        if self.processes or self.is_collected:
            return  # they do that
        kept = {id(item) for item in session.items}
        rows = []
        for item in list(session.items) + [item for item in found if id(item) not in kept]:
            path, line, domain = item.location
            rows.append([item.nodeid, path, line, domain])
        self._collected(rows)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node, ids):
        if not self.is_collected:
            ids = [self._without_group(nodeid) for nodeid in ids]
            self._collected([[nodeid, nodeid.split("::")[0], None, make_domain(nodeid)] for nodeid in ids])

    def _without_group(self, nodeid):
        """Return a node id as everybody knows it: with --dist=loadgroup, xdist adds "@group"."""
        if self.processes and self.config.option.dist == "loadgroup":
            at = nodeid.rfind("@")
            if at > nodeid.rfind("]") and at > nodeid.rfind("::") > 0:
                return nodeid[:at]
        return nodeid

    def _collected(self, rows):
        self.is_collected = True
        self._send_items(rows)
        others = self._shard()
        # What is of other shards was deselected as well, where it was this process that collected.
        self.channel.send({"t": "collected", "count": len(rows), "deselected": max(self.deselected - others, 0)})
        self.channel.flush()

    def _send_items(self, rows):
        for index, row in enumerate(rows, self.tests):
            self.indexes[row[0]] = index
        self.tests += len(rows)
        self.unrun.add(row[0] for row in rows)
        few, size = [], 0
        for row in rows:
            few.append(row)
            size += len(row[0])
            if len(few) == 500 or size > MAX_RECORD // 64:  # an id is there up to three times
                self.channel.send({"t": "items", "items": simplify(few)})
                few, size = [], 0
        if few:
            self.channel.send({"t": "items", "items": simplify(few)})

    def _shard(self):
        """Say what the whole was that the tests are a shard of; return how many are of other shards."""
        if not self.spec["shard"]:
            return 0
        try:
            with open(os.path.join(self.spec["shard"]["folder"], "whole.json")) as file:
                whole = json.load(file)
        except (IOError, OSError):  # nothing was divided, as the host will find
            return 0
        others = whole.pop("deselected")
        self.channel.send(dict(whole, t="shard"))
        return others

    def pytest_deselected(self, items):
        self.deselected += len(items)

    def pytest_collectreport(self, report):
        if report.outcome == "passed":
            return
        record = {
            "t": "collect",
            "id": report.nodeid,
            "outcome": report.outcome,
            "longrepr": describe_longrepr(report),
            "sections": list_sections(report),
        }
        self.channel.send_text(encode_report(record, report))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logstart(self, nodeid, location):
        nodeid = self._without_group(nodeid)
        self.started.append(nodeid)
        if nodeid not in self.indexes:
            self._add_late(nodeid, location)
        self._store_running()

    def _add_late(self, nodeid, location):
        """Send a test that a plugin has made after the collection, or without pytest's own."""
        if not self.is_collected:
            self._collected([])
        self._send_items([[nodeid, location[0], location[1], location[2]]])

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logfinish(self, nodeid):
        nodeid = self._without_group(nodeid)
        for report in self.held.pop(nodeid, ()):
            self._send_report(nodeid, report)
        if nodeid in self.started:
            self.started.remove(nodeid)
        self.detailed.discard(nodeid)
        self._store_running()

    def _store_running(self):
        """Let the parent know which test has been running for longest; of several, it is the one that may hang."""
        self.channel.run(self.indexes.get(self.started[0], -1) if self.started else -1)

    def _find_test(self, report):
        """Return the node id of a report's test as it was collected; a hook may have changed the report's."""
        if self.started == [report.nodeid]:  # nearly always, and this is called three times per test
            return self.started[0]
        nodeid = self._without_group(to_text(report.nodeid))
        if len(self.started) == 1 or (self.started and nodeid not in self.indexes):
            return self.started[-1]
        return nodeid

    def pytest_runtest_logreport(self, report):
        nodeid = self._find_test(report)
        if report.when == "???" and nodeid in self.started:  # the end of one of xdist's processes
            self.started.remove(nodeid)
        index = self.indexes.get(nodeid)
        held = self.held.get(nodeid, ())
        if (
            index is None
            # pytest turns a test into a failure after its subtests when the report's status is computed.
            or nodeid in self.detailed
            or not self._is_plain(nodeid, report)
            or report.when != ("setup", "call", "teardown", "?")[len(held)]
        ):
            for earlier in held:
                self._send_report(nodeid, earlier)
            self.held.pop(nodeid, None)
            self.detailed.add(nodeid)
            self._send_report(nodeid, report)
        elif len(held) == 2:
            del self.held[nodeid]
            self.unrun.forget(nodeid)
            self.channel.send_text(
                '{"t":"pass","i":%d,"s":%.6f,"d":[%.6f,%.6f,%.6f]}'
                % (
                    index,
                    to_seconds(getattr(held[0], "start", 0.0)),
                    to_seconds(held[0].duration),
                    to_seconds(held[1].duration),
                    to_seconds(report.duration),
                )
            )
        else:
            self.held[nodeid] = tuple(held) + (report,)

    def _is_plain(self, nodeid, report):
        return (
            report.outcome == "passed"
            and report.nodeid == nodeid
            and nodeid not in self.junit.attributes
            and type(report) is TestReport
            and not hasattr(report, "wasxfail")
            and not report.user_properties
            and not (report.sections and self.spec["passed_output"])
        )

    def _send_report(self, nodeid, report):
        self.unrun.record(nodeid, report)
        status = self.config.hook.pytest_report_teststatus(report=report, config=self.config)
        # Below a failure, pytest shows the output of its teardown, too.
        with_output = self.spec["passed_output"] or (report.when == "teardown" and nodeid in self.detailed)
        record = describe_report(nodeid, report, status, with_output)
        if report.when == "teardown":
            record["attributes"] = self.junit.take_attributes(to_text(report.nodeid))
        self.channel.send_text(encode_report(record, report))

    def pytest_internalerror(self, excrepr):
        self.channel.send({"t": "internal", "text": clip(to_text(excrepr))})

    def pytest_keyboard_interrupt(self, excinfo):
        self.pytest_leave_pdb()  # pytest does not call it when the user quits the debugger
        text = to_text(excinfo.value)
        entry = excinfo.traceback[-1]
        self.channel.send(
            {
                "t": "interrupted",
                "text": clip(excinfo.typename + (": " + text if text else ""), 4096),
                "place": "%s:%d" % (to_text(entry.path), entry.lineno + 1),
                "id": self.started[-1] if self.started else "",
            }
        )

    if hasattr(pytest, "version_tuple") or int(pytest.__version__.split(".")[0]) >= 6:

        def pytest_warning_recorded(self, warning_message, when, nodeid):
            self._pass_on(warning_message, when, nodeid)

    else:

        def pytest_warning_captured(self, warning_message, when, item):
            self._pass_on(warning_message, when, getattr(item, "nodeid", ""))

    def _pass_on(self, warning, when, nodeid):
        where = to_text(warning.filename), warning.lineno
        self._warn(warning.category.__name__, to_text(warning.message), where, to_text(when), nodeid)

    def _warn(self, category, text, where=("", 0), when="config", nodeid=""):
        self.channel.send(
            {
                "t": "warning",
                "category": category,
                "text": clip(text, 65536),
                "path": where[0],
                "line": where[1],
                "when": when,
                "id": to_text(nodeid or ""),
            }
        )

    def say(self, text):
        """Send the summaries that plugins print."""
        if text.strip():
            self.channel.send({"t": "summary", "text": clip(text, MAX_RECORD // 32)})


class DebuggerRule(object):
    """A plugin of its own, since a plugin has one place in the order of a hook."""

    def __init__(self, reporter):
        self.reporter = reporter

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config):
        if self.reporter.debugger is None or self.reporter.processes:
            refuse_debugger(config)
        else:
            self.reporter.debugger.follow(config)


def count_processes(config):
    """Return how many processes of xdist run the tests; 0 if this one does."""
    option = config.option
    if option.collectonly or getattr(option, "dist", "no") in ("no", None):
        return 0
    return len(getattr(option, "tx", None) or ())


def format_release():
    """Return "", "a1", "b2" or "rc1" for the running Python."""
    level, serial = sys.version_info[3:5]
    return {"final": ""}.get(level, "%s%d" % ({"alpha": "a", "beta": "b", "candidate": "rc"}.get(level, level), serial))
