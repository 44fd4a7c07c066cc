"""Connect to the engine in a thread, while there is other work: it may be slow to answer, or need docker-py."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from concurrent.futures import Future

    import pytest

    from pytest_pyimages.engines import Engine
    from pytest_pyimages.host import Settings


def connect(config: pytest.Config, settings: Settings) -> Future[Engine]:
    """Start to connect to the engine that a plugin of the host provides, or else the settings name.

    From here on two threads import modules, so signals are handled until pytest ends.
    """
    from concurrent.futures import Future  # late: every pytest loads this module
    from contextlib import suppress
    from threading import Thread

    from pytest_pyimages.errors import EngineError
    from pytest_pyimages.session.signals import InterruptHandler

    interrupts = InterruptHandler()
    interrupts.install()
    config.add_cleanup(interrupts.restore)
    future: Future[Engine] = Future()

    def find_engine() -> None:
        try:
            from pytest_pyimages.engines import EngineSettings

            chosen = EngineSettings(endpoint=settings.engine, rootdir=settings.invocation.rootdir)
            engine = config.hook.pytest_pyimages_engine(settings=chosen)
            if engine is None:
                from pytest_pyimages.engines import connect as connect_docker

                engine = connect_docker(settings.engine)
                future.set_result(engine)
                with suppress(EngineError):
                    engine.overlay_options()  # early, since the first containers need the answer
            else:
                future.set_result(engine)
        except BaseException as error:  # noqa: BLE001 - raised by future.result()
            future.set_exception(error)

    Thread(target=find_engine, name="pyimages-connect", daemon=True).start()
    return future
