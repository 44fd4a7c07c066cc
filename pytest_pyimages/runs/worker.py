"""The part that runs inside the container: one file, standard library and pytest only.

It is copied into every environment image and run by path, so it must not import the rest of the package, and its
syntax is what Python 2.7 to 3.15 have in common; it speaks to pytest 4.6 to 9.x.

Two processes. The *parent* owns the wire: it reads the run's description (one line of JSON) from standard input, forks,
passes on what the child reports, and says how the child ended. The *child* runs pytest with ``Reporter`` registered.
The child's records stand in shared memory until they are written, so that a crash loses none of them.

A record is a line: ``TOKEN NUMBER JSON``. Numbers start at 1 and have no gaps; the token is the run's own. Everything
else that anybody prints goes to standard error. ``wire.py`` is the other end, and lists the records.
"""

from __future__ import print_function

import errno
import fcntl
import io
import json
import mmap
import os
import select
import signal
import struct
import sys
import time
import traceback

PROTOCOL = 1
PENDING_BYTES = 256 * 1024
HEADER = struct.Struct("=QQq")  # epoch, bytes pending, index of the running test or -1
FLUSH_SECONDS = 0.05
HEARTBEAT_SECONDS = 5.0
ACKNOWLEDGE_SECONDS = 30.0
LINGER_SECONDS = 30.0  # how long threads of the suite may outlive pytest
MAX_TEXT = 512 * 1024  # characters of one traceback or one captured section
MAX_SECTIONS = 2 * 1024 * 1024
MAX_RECORD = 4 * 1024 * 1024  # bytes of JSON, where a character may take twelve; the host takes twice as much
HIGH_FD = 200  # above what os.closerange(3, n) of a test usually reaches

# Kept at import: tests replace the clock, the file system and json while reports are being sent.
_getpid = os.getpid
_fstat = os.fstat
_dumps = json.dumps
_clock = getattr(time, "monotonic", time.time)
_FileIO = io.FileIO
_open = os.open
_select = select.select


class Pending(object):
    """Bytes that the child has reported and not yet written, in memory that both processes see."""

    def __init__(self):
        self.memory = mmap.mmap(-1, HEADER.size + PENDING_BYTES + 1)
        self.epoch = 0
        self.fill = 0
        self.running = -1
        self._publish()

    def _publish(self):
        HEADER.pack_into(self.memory, 0, self.epoch, self.fill, self.running)

    def append(self, data):
        start = HEADER.size + self.fill
        self.memory[start : start + len(data)] = data
        self.fill += len(data)
        self._publish()

    def take(self):
        return self.memory[HEADER.size : HEADER.size + self.fill]

    def clear(self):
        self.epoch += 1
        self.fill = 0
        self._publish()

    def run(self, index):
        self.running = index
        self._publish()

    def ask(self):
        """Expect an answer of the other process, which is about to be asked for it."""
        self.memory[-1:] = b"\0"

    def answer(self):
        self.memory[-1:] = b"\1"

    def wait(self):
        while self.memory[-1:] == b"\0":
            _select([], [], [], 0.01)

    def peek(self):
        """Return what the other process has pending and which test it runs; nothing if it is just being cleared."""
        epoch, fill, running = HEADER.unpack_from(self.memory, 0)
        data = self.memory[HEADER.size : HEADER.size + min(fill, PENDING_BYTES)]
        if HEADER.unpack_from(self.memory, 0)[0] != epoch:
            data = b""
        return data, running


class Channel(object):
    """The child's end of the pipe to its parent."""

    def __init__(self, fd, parent_fd, token, pending):
        self.pid = _getpid()
        self.parent = os.getppid()
        self.parent_fd = parent_fd
        self.token = token
        self.pending = pending
        self.number = 0
        self.flushed = _clock()
        self._use(fd)

    def _use(self, fd):
        high = fcntl.fcntl(fd, fcntl.F_DUPFD, HIGH_FD)
        fcntl.fcntl(high, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
        os.close(fd)
        self.fd = high
        stat = _fstat(high)
        self.identity = (stat.st_dev, stat.st_ino)
        self.write = _FileIO(high, "wb", closefd=False).write

    def run(self, index):
        """Say which test is under way."""
        if _getpid() == self.pid:
            self.pending.run(index)

    def send(self, record):
        self.send_text(_dumps(record))

    def send_text(self, text):
        if _getpid() != self.pid:  # a test forked, and its child goes on with our suite (pytest#12028)
            return
        self.number += 1
        data = ("%s %d %s\n" % (self.token, self.number, text)).encode("ascii")
        if self.pending.fill + len(data) > PENDING_BYTES:
            self.flush()
        if len(data) > PENDING_BYTES:
            self._write(data)
            return
        self.pending.append(data)
        if _clock() - self.flushed > FLUSH_SECONDS:
            self.flush()

    def flush(self):
        if _getpid() != self.pid:
            return
        if self.pending.fill:
            self._write(self.pending.take())
            self.pending.clear()
        self.flushed = _clock()

    def _write(self, data):
        if not self._intact():
            # A test closed the descriptor, or made its number its own: the parent still holds the pipe.
            path = "/proc/%d/fd/%d" % (self.parent, self.parent_fd)
            self._use(_open(path, os.O_WRONLY))
        view = memoryview(data)
        while view:
            try:
                written = self.write(view)
            except (IOError, OSError) as error:
                if error.errno not in (errno.EINTR, errno.EAGAIN):
                    raise
                written = None
            if written is None:
                select.select([], [self.fd], [], 1.0)
            else:
                view = view[written:]

    def _intact(self):
        try:
            stat = _fstat(self.fd)
        except (IOError, OSError):
            return False
        return (stat.st_dev, stat.st_ino) == self.identity


class Debugger(object):
    """The child's standard streams on the parent's terminal, while a debugger has the word."""

    def __init__(self, channel, spec):
        self.channel = channel
        self.path, self.kind, self.farewell = spec["terminal_path"], spec["terminal"], farewell_of(spec)
        self.former = []  # descriptors of the standard streams as they were
        self.former_kind = None
        # It looks at the kind of the terminal when it is imported, which pytest 8 is about to do, and never again.
        self.name_kind()
        try:
            import readline  # noqa: F401
        except ImportError:  # there are Pythons without
            pass
        self.unname_kind()

    def name_kind(self):
        self.former_kind = os.environ.get("TERM")
        os.environ["TERM"] = str(self.kind)

    def unname_kind(self):
        if self.former_kind is None:
            os.environ.pop("TERM", None)
        else:
            os.environ["TERM"] = self.former_kind

    def follow(self, config):
        """Come with pytest's own, which has its capture let go before it says anything."""
        capture = config.pluginmanager.getplugin("capturemanager")
        if capture is None:
            return
        suspend = capture.suspend

        def resume():
            del capture.resume_global_capture
            self.leave()
            capture.resume_global_capture()

        def suspend_and_enter(in_=False):
            if self.former:
                return
            suspend(in_=in_)
            if in_:
                self.enter()
                capture.resume_global_capture = resume

        capture.suspend = suspend_and_enter

    def enter(self):
        if self.former or _getpid() != self.channel.pid:
            return
        self.channel.pending.ask()
        self.channel.send({"t": "debugger", "on": True})
        self.channel.flush()
        self.channel.pending.wait()  # until the host's terminal is ready, and its size known here
        self.name_kind()
        flush_standard_streams()
        fd = _open(self.path, os.O_RDWR | os.O_NOCTTY)
        for number in range(3):
            self.former.append(fcntl.fcntl(number, fcntl.F_DUPFD, HIGH_FD))
            fcntl.fcntl(self.former[-1], fcntl.F_SETFD, fcntl.FD_CLOEXEC)
            os.dup2(fd, number)
        os.close(fd)
        if "readline" in sys.modules:
            os.kill(self.channel.pid, signal.SIGWINCH)  # it has looked for the size of a terminal at its import

    def leave(self):
        if not self.former or _getpid() != self.channel.pid:
            return
        flush_standard_streams()
        self.channel.pending.ask()
        fd = _open(self.path, os.O_RDWR | os.O_NOCTTY)
        os.write(fd, self.farewell)
        os.close(fd)
        try:
            self.channel.pending.wait()  # until the host has everything that was written
        finally:
            self.put_back()
        self.channel.send({"t": "debugger", "on": False})
        self.channel.flush()

    def put_back(self):
        for number, former in enumerate(self.former):
            os.dup2(former, number)
            os.close(former)
        self.former = []
        self.unname_kind()


def flush_standard_streams():
    for stream in (sys.stdout, sys.stderr):
        if not getattr(stream, "closed", True):
            stream.flush()


def farewell_of(spec):
    """Return the bytes that end what a debugger writes: nobody sees them."""
    return ("\0%s" % spec["token"]).encode("ascii")


def clip(text, limit=MAX_TEXT):
    """Return the text, or its two ends when it is too long."""
    if len(text) <= limit:
        return text
    half = limit // 2
    return "%s\n... %d characters left out ...\n%s" % (text[:half], len(text) - 2 * half, text[len(text) - half :])


def as_text(value):
    """Return str(value); a value that cannot be shown is named by its type."""
    try:
        return "%s" % (value,)
    except Exception:  # __str__ of somebody else's object may raise anything
        return "<%s that cannot be shown>" % type(value).__name__


def plain(value, depth=0):
    """Return the value as JSON can carry it, texts clipped; None for what has no such form."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and -(1 << 53) < value < 1 << 53:
        return value
    if isinstance(value, float) and value - value == 0:  # neither infinite nor NaN
        return value
    if isinstance(value, dict) and depth < 20:
        return dict((as_text(key), plain(item, depth + 1)) for key, item in value.items())
    if isinstance(value, (list, tuple)) and depth < 20:
        return [plain(item, depth + 1) for item in value]
    return clip(as_text(value))


def longrepr_of(report):
    """Return how a report's failure looks: {"kind": none | text | skip | tree, ...}."""
    longrepr = report.longrepr
    if longrepr is None:
        return {"kind": "none"}
    if isinstance(longrepr, tuple) and len(longrepr) == 3:
        return {"kind": "skip", "path": as_text(longrepr[0]), "line": longrepr[1], "reason": clip(as_text(longrepr[2]))}
    node = report.__dict__.pop("node", None)  # xdist's: pytest would put a line about its process above the text
    try:
        text = as_text(report.longreprtext)
    except Exception:  # repr of somebody else's object
        text = as_text(longrepr)
    finally:
        if node is not None:
            report.node = node
    crash = getattr(longrepr, "reprcrash", None)
    result = {"kind": "text", "text": clip(text)}
    if crash is not None:
        result["crash"] = [as_text(crash.path), crash.lineno, clip(as_text(crash.message), 4096)]
    if hasattr(longrepr, "reprtraceback"):
        try:
            tree = plain(report._to_json()["longrepr"])
        except Exception:  # experimental in pytest: the text stands for it
            tree = None
        if isinstance(tree, dict):
            result["kind"] = "tree"
            result["tree"] = tree
    return result


def domain_of(nodeid):
    """Return what stands for a test in the title of its failure: "TestIt.test_this[1]"."""
    names, bracket, parameters = nodeid.partition("[")
    return ".".join(names.split("::")[1:]) + bracket + parameters


def location_of(report):
    """Return path, line or None, and name, whatever somebody has put there."""
    try:
        path, line, domain = report.location
    except (TypeError, ValueError):
        path, line, domain = report.nodeid.split("::")[0], None, report.nodeid
    if domain == path:  # xdist's report of a test during which a process died
        domain = domain_of(report.nodeid)
    return [as_text(path), line if isinstance(line, int) else None, as_text(domain)]


def properties_of(report):
    """Return the user properties as pairs of a text and what JSON can carry."""
    found = []
    for pair in report.user_properties:
        if isinstance(pair, (list, tuple)) and len(pair) == 2:
            found.append([as_text(pair[0]), plain(pair[1])])
        else:
            found.append(["property", as_text(pair)])
    return found


def sections_of(report, room=MAX_SECTIONS):
    kept = []
    for name, content in report.sections:
        content = clip(as_text(content), min(room, MAX_TEXT))
        room = max(room - len(content), 0)
        kept.append([as_text(name), content])
    return kept


def fitting(record, report):
    """Return a report's record as JSON; one that is too long without its tree, then with less and less of the rest."""
    text = _dumps(record)
    longrepr = record["longrepr"]
    if longrepr["kind"] == "tree":
        longrepr = dict(longrepr, kind="text")
        del longrepr["tree"]
    for limit in (MAX_RECORD // 32, 4096):
        if len(text) <= MAX_RECORD:
            break
        short = dict(record, longrepr=longrepr, sections=sections_of(report, limit)[:100], properties=[])
        for key in ("text", "reason"):
            if key in longrepr:
                longrepr[key] = clip(longrepr[key], limit)
        if short.get("wasxfail"):
            short["wasxfail"] = clip(as_text(short["wasxfail"]), 4096)
        text = _dumps(short)
    return text


def processes_of(config):
    """Return how many processes of xdist run the tests; 0 if this one does."""
    option = config.option
    if option.collectonly or getattr(option, "dist", "no") in ("no", None):
        return 0
    return len(getattr(option, "tx", None) or ())


def add_ignored_options(parser, spec):
    """Let pytest accept the host's options, which mean nothing here: the suite's ini file may carry them."""
    group = parser.getgroup("pyimages")
    for name, takes_value in spec["own_options"]:
        if takes_value:
            group.addoption(name, action="append", default=[], help="ignored inside the container")
        else:
            group.addoption(name, action="store_true", help="ignored inside the container")
    for name in spec["own_ini"]:
        parser.addini(name, "ignored inside the container", type="linelist")


# Inner workers of xdist load no plugin objects. They get a -p that is handed on, and find this by it.
INNER = "pyimages_options"
INNER_SOURCE = '''"""PYTEST_DONT_REWRITE"""

def pytest_addoption(parser):
    for name, takes_value in %r:
        parser.addoption(name, action="append" if takes_value else "store_true")
    for name in %r:
        parser.addini(name, "ignored inside the container", type="linelist")
'''


def prepare_inner_workers(spec):
    """Write the plugin by which inner workers of xdist accept the host's options, and let them find it."""
    import tempfile  # slow to import, and seldom needed

    from xdist import plugin as xdist

    folder = tempfile.mkdtemp(prefix="pyimages-")
    spec["folders"].append(folder)
    with open(os.path.join(folder, INNER + ".py"), "w") as file:
        file.write(INNER_SOURCE % (spec["own_options"], spec["own_ini"]))
    if hasattr(xdist, "_sys_path"):
        xdist._sys_path.extend(spec["folders"])
    else:  # one that does not hand sys.path on to its workers
        paths = spec["folders"] + [os.environ.get("PYTHONPATH", "")]
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))


def remind(config, memory):
    """Put what the host remembers of this image where pytest's cache provider is about to read it.

    Return why that is not possible, or an empty text.
    """
    if memory is None or not config.pluginmanager.hasplugin("cacheprovider"):
        return ""
    root = as_text(getattr(config, "rootpath", None) or config.rootdir)
    folder = os.path.join(root, os.path.expandvars(os.path.expanduser(config.getini("cache_dir"))), "v", "cache")
    try:
        if not os.path.isdir(folder):
            os.makedirs(folder)
        for name, value in memory.items():
            with open(os.path.join(folder, name), "w") as file:
                file.write(_dumps(value))
    except (IOError, OSError) as error:
        return "what failed here before cannot be told to pytest: %s" % as_text(error)
    return ""


def make_plugins(channel, spec):
    """Return the plugins that turn what pytest says into records. Only called where pytest can be imported."""
    import pytest

    class Reporter(object):
        """Registered as an object, so that inner xdist workers do not load it again."""

        def __init__(self):
            self.indexes = {}
            self.held = {}  # node id -> the plain passed phases of the test that is under way
            self.told = set()  # node ids of tests under way of which something else was reported
            self.config = None
            self.deselected = 0
            self.processes = 0
            self.debugger = Debugger(channel, spec) if spec["terminal"] else None

        def pytest_addoption(self, parser):
            add_ignored_options(parser, spec)

        @pytest.hookimpl(tryfirst=True)
        def pytest_configure(self, config):
            self.config = config
            self.processes = processes_of(config)
            for name in ("xmlpath", "pastebin", "durations"):  # files, uploads and tables are the host's business
                if hasattr(config.option, name):
                    setattr(config.option, name, None)
            forgotten = remind(config, spec["memory"])
            if forgotten:
                warn("PytestCacheWarning", forgotten)
            channel.send(
                {
                    "t": "hello",
                    "v": PROTOCOL,
                    "python": "%d.%d.%d%s" % (sys.version_info[:3] + (release_suffix(),)),
                    "pytest": pytest.__version__,
                    "rootdir": as_text(getattr(config, "rootpath", None) or config.rootdir),
                    "inifile": as_text(getattr(config, "inipath", None) or config.inifile or ""),
                    "processes": self.processes,
                }
            )
            if spec["incomplete"]:
                warn("ReadOnlySourceWarning", spec["incomplete"], (spec["project"], 0))
            if hasattr(config.option, "randomly_seed"):  # pytest-randomly, which is configured after this
                config.option.randomly_seed = spec["seed"]
                channel.send({"t": "seed", "seed": spec["seed"]})
            channel.flush()

        def pytest_enter_pdb(self):
            if self.debugger is not None:
                self.debugger.enter()  # where pytest captures nothing that it would have let go

        def pytest_leave_pdb(self):
            if self.debugger is not None:
                self.debugger.leave()

        @pytest.hookimpl(trylast=True)
        def pytest_sessionfinish(self, session):
            distribution = self.config.pluginmanager.getplugin("dsession")
            if getattr(distribution, "_summary_report", None):  # too many of its processes died
                channel.send({"t": "gaveup", "text": "xdist: %s" % clip(as_text(distribution._summary_report), 4096)})
            cache = getattr(self.config, "cache", None)
            if spec["memory"] is None or cache is None:
                return
            failing = sorted(cache.get("cache/lastfailed", {}))
            for start in range(0, len(failing), 500):
                channel.send({"t": "failing", "ids": plain(failing[start : start + 500])})
            channel.send({"t": "kept", "stepwise": plain(cache.get("cache/stepwise", None))})

        @pytest.hookimpl(trylast=True)
        def pytest_sessionstart(self, session):
            silence_terminal(self.config, say)  # again: some plugins put a reporter of their own in its place

        @pytest.hookimpl(trylast=True)
        def pytest_collection_finish(self, session):
            if self.processes:
                return  # they collect
            rows = []
            for item in session.items:
                path, line, domain = item.location
                rows.append([item.nodeid, path, line, domain])
            self._collected(rows)

        @pytest.hookimpl(optionalhook=True)
        def pytest_xdist_setupnodes(self):
            prepare_inner_workers(spec)

        @pytest.hookimpl(optionalhook=True)
        def pytest_xdist_node_collection_finished(self, node, ids):
            if not self.indexes:
                ids = [self._without_group(nodeid) for nodeid in ids]
                self._collected([[nodeid, nodeid.split("::")[0], None, domain_of(nodeid)] for nodeid in ids])

        def _without_group(self, nodeid):
            """Return a node id as everybody knows it: with --dist=loadgroup, xdist adds "@group"."""
            if self.processes and self.config.option.dist == "loadgroup":
                at = nodeid.rfind("@")
                if at > nodeid.rfind("]") and at > nodeid.rfind("::") > 0:
                    return nodeid[:at]
            return nodeid

        def _collected(self, rows):
            for index, row in enumerate(rows):
                self.indexes[row[0]] = index
            few, size = [], 0
            for row in rows:
                few.append(row)
                size += len(row[0])
                if len(few) == 500 or size > MAX_RECORD // 64:  # an id is there up to three times
                    channel.send({"t": "items", "items": plain(few)})
                    few, size = [], 0
            if few:
                channel.send({"t": "items", "items": plain(few)})
            others = self._shard()
            # What is of other shards was deselected as well, where it was this process that collected.
            channel.send({"t": "collected", "count": len(rows), "deselected": max(self.deselected - others, 0)})
            channel.flush()

        def _shard(self):
            """Say what the whole was that the tests are a shard of; return how many are of other shards."""
            if not spec["shard"]:
                return 0
            try:
                with open(os.path.join(spec["shard"]["folder"], "whole.json")) as file:
                    whole = json.load(file)
            except (IOError, OSError):  # nothing was divided, as the host will find
                return 0
            others = whole.pop("deselected")
            channel.send(dict(whole, t="shard"))
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
                "longrepr": longrepr_of(report),
                "sections": sections_of(report),
            }
            channel.send_text(fitting(record, report))

        @pytest.hookimpl(tryfirst=True)
        def pytest_runtest_logstart(self, nodeid):
            if not self.processes:  # else it is not this process that a test could end
                channel.run(self.indexes.get(nodeid, -1))

        @pytest.hookimpl(trylast=True)
        def pytest_runtest_logfinish(self, nodeid):
            nodeid = self._without_group(nodeid)
            for report in self.held.pop(nodeid, ()):
                self._send_report(nodeid, report)
            self.told.discard(nodeid)
            channel.run(-1)

        def pytest_runtest_logreport(self, report):
            nodeid = self._without_group(report.nodeid)
            index = self.indexes.get(nodeid)
            held = self.held.get(nodeid, ())
            if (
                index is None
                # Of a test whose subtests failed, pytest makes a failure when it is asked for the report's status.
                or nodeid in self.told
                or not self._is_plain(report)
                or report.when != ("setup", "call", "teardown", "?")[len(held)]
            ):
                for earlier in held:
                    self._send_report(nodeid, earlier)
                self.held.pop(nodeid, None)
                self.told.add(nodeid)
                self._send_report(nodeid, report)
            elif len(held) == 2:
                del self.held[nodeid]
                channel.send_text(
                    '{"t":"pass","i":%d,"s":%.6f,"d":[%.6f,%.6f,%.6f]}'
                    % (
                        index,
                        getattr(held[0], "start", 0.0),
                        held[0].duration,
                        held[1].duration,
                        report.duration,
                    )
                )
            else:
                self.held[nodeid] = tuple(held) + (report,)

        def _is_plain(self, report):
            return (
                report.outcome == "passed"
                and type(report) is TestReport
                and not hasattr(report, "wasxfail")
                and not report.user_properties
                and not (report.sections and spec["passed_output"])
            )

        def _send_report(self, nodeid, report):
            status = self.config.hook.pytest_report_teststatus(report=report, config=self.config)
            category, letter, word = status if status else ("", "", "")
            if isinstance(word, tuple):
                word = word[0]
            record = {
                "t": "report",
                "id": nodeid,
                "location": location_of(report),
                "when": report.when,
                "outcome": report.outcome,
                "status": [clip(as_text(text), 2048) for text in (category, letter, word)],
                "start": getattr(report, "start", 0.0),
                "duration": report.duration,
                "wasxfail": plain(getattr(report, "wasxfail", None)),
                "properties": properties_of(report),
                "sections": sections_of(report) if spec["passed_output"] or report.outcome != "passed" else [],
                "longrepr": longrepr_of(report),
                "subtest": type(report).__name__ == "SubtestReport",
            }
            channel.send_text(fitting(record, report))

        def pytest_internalerror(self, excrepr):
            channel.send({"t": "internal", "text": clip(as_text(excrepr))})

        def pytest_keyboard_interrupt(self, excinfo):
            self.pytest_leave_pdb()  # of which pytest says nothing when somebody quits the debugger
            text = as_text(excinfo.value)
            channel.send({"t": "interrupted", "text": clip(excinfo.typename + (": " + text if text else ""), 4096)})

    def say(text):
        if text.strip():
            channel.send({"t": "summary", "text": clip(text, MAX_RECORD // 32)})

    def recorded(warning_message, when, nodeid):
        where = as_text(warning_message.filename), warning_message.lineno
        warn(warning_message.category.__name__, as_text(warning_message.message), where, as_text(when), nodeid)

    def warn(category, text, where=("", 0), when="config", nodeid=""):
        channel.send(
            {
                "t": "warning",
                "category": category,
                "text": clip(text, 65536),
                "path": where[0],
                "line": where[1],
                "when": when,
                "id": as_text(nodeid or ""),
            }
        )

    if hasattr(pytest, "version_tuple") or int(pytest.__version__.split(".")[0]) >= 6:

        def pytest_warning_recorded(self, warning_message, when, nodeid, location):
            recorded(warning_message, when, nodeid)

        Reporter.pytest_warning_recorded = pytest_warning_recorded
    else:

        def pytest_warning_captured(self, warning_message, when, item):
            recorded(warning_message, when, getattr(item, "nodeid", ""))

        Reporter.pytest_warning_captured = pytest_warning_captured

    from _pytest.reports import TestReport

    class Silencer(object):
        """A plugin of its own, since a plugin has one place in the order of a hook."""

        @pytest.hookimpl(trylast=True)
        def pytest_configure(self, config):
            silence_terminal(config, say)
            if reporter.debugger is None or reporter.processes:
                refuse_debugger(config)
            else:
                reporter.debugger.follow(config)

    reporter = Reporter()
    return [reporter, Silencer()]


def release_suffix():
    """Return "", "a1", "b2" or "rc1" for the running Python."""
    level, serial = sys.version_info[3:5]
    return {"final": ""}.get(level, "%s%d" % ({"alpha": "a", "beta": "b", "candidate": "rc"}.get(level, level), serial))


def refuse_debugger(config):
    """Make a failure with an advice of breakpoint() and its like, where they would read the end of standard input."""
    import pdb  # noqa: T100 - to be replaced

    import pytest

    unlimited = pdb.set_trace  # pytest's own, by now

    def set_trace(*args, **kwargs):
        __tracebackhide__ = True
        captures = getattr(config.option, "capture", "") != "no"  # then pytest puts the real standard input back first
        if captures or sys.stdin is sys.__stdin__:
            pytest.fail("nobody is there for a debugger: run one image on a terminal, pytest --py-images=IMAGE")
        return unlimited(*args, **kwargs)  # a test that brings its own

    pdb.set_trace = pytest.set_trace = set_trace


class Written(object):
    """A file that keeps what is written to it, as a text; of Python 2, too, where that may be bytes."""

    encoding = "utf-8"

    def __init__(self):
        self.pieces = []

    def write(self, text):
        self.pieces.append(text.decode("utf-8", "replace") if isinstance(text, bytes) else text)

    def flush(self):
        """Do nothing: it is all here."""

    def isatty(self):
        return False


def silence_terminal(config, say):
    """Replace pytest's terminal reporter by one that draws nothing: the host does the drawing, once.

    It stays registered, since assertion rewriting and many plugins ask for it. What others write with it goes where
    the suite's own output goes; what they write as their summaries is given to ``say``, in one text.
    """
    current = config.pluginmanager.getplugin("terminalreporter")
    if current is None or type(current).__name__ == "Silent":
        return
    import pytest
    from _pytest.config import create_terminal_writer
    from _pytest.terminal import TerminalReporter

    class Silent(TerminalReporter):
        def pytest_runtest_logreport(self, report):
            if report.outcome != "passed":
                status = config.hook.pytest_report_teststatus(report=report, config=config)
                self.stats.setdefault(status[0] if status else "", []).append(report)
            elif report.when == "call":
                self.stats.setdefault("passed", []).append(report)

        @pytest.hookimpl(hookwrapper=True)
        def pytest_sessionfinish(self, session, exitstatus):
            outcome = yield
            outcome.get_result()
            # Other people's summaries may do more than print, so they are called in any case.
            written = Written()
            self._tw = self.writer = create_terminal_writer(config, written)
            config.hook.pytest_terminal_summary(terminalreporter=self, exitstatus=exitstatus, config=config)
            if not getattr(config.option, "no_summary", False):
                say("".join(written.pieces))

    def nothing(self):
        return None

    for name in dir(TerminalReporter):
        if name.startswith("pytest_") and name not in Silent.__dict__:
            setattr(Silent, name, nothing)
    silent = Silent(config, sys.stdout)
    # What a conftest may ask of it before anything was reported.
    for name in ("_session", "_sessionstarttime", "_session_start", "startdir", "startpath"):
        if hasattr(current, name):
            try:
                setattr(silent, name, getattr(current, name))
            except AttributeError:  # a read-only property on some versions
                continue
    config.pluginmanager.unregister(current)
    config.pluginmanager.register(silent, "terminalreporter")


def stand_in_for_plugins(host_plugins):
    """Let ``-p`` find an empty plugin, where the real one is the host's, or that of inner workers of xdist."""
    for name in [INNER] + host_plugins:
        sys.modules[name] = type(sys)(str(name), "PYTEST_DONT_REWRITE")
    try:
        from importlib.util import find_spec
    except ImportError:  # Python 2: there the ini file has to do without
        return
    for name in ("pyimages", "pytest_pyimages.plugin", "pytest_pyimages"):
        if name not in sys.modules and find_spec(name.partition(".")[0]) is None:
            sys.modules[name] = type(sys)(name, "PYTEST_DONT_REWRITE")


def run_attended(spec):
    """Run the suite on the terminal of this process, as pytest alone would; return pytest's exit status."""
    import pytest

    class Options(object):
        def pytest_addoption(self, parser):
            add_ignored_options(parser, spec)

        @pytest.hookimpl(optionalhook=True)
        def pytest_xdist_setupnodes(self):
            prepare_inner_workers(spec)

        @pytest.hookimpl(tryfirst=True)
        def pytest_configure(self, config):
            forgotten = remind(config, spec["memory"])
            if forgotten:
                sys.stderr.write(forgotten + "\n")

    be_pytest(spec)
    try:
        return int(pytest.main(plugin_arguments(spec) + spec["args"], plugins=[Options()]))
    finally:
        remove_folders(spec)


def be_pytest(spec):
    """Make this process look as if it had been started as pytest."""
    stand_in_for_plugins(spec["host_plugins"])
    sys.argv[:] = [spec["program"]] + spec["args"]
    sys.path[0:1] = [os.getcwd() if spec["cwd_on_path"] else os.path.dirname(sys.executable)]


def plugin_arguments(spec):
    """Return the arguments that switch the host's plugin off, and on what leaves a shard of the tests."""
    arguments = ["-p", "no:pyimages", "-p", INNER]
    spec["folders"] = []  # of files that are to be removed
    if spec["shard"]:
        import tempfile  # slow to import, and seldom needed

        folder = spec["shard"]["folder"] = tempfile.mkdtemp(prefix="pyimages-")
        spec["folders"].append(folder)
        for name, text in spec["shard"]["files"].items():
            with io.open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write(text)
        sys.path.append(folder)  # where inner workers of xdist find it, too
        arguments += ["-p", "pyimages_shard"]
    return arguments


def remove_folders(spec):
    if spec["folders"]:
        import shutil  # likewise

        for folder in spec["folders"]:
            shutil.rmtree(folder, ignore_errors=True)


def run_pytest(channel, spec):
    """Run the suite in this process; return pytest's exit status."""
    try:
        import pytest
    except ImportError as error:
        channel.send({"t": "internal", "text": "pytest cannot be imported: %s" % as_text(error)})
        return 3
    be_pytest(spec)
    plugins = make_plugins(channel, spec)
    if spec["coverage"]:
        coverage = {"__name__": "coverage_worker"}
        exec(compile(spec["coverage"], "<coverage_worker>", "exec"), coverage)  # noqa: S102
        if spec["report"]:
            return coverage["reporting"](channel, spec, add_ignored_options)
        plugins.append(coverage["measuring"](channel))
    try:
        arguments = plugin_arguments(spec)
    except (IOError, OSError) as error:
        channel.send({"t": "internal", "text": "the tests cannot be divided into shards: %s" % as_text(error)})
        return 3
    try:
        return int(pytest.main(arguments + spec["args"], plugins=plugins))
    finally:
        remove_folders(spec)


def child_main(write_fd, parent_fd, pending, spec):
    """Be the pytest process; never returns."""
    status = 3
    try:
        os.environ.update(spec["environment"])
        os.chdir(spec["cwd"])
        channel = Channel(write_fd, parent_fd, spec["token"], pending)
        status = run_pytest(channel, spec)
        channel.send({"t": "end", "status": status})
        channel.flush()
    except SystemExit:
        raise
    except BaseException:
        traceback.print_exc()
        status = 3
    sys.exit(status)


class Terminal(object):
    """The parent's end of the terminal that a debugger in the child has."""

    def __init__(self, spec):
        self.master, self.slave = os.openpty()
        fcntl.fcntl(self.master, fcntl.F_SETFL, os.O_NONBLOCK)
        self.farewell = farewell_of(spec)
        self.held = b""  # may be the start of the farewell
        self.typed = b""  # not yet taken
        spec["terminal_path"] = os.ttyname(self.slave)

    def read(self):
        """Return what was written, and whether that is all of this debugger; None if there is nothing."""
        try:
            data = self.held + os.read(self.master, 1 << 15)
        except (IOError, OSError) as error:
            if error.errno in (errno.EAGAIN, errno.EINTR):
                return None
            raise
        data, found, self.held = data.partition(self.farewell)
        start = data.rfind(b"\0")
        if not found and start >= 0 and self.farewell.startswith(data[start:]):
            data, self.held = data[:start], data[start:]
        return data, bool(found)

    def type(self, data):
        """Take what was typed; return how an interrupt among it is to be shown, None if there is none.

        The kernel would signal none but the processes that the terminal controls, and in its own time take back what
        was written meanwhile.
        """
        import termios

        modes = termios.tcgetattr(self.slave)
        _, interrupt, rest = data.rpartition(modes[6][termios.VINTR])
        if not modes[3] & termios.ISIG or not interrupt:
            self.typed += data
            return None
        self.typed = rest
        termios.tcflush(self.slave, termios.TCIFLUSH)
        return b"^C" if modes[3] & termios.ECHO else b""

    def write(self):
        try:
            self.typed = self.typed[os.write(self.master, self.typed) :]
        except (IOError, OSError) as error:
            if error.errno not in (errno.EAGAIN, errno.EINTR):
                raise

    def resize(self, rows, columns):
        import termios

        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


class Parent(object):
    """Owns the wire and outlives whatever happens to the child."""

    def __init__(self, wire, control, read_fd, child, pending, token, terminal):
        self.wire = wire
        self.control = control
        self.read_fd = read_fd
        self.child = child
        self.pending = pending
        self.token = token
        self.terminal = terminal
        self.is_debugged = False
        self.partial = b""
        self.commands = b""
        self.last = 0  # number of the last record passed on
        self.ended = None  # when the child's end record was seen
        self.host_gone = False
        self.acknowledged = False
        self.killed_lingering = False

    def write(self, data):
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self.wire, view) :]
            except (IOError, OSError) as error:
                if error.errno not in (errno.EINTR, errno.EAGAIN):
                    raise

    def pass_on(self, lines):
        """Forward complete lines, but none twice: a record may be seen in memory first and in the pipe later."""
        first = int(lines.split(b" ", 2)[1])
        if first <= self.last:
            kept = [line for line in lines.splitlines(True) if int(line.split(b" ", 2)[1]) > self.last]
            lines = b"".join(kept)
            if not lines:
                return
        start = lines.rfind(b"\n", 0, -1) + 1
        self.last = int(lines[start:].split(b" ", 2)[1])
        if lines[start:].split(b" ", 2)[2].startswith(b'{"t": "end"'):
            self.ended = _clock()
        self.write(lines)

    def from_pipe(self):
        """Read once; return whether there was anything."""
        try:
            data = os.read(self.read_fd, 1 << 16)
        except (IOError, OSError) as error:
            if error.errno in (errno.EAGAIN, errno.EINTR):
                return False
            raise
        if not data:
            return False
        data = self.partial + data
        end = data.rfind(b"\n") + 1
        self.partial = data[end:]
        if end:
            self.pass_on(data[:end])
        return True

    def from_memory(self):
        data, _ = self.pending.peek()
        # Records still in the pipe come first; what is pending there is newer.
        if data and not self.partial and int(data.split(b" ", 2)[1]) <= self.last + 1:
            self.pass_on(data)

    def from_terminal(self):
        """Read once; return whether there was anything."""
        found = self.terminal.read()
        if found is None:
            return False
        while self.from_pipe():  # the child said there that it would write, and first
            continue
        data, is_all = found
        if not self.is_debugged:
            os.write(2, data)  # something that a debugger has started and left behind
        else:
            self.show(data)
        if is_all:
            self.is_debugged = False
            self.pending.answer()
        return True

    def show(self, data):
        if data:
            import binascii

            self.aside(t="shown", data=binascii.b2a_base64(data).decode("ascii").strip())

    def attended(self, command, values):
        """Take what the host says of its terminal, which a debugger has."""
        if command == b"size":
            rows, columns = values.split()
            self.terminal.resize(int(rows), int(columns))
        elif command == b"attached":
            self.is_debugged = True
            self.pending.answer()
        elif command == b"typed":
            import binascii

            interrupt = self.terminal.type(binascii.a2b_base64(values))
            if interrupt is not None:
                self.show(interrupt)
                self.signal_child(signal.SIGINT)

    def from_host(self):
        try:
            data = os.read(self.control, 4096)
        except (IOError, OSError) as error:
            if error.errno == errno.EINTR:
                return
            data = b""
        if not data:
            self.host_gone = True
            return
        self.commands += data
        while b"\n" in self.commands:
            line, self.commands = self.commands.split(b"\n", 1)
            if line == b"stop":
                self.signal_child(signal.SIGINT)
            elif line == b"acknowledged":
                self.acknowledged = True
            elif self.terminal is not None:
                self.attended(*line.partition(b" ")[::2])

    def signal_child(self, number):
        try:
            os.kill(self.child, number)
        except OSError as error:
            if error.errno != errno.ESRCH:
                raise

    def reap(self):
        """Return the child's wait status once it has ended; orphans are reaped on the way, as PID 1 must."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except OSError as error:
                if error.errno == errno.ECHILD:
                    return None
                if error.errno == errno.EINTR:
                    continue
                raise
            if pid == 0:
                return None
            if pid == self.child:
                return status

    def record(self, **fields):
        self.write(("%s %d %s\n" % (self.token, self.last + 1, json.dumps(fields))).encode("ascii"))
        self.last += 1

    def aside(self, **fields):
        """Write a record without a number: the child numbers its own, and may be about to use the next."""
        self.write(("%s 0 %s\n" % (self.token, json.dumps(fields))).encode("ascii"))

    def select(self, wakeup):
        """Return which descriptors can be read; what was typed is written on the way."""
        sources, sinks = [self.read_fd, self.control, wakeup], []
        if self.terminal is not None:
            sources.append(self.terminal.master)
            if self.terminal.typed:
                sinks.append(self.terminal.master)
        try:
            ready, writable, _ = select.select(sources, sinks, [], 0.1)
        except (select.error, OSError) as error:
            if error.args[0] != errno.EINTR:
                raise
            return []
        if writable:
            self.terminal.write()
        return ready

    def supervise(self, wakeup):
        """Pass records on until the child has ended; return its wait status."""
        beat = _clock()
        while True:
            ready = self.select(wakeup)
            if wakeup in ready:
                os.read(wakeup, 512)
            if self.terminal is not None and self.terminal.master in ready:
                self.from_terminal()
            if self.read_fd in ready:
                self.from_pipe()
            elif not ready:
                self.from_memory()
            if self.control in ready:
                self.from_host()
            if self.host_gone:
                self.signal_child(signal.SIGKILL)
                return None
            now = _clock()
            if now - beat > HEARTBEAT_SECONDS:
                beat = now
                self.aside(t="beat", running=self.pending.peek()[1])
            if self.ended is not None and now - self.ended > LINGER_SECONDS and not self.killed_lingering:
                self.killed_lingering = True
                self.signal_child(signal.SIGKILL)
            status = self.reap()
            if status is not None:
                return status

    def finish(self, status):
        """Say how the child ended, and wait until the host has heard it."""
        reads = 0  # what the child has left behind may write for ever
        while self.terminal is not None and reads < 16 and self.from_terminal():
            reads += 1
        while self.from_pipe():
            continue
        data, running = self.pending.peek()
        if data:
            self.pass_on(data)
        self.record(
            t="exit",
            status=os.WEXITSTATUS(status) if os.WIFEXITED(status) else None,
            signal=os.WTERMSIG(status) if os.WIFSIGNALED(status) else None,
            running=running,
            lingered=self.killed_lingering,
        )
        deadline = _clock() + ACKNOWLEDGE_SECONDS
        while not self.acknowledged and not self.host_gone and _clock() < deadline:
            if select.select([self.control], [], [], 1.0)[0]:
                self.from_host()


def read_spec(control):
    """Return the run's description, the first line that the host sends; None if the host is gone.

    Behind it come the files that the description names, for the report of coverage; they are put into a folder.
    """
    data = b""
    while b"\n" not in data:
        piece = os.read(control, 1 << 16)
        if not piece:
            return None
        data += piece
    line, _, rest = data.partition(b"\n")
    spec = json.loads(line.decode("utf-8"))
    if spec["report"]:
        spec["report"]["files"] = receive(control, rest, spec["report"]["sizes"])
        if spec["report"]["files"] is None:
            return None
    return spec


def receive(control, rest, sizes):
    """Return files with what the host sends, so many bytes each; None if the host is gone."""
    import tempfile  # slow to import, and seldom needed

    folder, paths = tempfile.mkdtemp(prefix="pyimages-"), []
    for size in sizes:
        paths.append(os.path.join(folder, str(len(paths))))
        with open(paths[-1], "wb") as file:
            while size:
                piece = rest or os.read(control, 1 << 16)
                if not piece:
                    return None
                file.write(piece[:size])
                piece, rest = piece[:size], piece[size:]
                size -= len(piece)
    return paths


def missing_source(witness):
    """Return one of the given files, [path, size, seconds], if none of them is here as the host saw it.

    One is proof enough, and others may have changed since: a log that the run's own output goes to, for example.
    """
    for path, size, seconds in witness:
        try:
            stat = os.stat(path)
        except OSError:
            continue
        if stat.st_size == size and int(stat.st_mtime) == seconds:
            return None
    return witness[0][0] if witness else None


def put_in_place(kept, root):
    """Give the source tree the files that the build of the image made in it; what the host has stays as it is."""
    for folder, folders, names in os.walk(kept):
        target = root + folder[len(kept) :]
        for name in names + [name for name in folders if os.path.islink(folder + "/" + name)]:
            if not os.path.lexists(target + "/" + name):
                import shutil  # slow to import, and seldom needed

                if not os.path.isdir(target):
                    os.makedirs(target)
                if os.path.islink(folder + "/" + name):
                    os.symlink(os.readlink(folder + "/" + name), target + "/" + name)
                else:
                    shutil.copy2(folder + "/" + name, target + "/" + name)


def complete_source(root):
    """Put what set-up and build made into this container's tree; return why that is not possible, or an empty text."""
    kept = os.path.join(os.path.dirname(os.path.abspath(__file__)), "made")
    try:
        for part in ("setup", "build"):
            put_in_place(os.path.join(kept, part), root)
    except (IOError, OSError) as error:
        return "files that the build of the image made cannot be put into the source tree: %s" % as_text(error)
    return ""


def main():
    """Be the parent process."""
    control = os.dup(0)
    wire = os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(2, 1)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(line_buffering=True)  # with -s, what a suite prints is shown as it comes
    spec = read_spec(control)
    if spec is None:
        return 1
    missing = missing_source(spec["witness"])
    if missing is not None:
        line = "%s 1 %s\n" % (spec["token"], json.dumps({"t": "nosource", "path": missing}))
        os.write(wire, line.encode("ascii"))
        select.select([control], [], [], ACKNOWLEDGE_SECONDS)
        return 0
    spec["incomplete"] = complete_source(spec["project"])

    read_fd, write_fd = os.pipe()
    fcntl.fcntl(read_fd, fcntl.F_SETFL, os.O_NONBLOCK)
    wake_read, wake_write = os.pipe()
    for fd in (wake_read, wake_write):
        fcntl.fcntl(fd, fcntl.F_SETFL, os.O_NONBLOCK)
    pending = Pending()
    terminal = Terminal(spec) if spec["terminal"] else None
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        for fd in (control, wire, read_fd, wake_read, wake_write):
            os.close(fd)
        if null > 2:
            os.close(null)
        if terminal is not None:
            os.close(terminal.master)
            os.close(terminal.slave)
        child_main(write_fd, write_fd, pending, spec)
    for fd in (control, wire, read_fd, write_fd, wake_read, wake_write):
        fcntl.fcntl(fd, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake_write)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = Parent(wire, control, read_fd, child, pending, spec["token"], terminal)
    status = parent.supervise(wake_read)
    if parent.host_gone:
        return 1
    parent.finish(status)
    return 0


if __name__ == "__main__":
    code = main()
    # The parent has nothing to tidy up, and everybody waits for its end.
    sys.stderr.flush()
    os._exit(code)
