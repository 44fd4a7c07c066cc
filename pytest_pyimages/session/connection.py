"""The engine, looked for while there is other work: importing docker-py alone takes a while."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from concurrent.futures import Future

    import pytest

    from pytest_pyimages.engines import Engine
    from pytest_pyimages.host import Settings


def connect(config: pytest.Config, settings: Settings) -> Future[Engine]:
    """Begin to look for the engine that a plugin of the host or the environment names."""
    from concurrent.futures import Future  # late, as this is loaded by every pytest
    from threading import Thread

    future: Future[Engine] = Future()

    def look() -> None:
        try:
            engine = config.hook.pytest_pyimages_engine(settings=settings)
            if engine is None:
                from pytest_pyimages.engines import connect as connect_docker

                engine = connect_docker(settings.engine)
            future.set_result(engine)
        except BaseException as error:  # noqa: BLE001 - handed to whoever asks for the result
            future.set_exception(error)

    Thread(target=look, name="pyimages-connect", daemon=True).start()
    return future
