"""What coverage needs inside a container: sent along with a run's description where ``--cov`` is asked for.

One file, standard library, pytest, pytest-cov and coverage only, in the syntax that Python 2.7 to 3.15 have in common.
The worker executes it in the pytest process. Two jobs. *Measuring*: pytest-cov measures as ever and makes no report;
its data file is sent to the host. *Reporting*, in a container of its own: pytest reads the same arguments, pytest-cov
combines the data files of all images as if they were those of its own processes, and makes its reports; then the files
that it wrote are sent.
"""

from __future__ import print_function

import base64
import json
import os
import shutil
import sysconfig
import tempfile

PART = 256 * 1024  # bytes of a file in one record
MAX_DATA = 256 * 1024 * 1024  # bytes of one data file
MAX_LINES = 20000  # of one file that images differ about


def send_content(channel, path):
    """Send a file's content in parts."""
    with open(path, "rb") as file:
        while True:
            data = file.read(PART)
            if not data:
                return
            channel.send({"t": "coverage", "data": base64.b64encode(data).decode("ascii")})


def measuring(channel):
    """Return the plugin that sends what pytest-cov has measured. Only called where pytest can be imported."""
    import pytest

    class Measuring(object):
        def __init__(self):
            self.plugin = None

        @pytest.hookimpl(hookwrapper=True, tryfirst=True)
        def pytest_load_initial_conftests(self, early_config):
            # What earlier runs have measured is added once, in the report.
            early_config.known_args_namespace.cov_append = False
            yield
            plugin = early_config.pluginmanager.getplugin("_cov")
            if plugin is not None:
                # The report is made once, of all images; so is the judgement.
                plugin._should_report = lambda: False
                plugin.options.cov_fail_under = None
                self.plugin = plugin

        @pytest.hookimpl(trylast=True)
        def pytest_sessionfinish(self, session):
            controller = getattr(self.plugin, "cov_controller", None)
            if controller is None or getattr(session.config.option, "collectonly", False):
                return
            try:
                path, size = data_of(controller)
            except Exception as error:  # coverage's, or that of a plugin of its own
                channel.send({"t": "measured", "size": 0, "problem": "%s: %s" % (type(error).__name__, error)})
                return
            if path:
                send_content(channel, path)
            lost = len(getattr(controller, "failed_workers", ()))
            problem = "what %d of xdist's workers measured was lost with them" % lost if lost else ""
            channel.send({"t": "measured", "size": size, "problem": problem})

    return Measuring()


def data_of(controller):
    """Return the file with what was measured, and its size; no file if there is nothing."""
    import coverage

    if coverage.version_info < (5,):
        raise ValueError("coverage %s keeps its data in a form of its own, 5.0 is needed" % coverage.__version__)
    if controller.cov is not controller.combining_cov:  # the suite was stopped before pytest-cov came to it
        controller.finish()
    path = controller.cov.get_data().data_filename()
    if not os.path.exists(path):
        return None, 0
    size = os.path.getsize(path)
    if size > MAX_DATA:
        raise ValueError("its data file has %d MiB, %d are the limit" % (size >> 20, MAX_DATA >> 20))
    return path, size


class Done(Exception):
    """The report is made: pytest has nothing else to do."""


def reporting(channel, spec, add_ignored_options):
    """Make the report of all images' data; ``spec["report"]`` says how. Return the exit status of this process."""
    import pytest

    class Reporting(object):
        def pytest_addoption(self, parser):
            add_ignored_options(parser, spec)

        @pytest.hookimpl(tryfirst=True)
        def pytest_load_initial_conftests(self, early_config):
            # pytest-cov, registered later and thus called earlier, has read its options and is about to measure.
            plugin = early_config.pluginmanager.getplugin("_cov")
            if plugin is None or plugin.cov_controller is None:
                raise RuntimeError("pytest-cov is not active in the container that is to make the report")
            Report(channel, spec["report"], plugin, spec["project"]).make()
            raise Done

    try:
        pytest.main(["-p", "no:pyimages"] + spec["args"], plugins=[Reporting()])
    except Done:
        return 0
    return 3


class Terminal(object):
    """Stands for pytest's terminal reporter, and for what pytest-cov asks of a session and its configuration."""

    def __init__(self, channel, failures):
        self.channel = channel
        self.testsfailed = failures
        self.config = self.pluginmanager = self

    def getplugin(self, name):
        return self if name == "terminalreporter" else None

    def write(self, content, **markup):
        names = sorted(name for name, wanted in markup.items() if wanted is True)
        for start in range(0, len(content), PART):
            self.channel.send({"t": "said", "text": content[start : start + PART], "markup": names, "sep": ""})

    def write_line(self, line, **markup):
        self.write(line + "\n", **markup)

    def write_sep(self, sep, title=None, **markup):
        self.channel.send({"t": "said", "text": title or "", "markup": [], "sep": sep})


class Report(object):
    """The report of all images' data files, by pytest-cov of this environment."""

    def __init__(self, channel, job, plugin, project):
        self.channel = channel
        self.plugin = plugin
        self.controller = plugin.cov_controller
        self.project = project
        self.labels = job["labels"]
        self.files = job["files"]  # of the same order, here
        self.failures = job["failures"]
        self.contexts = job["contexts"]
        self.scratch = tempfile.mkdtemp(prefix="pyimages-coverage-")
        self.images = []  # index and Coverage of each image whose data can be read

    def make(self):
        try:
            self._make()
        finally:
            shutil.rmtree(self.scratch, True)

    def _make(self):
        self.controller.cov.stop()
        data_file = os.path.abspath(self.controller.cov.get_option("run:data_file"))
        unusable = []
        for index, path in enumerate(self.files):
            try:
                self.images.append((index, self._loaded(index, path)))
            except Exception as error:  # whatever there is in it
                unusable.append([self.labels[index], "%s: %s" % (type(error).__name__, error)])
                continue
            shutil.copyfile(self._path(index), "%s.pyimages.%d" % (data_file, index))
        expected = Expected(self.plugin.options.cov_report, self.controller.cov)
        failed = self._report()
        self._send("data", data_file, [data_file])
        for kind, root, paths in expected.written(self.controller.cov):
            self._send(kind, root, paths)
        for path, rows in sorted(self._differing().items()):
            self.channel.send({"t": "lines", "path": path, "rows": rows})
        total = self.plugin.cov_total
        total = None if total is None else float(total)
        self.channel.send({"t": "covered", "total": total, "failed": failed, "unusable": unusable})

    def _path(self, index):
        return os.path.join(self.scratch, str(index), "data")

    def _new_coverage(self, path):
        import coverage

        options = self.plugin.options
        made = coverage.Coverage(data_file=path, config_file=options.cov_config, branch=options.cov_branch)
        made._warn_no_data = False
        made.set_option("paths", self._paths(made))
        return made

    def _paths(self, cov):
        """Return the configured mapping of paths, and below it our own of what is installed.

        That is what it was installed from, if there is such a file, and else the same file of this Python.
        """
        import coverage

        paths = dict(cov.get_option("paths") or {})
        installed = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
        patterns = sorted({"*/" + os.path.basename(folder) for folder in installed})
        folders = installed
        if coverage.version_info >= (7,):  # before that it did not look whether there is such a file
            folders = [os.path.join(self.project, "src"), self.project] + installed
        for number, folder in enumerate(folders):
            paths["pyimages %d" % number] = [folder] + patterns
        return paths

    def _loaded(self, index, path):
        """Return a Coverage with one image's data, with paths and contexts as in the report."""
        os.mkdir(os.path.join(self.scratch, str(index)))
        cov = self._new_coverage(self._path(index))
        cov.combine([path], strict=True)
        cov.save()
        if self.contexts:
            add_context(self._path(index), self.labels[index])
            cov = self._new_coverage(self._path(index))
        cov.load()
        data = cov.get_data()
        branches = bool(self.controller.cov.get_option("run:branch"))
        if data.measured_files() and data.has_arcs() != branches:  # coverage would leave it out
            raise ValueError("branches are measured %s" % ("elsewhere only" if branches else "there only"))
        return cov

    def _report(self):
        """Let pytest-cov combine, report and judge; return whether there is too little coverage."""
        controller, plugin = self.controller, self.plugin
        controller.combining_cov.set_option("paths", self._paths(controller.combining_cov))
        finish = controller.finish

        def finish_all():
            finish()
            controller.node_descs = {", ".join(self.labels[index] for index, _ in self.images)}

        controller.finish = finish_all
        terminal = Terminal(self.channel, self.failures)
        loop = plugin.pytest_runtestloop(terminal)
        next(loop)
        try:
            loop.send(None)
        except StopIteration:
            pass
        plugin.pytest_terminal_summary(terminal)
        return terminal.testsfailed > self.failures

    def _send(self, kind, root, paths):
        for path in paths:
            if os.path.isfile(path):
                name = "" if path == root else os.path.relpath(path, root)
                size = os.path.getsize(path)
                self.channel.send({"t": "file", "kind": kind, "root": root, "name": name, "size": size})
                send_content(self.channel, path)

    def _differing(self):
        """Return for each file that images differ about: rows of images' numbers, lines, and the lines as a text."""
        executed = {}  # path -> by image, what was executed
        for place, (_, cov) in enumerate(self.images):
            data = cov.get_data()
            for path in data.measured_files():
                sets = executed.setdefault(path, [frozenset()] * len(self.images))
                sets[place] = frozenset(data.lines(path) or ())
        executed = dict((path, sets) for path, sets in executed.items() if len(set(sets)) > 1)
        found, missing = {}, {}  # path -> by image, lines
        statements = {}
        for place, (_, cov) in enumerate(self.images):
            # Parsing a file is what takes time: of images that executed the same, the first stands for all.
            paths = [path for path, sets in executed.items() if sets.index(sets[place]) == place]
            for path, lines in self._analysed(cov, sorted(paths)).items():
                missing.setdefault(path, {})[place] = frozenset(lines["missing_lines"])
                statements.setdefault(path, set()).update(lines["missing_lines"], lines["executed_lines"])
        for path, sets in executed.items():
            name = os.path.relpath(path) if path.startswith(os.getcwd() + os.sep) else path
            if name in missing:
                by_image = [missing[name].get(sets.index(each), frozenset()) for each in sets]
                rows = self._rows(by_image, sorted(statements[name]))
                if rows:
                    found[name] = rows
        return found

    def _analysed(self, cov, paths):
        report = os.path.join(self.scratch, "lines.json")
        from coverage.misc import CoverageException

        if not paths:
            return {}
        try:
            cov.json_report(morfs=paths, outfile=report, ignore_errors=True, show_contexts=False)
        except CoverageException:  # none of the files is to be reported
            return {}
        with open(report) as file:
            return json.load(file)["files"]

    def _rows(self, missing, statements):
        groups = {}
        for line in frozenset().union(*missing):
            covering = tuple(place for place, lines in enumerate(missing) if line not in lines)
            if covering:
                groups.setdefault(covering, []).append(line)
        return [
            [[self.images[place][0] for place in covering], sorted(lines)[:MAX_LINES], as_ranges(lines, statements)]
            for covering, lines in sorted(groups.items())
        ]


def as_ranges(lines, statements):
    """Return "12-14, 20": runs of lines between which there is no other statement."""
    lines, runs, running = set(lines), [], False
    for line in statements:
        if line not in lines:
            running = False
        elif running:
            runs[-1][1] = line
        else:
            runs.append([line, line])
            running = True
    return ", ".join(str(first) if first == last else "%d-%d" % (first, last) for first, last in runs)


def add_context(path, label):
    """Make an image's label the static context of a data file: "3.12", and "3.12|test" for what a test has run."""
    import sqlite3

    connection = sqlite3.connect(path)
    try:
        with connection:
            connection.execute(
                "UPDATE context SET context = CASE context WHEN '' THEN ? ELSE ? || '|' || context END", (label, label)
            )
    finally:
        connection.close()


SETTINGS = {"html": "html:directory", "xml": "xml:output", "json": "json:output", "lcov": "lcov:output"}


class Expected(object):
    """Where pytest-cov is about to write its reports, and what was there before."""

    def __init__(self, reports, cov):
        self.roots = []  # kind and path
        self.annotates = False
        for kind in reports or ():
            path = reports.get(kind) if isinstance(reports, dict) else None
            if kind == "annotate" and not path:
                self.annotates = True
            elif kind in SETTINGS or kind in ("annotate", "markdown", "markdown-append"):
                self.roots.append((kind, os.path.abspath(path or cov.get_option(SETTINGS[kind]))))
        self.before = dict((root, self._states(root)) for _, root in self.roots)

    @staticmethod
    def _states(root):
        found = {}
        paths = [root] if os.path.isfile(root) else []
        for folder, _, names in os.walk(root):
            paths += [os.path.join(folder, name) for name in names]
        for path in paths:
            if not os.path.islink(path):
                state = os.stat(path)
                found[path] = (state.st_mtime, state.st_size, state.st_ino)
        return found

    def written(self, cov):
        """Yield kind, root and the new files of each report."""
        for kind, root in self.roots:
            before = self.before[root]
            yield kind, root, sorted(path for path, state in self._states(root).items() if before.get(path) != state)
        if self.annotates:
            for path in sorted(cov.get_data().measured_files()):
                yield "annotate", path + ",cover", [path + ",cover"]
