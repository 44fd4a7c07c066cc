"""Check what of a project works on an image that cannot run its whole suite: a pytest plugin of its own.

Each module of the project is compiled and imported, and of the suite the tests that are marked ``smoke`` are run. What
lacks a distribution that could not be installed is skipped. The worker names this file with ``-p``, see sharding.py.
Standard library and pytest only, and the common syntax of Python 2.7 to 3.15.
"""

from __future__ import print_function

import importlib
import io
import json
import os
import re
import sys

import pytest

JOB = "smoke.json"  # root, distribution, standard
LAYOUTS = ("src", "lib", "python")
NO_MODULES = frozenset(
    "benchmarks build conftest dist doc docs example examples node_modules script scripts setup test testing tests"
    " tools venv".split()
)
#: Modules that no longer are in the standard library (PEP 594, PEP 632), which the host's Python may lack as well.
REMOVED = frozenset(
    "aifc asynchat asyncore audioop binhex cgi cgitb chunk crypt distutils formatter imghdr imp lib2to3 mailcap msilib"
    " nis nntplib ossaudiodev parser pipes smtpd sndhdr spwd sunau symbol telnetlib uu xdrlib".split()
)
STATE = {}


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    config.addinivalue_line("markers", "smoke: run this test with --py-images-smoke, too")
    with io.open(os.path.join(os.path.dirname(os.path.abspath(__file__)), JOB), encoding="utf-8") as file:
        STATE.update(json.load(file))
    STATE["base"], STATE["modules"] = find_modules(STATE["root"], STATE["distribution"])
    STATE["own"] = {name.partition(".")[0] for _, name in STATE["modules"]}


@pytest.hookimpl(hookwrapper=True)
def pytest_load_initial_conftests(early_config):
    """Go on without conftests if one cannot be imported here."""
    outcome = yield
    error = outcome.excinfo and outcome.excinfo[1]
    if error is not None and type(error).__name__ == "ConftestImportFailure":
        sys.stderr.write("no conftest.py is used: %s\n" % error)
        early_config.pluginmanager._noconftest = True
        outcome.force_result(None)


@pytest.hookimpl(hookwrapper=True)
def pytest_make_collect_report(collector):
    """Skip the files that cannot be imported here and hold no test that is marked."""
    outcome = yield
    report = outcome.get_result()
    plugins = collector.config.pluginmanager
    if report.outcome == "failed" and "conftest.py" in str(report.longrepr) and not plugins._noconftest:
        from _pytest.runner import pytest_make_collect_report as collect

        plugins._noconftest = True
        report = collect(collector)
        outcome.force_result(report)
    path = str(getattr(collector, "path", None) or getattr(collector, "fspath", ""))
    if report.outcome == "failed" and not mentions_mark(path):
        text = str(report.longrepr).strip().splitlines() or [""]
        report.outcome = "skipped"
        report.longrepr = (path, 0, "Skipped: not collected here: " + re.sub(r"^E\s+", "", text[-1]))


def mentions_mark(path):
    """Return whether a test of a file may be marked ``smoke``."""
    if not os.path.isfile(path):
        return False
    with io.open(path, encoding="utf-8", errors="replace") as file:
        return "smoke" in file.read()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(session, config, items):
    marked = [item for item in items if item.get_closest_marker("smoke")]
    others = [item for item in items if not item.get_closest_marker("smoke")]
    if others:
        config.hook.pytest_deselected(items=others)
    items[:] = list(make_checks(session)) + marked


def make_checks(session):
    """Yield the items that compile and import each module."""
    for path, name in STATE["modules"]:
        file = make_node(ModuleFile, session, path=path)
        for kind in ("compile", "import"):
            if kind == "compile" or name:
                check = make_node(Check, file, name=kind)
                check.module = name
                yield check


def make_node(cls, parent, **where):
    """Return a node: with a constructor of its own since pytest 5.4, with a pathlib path since 7.0."""
    make = getattr(cls, "from_parent", None)
    if "path" not in where:
        return make(parent, **where) if make else cls(parent=parent, **where)
    if hasattr(parent, "path"):
        from pathlib import Path

        return make(parent, path=Path(where["path"]))
    path = type(parent.fspath)(where["path"])
    return make(parent, fspath=path) if make else cls(path, parent)


class ModuleFile(pytest.File):
    def collect(self):
        return ()


class Check(pytest.Item):
    """Compile or import one module of the project."""

    def runtest(self):
        path = str(getattr(self.parent, "path", None) or self.parent.fspath)
        if self.name == "compile":
            with open(path, "rb") as file:
                compile(file.read(), path, "exec", 0, True)
            return
        if STATE["base"] not in sys.path:
            sys.path.append(STATE["base"])
        try:
            importlib.import_module(self.module)
        except ImportError as error:
            missing = find_missing(error)
            if missing is None:
                raise
            pytest.skip("%s is not installed" % missing)

    def repr_failure(self, excinfo, *args, **options):
        if excinfo.errisinstance(SyntaxError) if hasattr(excinfo, "errisinstance") else excinfo.type is SyntaxError:
            error = excinfo.value
            return "%s:%s: %s: %s" % (error.filename, error.lineno, type(error).__name__, error.msg)
        entries = [entry for entry in excinfo.traceback if "importlib" not in str(entry.path)]
        ours = [number for number, entry in enumerate(entries, 1) if entry.frame.f_globals is globals()]
        if ours and ours[-1] < len(entries):
            excinfo.traceback = type(excinfo.traceback)(entries[ours[-1] :])
        return pytest.Item.repr_failure(self, excinfo, *args, **options)

    def reportinfo(self):
        path = getattr(self.parent, "path", None) or self.parent.fspath
        return path, 0, "%s %s" % (self.name, self.module or "the program")


def find_missing(error):
    """Return the distribution's module that an import lacks; None for the project's own and the standard library's."""
    name = getattr(error, "name", None)
    if name is None:  # Python 2
        found = re.match(r"No module named '?([\w.]+)", str(error))
        name = found.group(1) if found else ""
    elif type(error).__name__ != "ModuleNotFoundError" and sys.version_info >= (3, 6):
        return None
    name = name.partition(".")[0]
    is_ours = name in STATE["own"] or name in STATE["standard"] or name in REMOVED or name in sys.modules
    return None if is_ours or not name else name


def find_modules(root, distribution):
    """Return the folder that the project's modules are imported from, and the path and the name of each.

    The name is empty for a module that is a program: it is only compiled.
    """
    for layout in LAYOUTS:
        base = os.path.join(root, layout)
        found = list(walk(base, "", True)) if os.path.isdir(base) else []
        if any(name for _, name in found):
            return base, found
    alone = distribution.replace("-", "_").lower()
    found = [
        (path, name if "." in name or name == alone or os.path.isdir(os.path.join(root, name)) else "")
        for path, name in walk(root, "", False)
    ]
    return root, found


def walk(folder, package, takes_namespaces):
    """Yield the path and the name of each module in a folder, without tests."""
    for entry in sorted(os.listdir(folder)):
        path = os.path.join(folder, entry)
        stem, extension = os.path.splitext(entry)
        if stem in NO_MODULES or stem.startswith((".", "test_")) or not re.match(r"[A-Za-z_]\w*$", stem):
            continue
        name = package + "." + stem if package else stem
        if extension == ".py" and os.path.isfile(path):
            yield path, "" if stem == "__main__" else package if stem == "__init__" else name
        elif not extension and os.path.isdir(path) and not os.path.islink(path):
            if os.path.isfile(os.path.join(path, "__init__.py")):
                for found in walk(path, name, takes_namespaces):
                    yield found
            elif takes_namespaces:  # PEP 420: only what has packages
                for found in walk(path, name, takes_namespaces):
                    if "." in found[1][len(name) + 1 :] or found[0].endswith("__init__.py"):
                        yield found
