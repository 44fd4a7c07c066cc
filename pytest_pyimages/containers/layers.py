"""The writable layer of one container over a folder of the engine's host: an overlay and its volumes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from pytest_pyimages.containers.leases import Lease
from pytest_pyimages.engines import AnonymousVolume, Engine, Mount


@contextmanager
def mount_layer(
    engine: Engine, lease: Lease, lower: str, target: str, *, upper_target: str = ""
) -> Iterator[tuple[Mount, ...]]:
    """Create the volumes of an overlay and yield its mounts; at the end remove the volumes.

    Docker removes what the container mounts together with the container. The folders of the upper layer are volumes
    that no container mounts, so that they can be removed at the same time.

    :param lower: path of the folder on the engine's host.
    :param target: where the container gets the overlay.
    :param upper_target: where it sees the upper layer, read-only; empty for nowhere.
    """
    with ExitStack() as stack:

        def create_volume(options: dict[str, str]) -> tuple[str, str]:
            name = lease.new_name()
            stack.callback(engine.remove_volume, name)
            return name, engine.create_volume(name, labels=lease.labels("source"), options=options)

        # The engine's own folders: they exist, lie on one file system, and are removed with their content.
        upper_name, upper = create_volume({})
        _, work = create_volume({})
        layers = f"lowerdir={lower},upperdir={upper},workdir={work}{engine.overlay_options()}"
        overlay = {"type": "overlay", "device": "overlay", "o": layers}
        if engine.info.name == "docker":
            labels = lease.labels("source")
            own = Mount(kind="volume", target=target, anonymous=AnonymousVolume(overlay, labels))
            # "ro" of the driver: Docker refuses mounts of anonymous volumes that are read-only.
            view = AnonymousVolume({"type": "none", "device": upper, "o": "bind,ro"}, labels)
            shown = Mount(kind="volume", target=upper_target, anonymous=view)
        else:
            own = Mount(kind="volume", target=target, source=create_volume(overlay)[0])
            shown = Mount(kind="volume", target=upper_target, source=upper_name, read_only=True)
        yield (own, shown) if upper_target else (own,)
