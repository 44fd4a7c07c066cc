"""Stand-ins for the collected tests, for those plugins of the host that look at tests and not only at reports.

Editors build their tree of tests from ``session.items``. The tests exist in the containers only, so each has a
stand-in: a real ``pytest.Function`` in real collectors, with the path, the names and the node id of its reports, and
the image as its parameter. It cannot be run. Stand-ins are only made if such a plugin is loaded: there may be very many
tests.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest

from pytest_pyimages.results.reports import append_label
from pytest_pyimages.runs.events import Item
from pytest_pyimages.text import flatten

_COLLECTION_HOOKS = (
    "pytest_itemcollected",
    "pytest_collection_modifyitems",
    "pytest_collection_finish",
    "pytest_runtest_protocol",
)
_INTERACT = "pytest_exception_interact"
# Their pytest_collection_finish only counts the tests, for a progress that replay sets, or that is not shown.
_COUNTING = ("pytest_sugar", "pytest_html.")
# pytest, this plugin, and plugins whose hooks only change which tests run, in which order and how, which they do in
# containers: they are on many hosts, since projects require them.
_INDIFFERENT = (
    "_pytest.",
    "pytest_pyimages.",
    "_hypothesis_pytestplugin",
    "anyio.",
    "flaky.",
    "pytest_benchmark.",
    "pytest_django.",
    "pytest_forked",
    "pytest_order.",
    "pytest_randomly",
    "pytest_rerunfailures",
    "pytest_retry.",
    "pytest_split.",
    "pytest_timeout",
    "pytest_trio.",
)


def is_in_container() -> NoReturn:
    """Stand in for the function of a test."""
    raise RuntimeError("this test exists in a container only")


class _WithoutObject:
    """A collector whose module or class must not be imported on the host."""

    @property
    def obj(self) -> NoReturn:
        raise AttributeError("it exists in a container only")

    def collect(self) -> list[pytest.Item | pytest.Collector]:
        return []


class ModuleStandIn(_WithoutObject, pytest.Module):
    """A Python file with tests."""


class ClassStandIn(_WithoutObject, pytest.Class):
    """A class with tests."""


class FileStandIn(_WithoutObject, pytest.File):
    """Any other file with tests."""


class TestStandIn(pytest.Function):
    """A test of one image."""

    __test__ = False

    def __init__(self, name: str, parent: pytest.Collector, *, item: Item, label: str) -> None:
        # That of Function asks for the test's function and for its fixtures.
        pytest.Item.__init__(self, append_label(name, label), parent, nodeid=append_label(item.nodeid, label))
        self._obj = is_in_container
        self._instance = None
        self.originalname = name.partition("[")[0]
        self.fixturenames: list[str] = []
        self.funcargs: dict[str, object] = {}
        self.location = (item.path, item.line, append_label(item.domain, label))
        if parent.getparent(pytest.Module) is not None:  # a part of editors' ids is what precedes ".py"
            parameters = f"{name.partition('[')[2].removesuffix(']')}-{label}".removeprefix("-")
            self.callspec: Any = SimpleNamespace(id=parameters, params={"py_image": label}, indices={}, marks=[])


class StandIns:
    """Makes the stand-ins of a session, and calls the collection hooks of the host's plugins; on the main thread."""

    def __init__(self, session: pytest.Session, labels: Iterable[str]) -> None:
        """Prepare for the images of a session, in the order of the matrix."""
        self._session = session
        self._items: dict[str, list[pytest.Item]] = {label: [] for label in labels}
        hook = session.config.hook
        listeners = (each for name in _COLLECTION_HOOKS for each in find_foreign(getattr(hook, name)))
        self.are_needed = any(not each.function.__module__.startswith(_COUNTING) for each in listeners)
        self._interacts = bool(find_foreign(getattr(hook, _INTERACT)))
        self._callers: dict[str, Callable[..., Any]] = {}
        self._collectors: dict[str, pytest.Collector] = {"": session}  # by node id
        self._tests: dict[str, TestStandIn] = {}  # by node id
        self.notes: list[str] = []  # errors of plugins
        if self.are_needed:
            session.config.pluginmanager.register(self, "pyimages-stand-ins")

    def add(self, items: Iterable[Item], label: str) -> None:
        """Add the collected tests of an image to the session, and tell the plugins; for each image once, or more."""
        if not self.are_needed:
            return
        new = [self._make_test(item, label) for item in items]
        for test in new:
            self._call("pytest_itemcollected", item=test)
        self._call("pytest_collection_modifyitems", session=self._session, config=self._session.config, items=[*new])
        # With the tests of this image: plugins that count them add the numbers.
        self._session.items = [*new]
        self._call("pytest_collection_finish", session=self._session)
        self._items[label] += new
        self._session.items = [test for tests in self._items.values() for test in tests]

    def start(self, nodeid: str) -> None:
        """Tell the plugins which test starts, before its first report.

        :param nodeid: with the image.
        """
        test = self._tests.get(nodeid)
        if test is not None:
            self._call("pytest_runtest_protocol", item=test, nextitem=None)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self) -> bool:
        """End the hook before a plugin runs the test."""
        return True

    def interact(self, report: pytest.TestReport | pytest.CollectReport, error: str) -> None:
        """Tell the plugins of an exception, which only its report is known of.

        :param error: its type and message, as pytest shows them.
        """
        if not self._interacts or not report.failed:
            return
        nodeid, _, label = report.nodeid.rpartition("[")
        nodes: list[Any] = [self._tests.get(report.nodeid)]
        if not nodeid:  # of the whole image
            nodes = [self._session, *self._select(label.removesuffix("]"))]
        elif nodes == [None]:
            nodes = [self._find_file(nodeid.partition("::")[0])]
        for node in nodes:
            call = make_call(error, when=report.when or "collect")
            self._call(_INTERACT, node=node, call=call, report=report)

    def _select(self, label: str) -> Iterator[TestStandIn]:
        """Yield stand-ins for the tests that were selected by their ids, if their image has collected none."""
        parameters, rootdir = self._session.config.invocation_params, self._session.config.rootpath
        for word in () if self._items[label] else map(str, parameters.args):
            path, separator, names = word.removesuffix(f"[{label}]").partition("::")
            if separator and word.endswith(f"[{label}]"):
                path = os.path.relpath(parameters.dir / path, rootdir).replace(os.sep, "/")
                yield self._make_test(Item(f"{path}::{names}", path, None, names.replace("::", ".")), label)

    def _make_test(self, item: Item, label: str) -> TestStandIn:
        path, _, rest = item.nodeid.partition("::")
        names, bracket, parameters = (rest or path.rpartition("/")[2]).partition("[")
        *classes, name = names.split("::")
        parent = self._find_file(path)
        for class_name in classes:
            nodeid = f"{parent.nodeid}::{class_name}"
            if nodeid not in self._collectors:
                self._collectors[nodeid] = ClassStandIn.from_parent(parent, name=class_name)
            parent = self._collectors[nodeid]
        test: TestStandIn = TestStandIn.from_parent(parent, name=name + bracket + parameters, item=item, label=label)
        self._tests[test.nodeid] = test
        return test

    def _find_file(self, path: str) -> pytest.Collector:
        """Return the stand-in of a file.

        :param path: relative to the rootdir, as in node ids.
        """
        if path not in self._collectors:
            parent = self._find_folder(path.rpartition("/")[0])
            kind: type[ModuleStandIn | FileStandIn] = ModuleStandIn if path.endswith(".py") else FileStandIn
            self._collectors[path] = kind.from_parent(parent, path=self._locate(path), nodeid=path)
        return self._collectors[path]

    def _find_folder(self, path: str) -> pytest.Collector:
        if path not in self._collectors:
            parent = self._find_folder(path.rpartition("/")[0])
            self._collectors[path] = pytest.Dir.from_parent(parent, path=self._locate(path))
        return self._collectors[path]

    def _locate(self, path: str) -> Path:
        return Path(os.path.normpath(self._session.config.rootpath / path))

    def _call(self, name: str, **arguments: object) -> None:
        """Call a hook of the host's plugins; an error of theirs costs no result."""
        if name not in self._callers:
            manager, hook = self._session.config.pluginmanager, getattr(self._session.config.hook, name)
            others = [each.plugin for each in hook.get_hookimpls() if _is_indifferent(each) and each.plugin is not self]
            self._callers[name] = manager.subset_hook_caller(name, others)
        try:
            self._callers[name](**arguments)
        except Exception as error:  # noqa: BLE001 - whatever a plugin may raise
            note = f"a plugin's {name} failed on the host ({type(error).__name__}: {flatten(error)})"
            if note not in self.notes and len(self.notes) < 5:
                self.notes.append(note)


def make_call(error: str, *, when: str) -> pytest.CallInfo[Any]:
    """Return the call that raised an exception of which only the text is known."""
    name, _, text = error.partition(":")
    is_name = all(part.isidentifier() for part in name.split("."))
    kind = type(name.rpartition(".")[2] if is_name else "AssertionError", (Exception,), {"__module__": "builtins"})
    try:
        raise kind(text.strip() if is_name else error)
    except Exception as raised:  # noqa: BLE001 - what was just raised
        information = pytest.ExceptionInfo.from_exception(raised)
    return pytest.CallInfo(None, information, 0.0, 0.0, 0.0, when, _ispytest=True)  # type: ignore[arg-type]


def find_foreign(hook: Any) -> Sequence[Any]:
    """Return the implementations of a hook by plugins of the host that may look at tests, or at their reports."""
    return [each for each in hook.get_hookimpls() if not _is_indifferent(each)]


def _is_indifferent(implementation: Any) -> bool:
    module: str = implementation.function.__module__
    return module.startswith(_INDIFFERENT)
