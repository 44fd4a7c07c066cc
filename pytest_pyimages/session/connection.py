"""Connect to engines in threads, while there is other work: they may be slow to answer, or need docker-py."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_pyimages.errors import ConfigurationError, EngineError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future

    from pytest_pyimages.engines import Engine
    from pytest_pyimages.host import Settings

CONNECTED = pytest.StashKey["tuple[Sequence[str], list[Future[Engine]]]"]()  # ahead, in a session of a watch


def connect(config: pytest.Config, settings: Settings) -> Future[Engine]:
    """Start to connect to the first engine of ``connect_all``."""
    return connect_all(config, settings, settings.engines[:1])[0]


def connect_all(config: pytest.Config, settings: Settings, addresses: Sequence[str]) -> list[Future[Engine]]:
    """Start to connect to the engines that a plugin of the host provides, or else that have these addresses.

    From here on several threads import modules, so signals are handled until pytest ends.
    """
    ahead = config.stash.get(CONNECTED, None)
    if ahead is not None:
        del config.stash[CONNECTED]  # a session closes its connections
        if ahead[0] == addresses:
            return ahead[1]
    from pytest_pyimages.session.signals import InterruptHandler  # late: every pytest loads this module

    interrupts = InterruptHandler()
    interrupts.install()
    config.add_cleanup(interrupts.restore)
    return [_connect_one(config, settings, address) for address in addresses]


def _connect_one(config: pytest.Config, settings: Settings, address: str) -> Future[Engine]:
    from concurrent.futures import Future
    from contextlib import suppress
    from threading import Thread

    future: Future[Engine] = Future()

    def find_engine() -> None:
        try:
            from pytest_pyimages.engines import EngineSettings

            chosen = EngineSettings(endpoint=address, rootdir=settings.invocation.rootdir)
            engine = config.hook.pytest_pyimages_engine(settings=chosen)
            if engine is None:
                from pytest_pyimages.engines import connect as connect_docker

                engine = connect_docker(address)
                future.set_result(engine)
                with suppress(EngineError):
                    engine.overlay_options()  # early, since the first containers need the answer
            else:
                future.set_result(engine)
        except BaseException as error:  # noqa: BLE001 - raised by future.result()
            future.set_exception(error)

    Thread(target=find_engine, name="pyimages-connect", daemon=True).start()
    return future


def wait_for_engines(connecting: Sequence[Future[Engine]]) -> list[Engine]:
    """Return all engines, once they are connected.

    A session with fewer engines than the user names would be slower, or lack a platform, without a word.

    :raises pytest.UsageError: with a line for each engine that cannot be used; the others are closed.
    """
    engines, problems = [], []
    for future in connecting:
        try:
            engines.append(future.result())
        except ConfigurationError as error:
            problems.append(str(error))
        except EngineError as error:
            problems.append(f"--py-images: {error}")
    for number, engine in enumerate(engines):
        same = next((each for each in engines[:number] if each.info.endpoint == engine.info.endpoint), None)
        if same is not None:
            names = f"{same.info.address} and {engine.info.address}"
            problems.append(f"--py-images-engine: {names} are the same engine · remove one of them")
    if problems:
        for engine in engines:
            engine.close()
        raise pytest.UsageError(*dict.fromkeys(problems))
    return engines
