"""The project in the current folder, as pytest would see it, for a command that runs no tests."""

from __future__ import annotations

import contextlib
import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_pyimages.engines import Engine
from pytest_pyimages.errors import ConfigurationError, EngineError, PyimagesError
from pytest_pyimages.host import INSIDE, OWN_OPTIONS, Invocation, Settings, invocation_from, options
from pytest_pyimages.session import connect


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a command works: a project, and the engine that is being looked for."""

    config: pytest.Config  # of a pytest that has loaded the host's plugins and knows nothing of the project
    settings: Settings
    connecting: Future[Engine]

    def engine(self) -> Engine:
        """Return the engine; raise ConfigurationError if there is none."""
        try:
            return self.connecting.result()
        except EngineError as error:
            raise ConfigurationError(error.message, error.hint) from error


Work = Callable[[Place], int]


def add_engine_argument(parser: ArgumentParser) -> None:
    """Add ``--engine``, which means what ``--py-images-engine`` means to pytest."""
    parser.add_argument("--engine", metavar="URL", help="the container engine, such as unix:///run/podman/podman.sock")


def pytest_arguments(arguments: Namespace, spec: str | None = None) -> list[str]:
    """Return what pytest would be called with for the same."""
    engine = [f"--py-images-engine={arguments.engine}"] if arguments.engine else []
    images = [f"--py-images={spec}"] if spec is not None else []
    return [*engine, *images, *arguments.pytest_arguments]


def at_project(args: Sequence[str], work: Work) -> int:
    """Do the work in the place that these arguments of pytest mean; return its exit status.

    pytest itself is started for it, and ends before it would look for tests: plugins of the host may choose the engine
    and change recipes.
    """
    if os.environ.get(INSIDE):
        raise ConfigurationError("there is no pyimages inside of an image", "call it on the host")
    invocation = invocation_at(args)
    command = _Command(work, invocation)
    # These reach pytest as they are where no images are asked for; else the plugin puts in what is the host's business.
    own = [token for option in options(args, OWN_OPTIONS) if option.name in _OWN for token in option.tokens]
    status = run_pytest(invocation, [*own, "--noconftest"], plugins=[command])
    if command.error is not None:
        raise command.error
    return status


_OWN = frozenset(name for name, _ in OWN_OPTIONS)


def invocation_at(args: Sequence[str]) -> Invocation:
    """Return how pytest would be called in the current folder; raise ConfigurationError where it could not be."""
    try:
        return invocation_from(args, Path.cwd())
    except (pytest.UsageError, FileNotFoundError) as error:  # pytest 8.0 opens an ini file that does not exist
        raise ConfigurationError(str(error)) from error


def run_pytest(invocation: Invocation, args: Sequence[str], plugins: Sequence[object] = ()) -> int:
    """Run pytest on a project whose configuration only this plugin is shown; return its exit status."""

    class Preset:
        """Hands the project's configuration to the plugin; pytest itself is given none."""

        @staticmethod
        @pytest.hookimpl(tryfirst=True)
        def pytest_addoption(pluginmanager: pytest.PytestPluginManager) -> None:
            config = pluginmanager.get_plugin("pytestconfig")
            config.pyimages_invocation = invocation  # type: ignore[union-attr]  # registered before any plugin

    with _without("PYTEST_ADDOPTS", "PYTEST_PLUGINS"):
        return int(
            pytest.main(
                [
                    *("-c", os.devnull, f"--rootdir={invocation.rootdir}", "-p", "pyimages"),
                    # This process has imported part of the plugin already, which pytest would warn of.
                    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),
                    *args,
                ],
                plugins=[Preset(), *plugins],
            )
        )


def on_terminal(invocation: Invocation, work: Callable[[pytest.TerminalReporter], int]) -> int:
    """Do work that writes as pytest does, with colours where it would have some; return its exit status.

    :param invocation: says where the reporter's pytest has its cache.
    """

    class Work:
        """Takes the place of pytest's own work."""

        @staticmethod
        @pytest.hookimpl(tryfirst=True)
        def pytest_cmdline_main(config: pytest.Config) -> int:
            return work(pytest.TerminalReporter(config, sys.stdout))

    cache = [f"-ocache_dir={invocation.ini['cache_dir']}"] if invocation.ini.get("cache_dir") else []
    arguments = ["-c", os.devnull, f"--rootdir={invocation.rootdir}", "--noconftest", "-p", "no:pyimages", *cache]
    with _without("PYTEST_ADDOPTS", "PYTEST_PLUGINS"):
        return int(pytest.main(arguments, plugins=[Work()]))


@contextlib.contextmanager
def _without(*names: str) -> Iterator[None]:
    """Hide variables from pytest: containers get these, from the invocation; here they could name plugins that lack."""
    kept = {name: os.environ.pop(name) for name in names if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(kept)


class _Command:
    """Takes the place of pytest's own work, when all plugins are there."""

    def __init__(self, work: Work, invocation: Invocation) -> None:
        self.error: PyimagesError | None = None
        self._work = work
        self._invocation = invocation

    @pytest.hookimpl(tryfirst=True)
    def pytest_cmdline_main(self, config: pytest.Config) -> int:
        try:
            settings = Settings.from_config(config, self._invocation)
            place = Place(config=config, settings=settings, connecting=connect(config, settings))
            return self._work(place)
        except PyimagesError as error:
            self.error = error
            return int(pytest.ExitCode.USAGE_ERROR)
