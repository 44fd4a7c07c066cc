"""Make the coverage report of all images' data, with the pytest-cov of this image.

pytest reads the same arguments as for the suite; pytest-cov combines the data files of all images as if they were those
of its own processes, and writes its reports; then the written files are sent to the host.
"""

from __future__ import absolute_import, print_function

import json
import os
import shutil
import sysconfig
import tempfile

import pytest

from .measuring import PART, send_content
from .options import add_ignored_options

MAX_LINES = 20000  # of one file, that images differ about


class DoneError(Exception):
    """The report is made: pytest has nothing else to do."""


class Reporting(object):
    """Makes the report as soon as pytest-cov is configured."""

    def __init__(self, channel, spec):
        self.channel = channel
        self.spec = spec

    def pytest_addoption(self, parser):
        add_ignored_options(parser, self.spec)

    @pytest.hookimpl(tryfirst=True)
    def pytest_load_initial_conftests(self, early_config):
        # pytest-cov, registered later and thus called earlier, has read its options and begun to measure.
        plugin = early_config.pluginmanager.getplugin("_cov")
        if plugin is None or plugin.cov_controller is None:
            raise RuntimeError("pytest-cov is not active in the container that makes the report")
        plugin.cov_controller.cov.stop()
        Report(self.channel, self.spec["report"], plugin, self.spec["project"]).make()
        raise DoneError


def make_report(channel, spec):
    """Make and send the report that the job describes; return the exit status of this process."""
    try:
        pytest.main(["-p", "no:pyimages"] + spec["args"], plugins=[Reporting(channel, spec)])
    except DoneError:
        return 0
    return 3


class Terminal(object):
    """Stands in for pytest's terminal reporter, and for the session and configuration that pytest-cov uses."""

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
    """The report of all images' data files."""

    def __init__(self, channel, report, plugin, project):
        self.channel = channel
        self.plugin = plugin
        self.controller = plugin.cov_controller
        self.project = project
        self.roots = report["roots"]  # of the sources: that of this report, and those that data files name
        self.labels = []
        self.files = []  # data files of each label, several of an image whose tests were divided
        for label, path in zip(report["labels"], report["files"]):
            if label not in self.labels:
                self.labels.append(label)
                self.files.append([])
            self.files[self.labels.index(label)].append(path)
        self.failures = report["failures"]
        self.contexts = report["contexts"]
        self.scratch = tempfile.mkdtemp(prefix="pyimages-coverage-")
        self.images = []  # index and Coverage of each image whose data can be read

    def make(self):
        try:
            self._make()
        finally:
            shutil.rmtree(self.scratch, True)

    def _make(self):
        data_file = os.path.abspath(self.controller.cov.get_option("run:data_file"))
        unusable = []
        for index, paths in enumerate(self.files):
            try:
                self.images.append((index, self._load(index, paths)))
            except Exception as error:  # the file may contain anything
                unusable.append([self.labels[index], "%s: %s" % (type(error).__name__, error)])
                continue
            shutil.copyfile(self._path(index), "%s.pyimages.%d" % (data_file, index))
        written = WrittenFiles(self.plugin.options.cov_report, self.controller.cov)
        failed = self._report()
        self._send("data", data_file, [data_file])
        for kind, root, paths in written.find(self.controller.cov):
            self._send(kind, root, paths)
        for path, rows in sorted(self._find_differences().items()):
            self.channel.send({"t": "lines", "path": path, "rows": rows})
        total = self.plugin.cov_total
        total = None if total is None else float(total)
        self.channel.send({"t": "covered", "total": total, "failed": failed, "unusable": unusable})

    def _path(self, index):
        return os.path.join(self.scratch, str(index), "data")

    def _new_coverage(self, path):
        import coverage

        options = self.plugin.options
        cov = coverage.Coverage(data_file=path, config_file=options.cov_config, branch=options.cov_branch)
        cov._warn_no_data = False
        cov.set_option("paths", self._paths(cov))
        return cov

    def _paths(self, cov):
        """Return the configured mapping of paths, followed by those for other roots and for installed packages.

        The last maps a file to the project's file that it was installed from, or else to the same file of this Python.
        """
        import coverage

        paths = dict(cov.get_option("paths") or {})
        if len(self.roots) > 1:
            paths["pyimages roots"] = self.roots
        installed = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
        patterns = sorted({"*/" + os.path.basename(folder) for folder in installed})
        folders = installed
        if coverage.version_info >= (7,):  # older ones do not check that the file exists
            folders = [os.path.join(self.project, "src"), self.project] + installed
        for number, folder in enumerate(folders):
            paths["pyimages %d" % number] = [folder] + patterns
        return paths

    def _load(self, index, paths):
        """Return a Coverage with one image's data, and with paths and contexts as in the report."""
        os.mkdir(os.path.join(self.scratch, str(index)))
        cov = self._new_coverage(self._path(index))
        for path in paths:  # one by one: of several, coverage leaves out those that it cannot read
            cov.combine([path], strict=True)
        cov.save()
        if self.contexts:
            add_context(self._path(index), self.labels[index])
            cov = self._new_coverage(self._path(index))
        cov.load()
        data = cov.get_data()
        branches = bool(self.controller.cov.get_option("run:branch"))
        if data.measured_files() and data.has_arcs() != branches:  # coverage would ignore it
            raise ValueError("branches were measured on %s" % ("other images only" if branches else "this image only"))
        return cov

    def _report(self):
        """Let pytest-cov combine, report and check the total; return whether it is too low."""
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

    def _find_differences(self):
        """Return rows for each file that images differ about: indexes of images, lines, and the lines as a text."""
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
            # Parsing files is slow: of images that executed the same lines, only the first is analysed.
            paths = [path for path, sets in executed.items() if sets.index(sets[place]) == place]
            for path, lines in self._analyse(cov, sorted(paths)).items():
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

    def _analyse(self, cov, paths):
        report = os.path.join(self.scratch, "lines.json")
        from coverage.misc import CoverageException

        if not paths:
            return {}
        try:
            cov.json_report(morfs=paths, outfile=report, ignore_errors=True, show_contexts=False)
        except CoverageException:  # no file is to be reported
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
    """Return "12-14, 20": ranges of lines without another statement between."""
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
    """Prefix the contexts of a data file with an image's label: "3.12", or "3.12|test" for lines that a test ran."""
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


class WrittenFiles(object):
    """Finds the files that pytest-cov writes as its reports."""

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

    def find(self, cov):
        """Yield kind, root and the new files of each report."""
        for kind, root in self.roots:
            before = self.before[root]
            yield kind, root, sorted(path for path, state in self._states(root).items() if before.get(path) != state)
        if self.annotates:
            for path in sorted(cov.get_data().measured_files()):
                yield "annotate", path + ",cover", [path + ",cover"]
