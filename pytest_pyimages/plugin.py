"""The entry point: options, and the hand-over to the controller where images are asked for.

Loaded by every pytest of an environment, so it imports neither docker nor the controller at load.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from concurrent.futures import Future
from typing import TYPE_CHECKING

import pytest

from pytest_pyimages import barehost, commandline
from pytest_pyimages.errors import PyimagesError
from pytest_pyimages.settings import INI_KEYS, INSIDE, OPTIONS, OWN_OPTIONS, Invocation, Settings

if TYPE_CHECKING:
    from pytest_pyimages.engines.base import Engine

INVOCATION = pytest.StashKey[Invocation]()


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    from pytest_pyimages import hookspecs

    pluginmanager.add_hookspecs(hookspecs)


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    if os.environ.get(INSIDE):
        return  # in a container: the worker has the options, and they mean nothing there
    group = parser.getgroup("pyimages", "run the suite in containers of Python images")
    for name, metavar, text in OPTIONS:
        group.addoption(name, action="append", default=[], metavar=metavar, help=text)
    for key, text in INI_KEYS:
        parser.addini(key, text, type="linelist")
    config = pluginmanager.get_plugin("pytestconfig")
    if config is None or hasattr(config, "workerinput"):
        return
    invocation = getattr(config, "pyimages_invocation", None) or barehost.invocation_of(config)
    if barehost.wants_images(invocation):
        config.stash[INVOCATION] = invocation
        barehost.forget_project(config)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config, args: list[str]) -> Generator[None, None, None]:
    """Before any other plugin looks at the arguments, leave only what is the host's business."""
    if not os.environ.get(INSIDE):
        _check_spelling(early_config, args)
    invocation = early_config.stash.get(INVOCATION, None)
    if invocation is not None:
        refusal = commandline.refused(invocation.all_args, OWN_OPTIONS)
        if refusal is not None:
            raise pytest.UsageError(f"{refusal[0]} cannot be used with --py-images: {refusal[1]}")
        from pytest_pyimages.slips import check_positions

        try:
            check_positions(invocation)
        except PyimagesError as error:
            raise pytest.UsageError(str(error)) from None
        barehost.rewrite_arguments(early_config, args, invocation)
    return (yield)


def _check_spelling(early_config: pytest.Config, args: list[str]) -> None:
    """Refuse ``--py-image`` before conftests are loaded: where they cannot be, nobody would hear of the slip."""
    invocation = early_config.stash.get(INVOCATION, None)
    words = args if invocation is None else [*invocation.all_args]
    nearly_ours = [word for word in words if word.startswith(("--py-im", "--pyim"))]
    if not nearly_ours:
        return
    from pytest_pyimages.slips import check_options

    unknown = barehost.unknown_arguments(early_config, nearly_ours)
    try:
        check_options(nearly_ours, unknown, [early_config.rootpath, early_config.invocation_params.dir])
    except PyimagesError as error:
        raise pytest.UsageError(str(error)) from None


def pytest_configure(config: pytest.Config) -> None:
    invocation = config.stash.get(INVOCATION, None)
    if invocation is None or config.option.help or config.option.version:
        return
    try:
        settings = Settings.from_config(config, invocation)
        connecting = connect(config, settings)
        from pytest_pyimages.session import ImagesSession

        session = ImagesSession(config, settings, connecting)
    except PyimagesError as error:
        raise pytest.UsageError(str(error)) from None
    config.pluginmanager.register(session, "pyimages-session")


def connect(config: pytest.Config, settings: Settings) -> Future[Engine]:
    """Begin to look for the engine: importing docker-py takes a while, and there is other work meanwhile."""
    from threading import Thread

    future: Future[Engine] = Future()

    def look() -> None:
        try:
            engine = config.hook.pytest_pyimages_engine(settings=settings)
            if engine is None:
                from pytest_pyimages.engines.docker import connect as connect_docker

                engine = connect_docker(settings.engine)
            future.set_result(engine)
        except BaseException as error:  # noqa: BLE001 - handed to whoever asks for the result
            future.set_exception(error)

    Thread(target=look, name="pyimages-connect", daemon=True).start()
    return future
