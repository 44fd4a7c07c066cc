"""Find the project in the current folder as pytest would, for a command that runs no tests."""

from __future__ import annotations

import contextlib
import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from pytest_pyimages.engines import Engine
from pytest_pyimages.errors import ConfigurationError, EngineError, PyimagesError
from pytest_pyimages.host import (
    OPTION_NAMES,
    Invocation,
    Settings,
    adopt_display_options,
    is_inside,
    make_rootdir_option,
    start_without_project,
)
from pytest_pyimages.immutable import Immutable
from pytest_pyimages.session import SessionPlan, connect, plan_session

SPEC_HELP = "the images, such as 3.12,3.14-slim (default: the ini key py_images)"


class Place(Immutable):
    """The project that a command works on, and the engine that is being connected to: the first one of the settings."""

    config: pytest.Config  # of a pytest with the host's plugins and without the project's configuration
    settings: Settings
    connecting: Future[Engine]
    is_one_of_several: bool = False  # the command does the same with other engines

    def engine(self) -> Engine:
        """Return the connected engine; say so if it is only the first one.

        :raises ConfigurationError: if no engine answers.
        """
        try:
            engine = self.connecting.result()
        except EngineError as error:
            raise ConfigurationError(error.message, error.hint) from error
        if len(self.settings.engines) > 1:
            option = "--engine" if self.settings.invocation.command else "--py-images-engine"
            sys.stderr.write(f"note: the first engine is used, {engine.info.address} · {option} selects another\n")
        return engine

    def plan(self) -> SessionPlan:
        """Plan the requested images.

        :raises ConfigurationError: if no image is requested, or the request is invalid.
        """
        check_images_named(self.settings.invocation)
        return plan_session(self.config, self.settings)


def check_images_named(invocation: Invocation) -> None:
    """Raise ConfigurationError unless the command line or the configuration names images."""
    if not invocation.wants_images:
        raise ConfigurationError("no images given", "add a SPEC such as 3.12,3.14-slim, or set py_images")


Work = Callable[[Place], int]


def add_engine_argument(parser: ArgumentParser) -> None:
    """Add ``--engine``, which is ``--py-images-engine`` for this command."""
    example = "such as unix:///run/podman/podman.sock, or the name of a Docker context"
    parser.add_argument("--engine", metavar="ENGINE", help=f"the container engine, {example}")


def pytest_arguments(arguments: Namespace, spec: str | None = None) -> list[str]:
    """Return the arguments of pytest that are equivalent to those of a command."""
    engine = [f"--py-images-engine={arguments.engine}"] if arguments.engine else []
    images = [f"--py-images={spec}"] if spec is not None else []
    return [*engine, *images, *arguments.pytest_arguments]


def run_at_project(args: Sequence[str], work: Work, *, on_each_engine: bool = False) -> int:
    """Call ``work`` with the project that these arguments of pytest select; return its exit status.

    pytest is started for it and ends before collection, since plugins of the host may choose the engine and change
    recipes.

    :param on_each_engine: call it for each of several engines, and return the highest status.
    """
    if is_inside():
        raise ConfigurationError("pyimages cannot be used in a container", "run it on the host")
    invocation = read_invocation(args)
    command = _Command(work, invocation, on_each_engine=on_each_engine)
    # Without images pytest gets these as they are; otherwise the plugin adds what the host handles.
    own = invocation.typed.select(OPTION_NAMES).words
    status = run_pytest(invocation, [*own, "--noconftest"], plugins=[command])
    if command.error is not None:
        raise command.error
    return status


def read_invocation(args: Sequence[str], *, command: bool = True) -> Invocation:
    """Read how pytest would be invoked in the current folder.

    :param command: whether the arguments are those of ``pyimages``.
    :raises ConfigurationError: if pytest would refuse the invocation.
    """
    try:
        return Invocation.from_arguments(args, Path.cwd(), command=command)
    except (pytest.UsageError, FileNotFoundError) as error:  # pytest 8.0 opens an ini file that does not exist
        raise ConfigurationError(str(error)) from error


def run_pytest(invocation: Invocation, args: Sequence[str], plugins: Sequence[object] = ()) -> int:
    """Run pytest without the project's configuration, which only this plugin gets; return its exit status."""

    class Start:
        """Start this pytest like one that requests images on its own command line."""

        @staticmethod
        @pytest.hookimpl(wrapper=True, tryfirst=True)
        def pytest_cmdline_parse(
            pluginmanager: pytest.PytestPluginManager, args: list[str]
        ) -> Generator[None, pytest.Config, pytest.Config]:
            config = pluginmanager.get_plugin("pytestconfig")
            with start_without_project(cast("pytest.Config", config), args, invocation):
                return (yield)

    return int(pytest.main([*args], plugins=[Start(), *plugins]))


def run_with_terminal(invocation: Invocation, work: Callable[[pytest.TerminalReporter], int]) -> int:
    """Call ``work`` with pytest's terminal reporter; return its exit status.

    :param invocation: its ``cache_dir`` is used, and its options on how results are shown.
    """
    from pytest_pyimages.results import STATUS  # other commands need none of it

    class Work:
        """Replace pytest's main loop."""

        @staticmethod
        @pytest.hookimpl(tryfirst=True)
        def pytest_cmdline_main(config: pytest.Config) -> int:
            from _pytest.terminal import TerminalReporter  # pytest 8.0 does not export it

            adopt_display_options(config, invocation)
            return work(TerminalReporter(config, sys.stdout))

        @staticmethod
        @pytest.hookimpl(tryfirst=True)
        def pytest_report_teststatus(report: object) -> tuple[str, str, str] | None:
            """Return the words of a report itself, as in a session; pytest's plugins are not configured here."""
            status: tuple[str, str, str] | None = getattr(report, STATUS, None)
            return status

    cache = [f"-ocache_dir={invocation.ini['cache_dir']}"] if invocation.ini.get("cache_dir") else []
    rootdir = make_rootdir_option(invocation.rootdir, invocation.cwd)
    arguments = ["-c", os.devnull, rootdir, "--noconftest", "-p", "no:pyimages", *cache]
    with _hide_variables("PYTEST_ADDOPTS", "PYTEST_PLUGINS"):
        return int(pytest.main(arguments, plugins=[Work()]))


@contextlib.contextmanager
def _hide_variables(*names: str) -> Iterator[None]:
    """Hide environment variables: containers get them from the invocation; the host may lack the plugins they name."""
    kept = {name: os.environ.pop(name) for name in names if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(kept)


class _Command:
    """Replace pytest's main loop once all plugins are loaded."""

    def __init__(self, work: Work, invocation: Invocation, *, on_each_engine: bool) -> None:
        self.error: PyimagesError | None = None
        self._on_each_engine = on_each_engine
        self._work = work
        self._invocation = invocation

    @pytest.hookimpl(tryfirst=True)
    def pytest_cmdline_main(self, config: pytest.Config) -> int:
        try:
            settings = Settings.from_config(config, self._invocation)
            if self._on_each_engine and len(settings.engines) > 1:
                return max(self._work_on(config, settings, address) for address in settings.engines)
            return self._work(Place(config=config, settings=settings, connecting=connect(config, settings)))
        except PyimagesError as error:
            self.error = error
            return int(pytest.ExitCode.USAGE_ERROR)

    def _work_on(self, config: pytest.Config, settings: Settings, address: str) -> int:
        """Do the work with one of several engines; an error does not keep it from being done with the others."""
        one = replace(settings, engines=(address,))
        sys.stdout.write(f"{address}:\n")
        sys.stdout.flush()
        try:
            place = Place(config=config, settings=one, connecting=connect(config, one), is_one_of_several=True)
            return self._work(place)
        except PyimagesError as error:
            if self.error is not None:
                sys.stderr.write(f"ERROR: {self.error}\n")
            self.error = error
            return int(pytest.ExitCode.USAGE_ERROR)
