"""The project's source in a container: at its own absolute path, and never written back to the host.

The default is an overlay volume of the ``local`` driver: the source is the lower layer, two volumes of the engine are
the upper one, so the suite may write anywhere and the host's tree stays unchanged. Where the engine refuses that, or
does not see this host's files, the lower layer is a copy that the engine keeps. Which of them is decided by a probe,
once per engine and tree; the program in each container then compares the witness, sizes and times of some files, with
the files it finds.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pyimages.containers.bytecode import BytecodeLayer
from pytest_pyimages.containers.copied_files import CopiedFiles, CopyPattern, find_copied_files
from pytest_pyimages.containers.hidden_files import HiddenFiles
from pytest_pyimages.containers.layers import mount_layer
from pytest_pyimages.containers.leases import Lease
from pytest_pyimages.containers.links import LinkedPaths
from pytest_pyimages.containers.mounted_source import Decision, Mode, MountedSource
from pytest_pyimages.containers.probe import probe_overlay
from pytest_pyimages.containers.skipped_folders import NOT_COPIED
from pytest_pyimages.containers.source_copy import (
    COPY_TARGET,
    SourceCopy,
    find_record,
    read_record,
    remove_stale_records,
    write_record,
)
from pytest_pyimages.containers.source_programs import run_helper
from pytest_pyimages.containers.witnesses import Witness, Witnesses, choose_copied_witnesses
from pytest_pyimages.engines import ContainerSpec, Engine, Mount
from pytest_pyimages.errors import PyimagesError

if TYPE_CHECKING:
    from pytest_pyimages.containers.ahead import ContainersAhead, Waiting, Wanted

COPY_SECONDS = 24 * 3600  # until the next probe
UNPACK_TARGET = "/opt/pyimages/unpacked"


def is_empty(root: Path) -> bool:
    """Return whether a folder has no files, except in folders that are never copied."""
    for _, folders, files in os.walk(root):
        if files:
            return False
        folders[:] = [name for name in folders if name not in NOT_COPIED]
    return True


class Source:
    """The project's tree, and how containers get it.

    :param root: absolute path of the folder, the same on the host and in the container.
    :param mode: the user's choice; None for the overlay, and the copy where that does not work.
    :param linked: what symbolic links of the folder lead to outside of it; containers get that as well.
    :param patterns: which files are copied, and which are not, beside those of the rules.
    :param hidden: what containers must not see of the folder.
    """

    def __init__(
        self,
        root: Path,
        mode: Mode | None = None,
        linked: LinkedPaths | None = None,
        patterns: Sequence[CopyPattern] = (),
        hidden: HiddenFiles | None = None,
    ) -> None:
        """Choose the mode as far as that is possible without a container."""
        self._arguments = root, mode, linked, patterns, hidden
        self.root = root
        self.hidden = hidden or HiddenFiles()
        self.linked = tuple(linked.paths) if linked is not None else ()
        self.notes = tuple(linked.notes) if linked is not None else ()
        self.ahead: ContainersAhead | None = None  # that have mounted it already
        self._is_required = mode == "overlay"
        self._patterns = patterns
        self._lock = threading.Lock()
        self._memory: Path | None = None
        self._copy: SourceCopy | None = None
        self._copied: CopiedFiles | None = None
        self._witnesses = Witnesses(root)
        self.decision: Decision | None = Decision(mode) if mode is not None else None
        if mode is None and not _can_be_mounted(str(root)):
            self.decision = Decision("copy", "mounts cannot name its path")

    def copy_undecided(self) -> Source:
        """Return the same tree for another engine, for which nothing is decided yet."""
        return Source(*self._arguments)

    @property
    def takes_bytecode(self) -> bool:
        """Whether a layer of bytecode may lie over the source: not over a folder that holds the root."""
        return not self._below and (self.decision is None or self.decision.has_layer)

    @property
    def mode(self) -> Mode:
        """The mode; the overlay as long as it is not decided."""
        return "overlay" if self.decision is None else self.decision.mode

    @property
    def reason(self) -> str:
        """Why the source is copied; empty if it is not, or the user wants it."""
        return "" if self.decision is None else self.decision.reason

    @property
    def copied(self) -> CopiedFiles:
        """The files that are copied, as they are at the first use of this."""
        if self._copied is None:
            self._copied = find_copied_files(self.root, self._patterns)
        return self._copied

    def decide(self, engine: Engine, lease: Lease, image: str = "") -> bool:
        """Decide the mode, once for all containers, unless it is decided; return whether it is.

        :param image: id of any image with a Python for a probe; empty to decide from the last session's probe only.
        """
        with self._lock:
            if self._memory is None:
                self._memory = find_record(engine, lease, self.root).with_suffix(".mode")
                self.decision = _recall(self._memory, self.decision)
            if self.decision is None and image:
                reason = probe_overlay(engine, lease, image, self.root, self._mount_layer)
                if reason is not None:
                    self._set(Decision("copy", reason) if reason else Decision("overlay"))
            return self.decision is not None

    def fall_back(self, failed: Decision | None, reason: str) -> bool:
        """Choose another way after a container did not see the source; return False if there is none.

        :param failed: how that container got it: another thread may have chosen another way meanwhile.
        :raises PyimagesError: if the user requires the overlay.
        """
        with self._lock:
            if self._witnesses.replace_changed():  # while the container was started: they have proved nothing
                return True
            current = self.decision or Decision("overlay")
            if failed is not None and failed != current:
                return True
            if self._is_required:
                raise PyimagesError(f"--py-images-source=overlay does not work here: {reason}", "leave the option out")
            if current.mode == "copy" and not current.has_layer:
                return False
            self._set(current._replace(has_layer=False) if current.mode == "copy" else Decision("copy", reason))
            return True

    def _set(self, decision: Decision) -> None:
        self.decision = decision
        if self._memory is not None:
            remove_stale_records(self._memory.parent)
            write_record(self._memory, {**decision._asdict(), "seconds": int(time.time()), "root": str(self.root)})

    @contextmanager
    def mount(  # noqa: PLR0913 - each has another source
        self,
        engine: Engine,
        lease: Lease,
        image: str = "",
        *,
        upper_target: str = "",
        bytecode: BytecodeLayer | None = None,
        check: Callable[[], None] = lambda: None,
    ) -> Iterator[MountedSource]:
        """Create the volumes of one container and yield its mounts; send the copy if the engine does not have it yet.

        :param image: id of the container's image.
        :param upper_target: folder of the container for a mount of the upper layer, read-only; empty for none.
        :param bytecode: a layer between that and the source; see ``takes_bytecode``.
        :param check: called while files are copied; an error that it raises ends that.
        """
        decision = self.decision or Decision("overlay")
        cover = bytecode.cover if bytecode is not None else str
        with ExitStack() as stack:
            if decision.mode == "overlay":
                mounts = [*stack.enter_context(self._mount_layer(engine, lease, cover(str(self.root)), upper_target))]
                mounts += (Mount(kind="tmpfs", target=f"{self.root}/{path}") for path in self.hidden.large)
                places = [str(path.source) for path in self.linked]
            else:
                copy = self._send(engine, lease, image, check)
                mounting = (
                    self._mount_layer(engine, lease, cover(copy.tree), upper_target)
                    if decision.has_layer
                    else self._unpack(engine, lease, image, copy)
                )
                mounts = [*stack.enter_context(mounting), copy.mount]
                places = [copy.find(number) for number in range(len(self.linked))]
            for place, path in zip(places, self.linked, strict=True):
                if path.is_repository and decision.has_layer:
                    mounts += stack.enter_context(self._mount_layer(engine, lease, place, target=path.target))
                else:
                    mounts.append(Mount(kind="bind", source=place, target=path.target, read_only=True))
            mounts += [bytecode.mount] if bytecode is not None else []
            yield MountedSource(
                decision=decision,
                mounts=tuple(mounts),
                witness=self.choose_witnesses(decision.mode),
                below=self._below,
                present=None if decision.mode == "overlay" else frozenset(self.copied.entries),
            )

    def _mount_layer(
        self, engine: Engine, lease: Lease, lower: str, upper_target: str = "", *, target: str = ""
    ) -> AbstractContextManager[tuple[Mount, ...]]:
        """Create the volumes of an overlay over a folder of the engine's host."""
        return mount_layer(engine, lease, lower, target or self._target, upper_target=upper_target)

    @contextmanager
    def _unpack(self, engine: Engine, lease: Lease, image: str, copy: SourceCopy) -> Iterator[tuple[Mount, ...]]:
        """Create a volume with a copy of the copy, for an engine that mounts no overlays."""
        name = lease.new_name()
        try:
            engine.create_volume(name, labels=lease.labels("source"), options={})
            own = Mount(kind="volume", source=name, target=self._target)
            unpacked = own._replace(target=UNPACK_TARGET)
            job = {"do": "unpack", "source": f"{COPY_TARGET}/tree", "target": UNPACK_TARGET}
            run_helper(engine, lease, image, (copy.mount, unpacked), job)
            yield (own,)
        finally:
            engine.remove_volume(name)

    def _send(self, engine: Engine, lease: Lease, image: str, check: Callable[[], None]) -> SourceCopy:
        """Send the copy once in a session."""
        while not self._lock.acquire(timeout=0.2):
            check()
        try:
            if self._copy is None:
                copy = SourceCopy(engine, lease, self.root, below=self._below)
                copy.send(image, self.copied, self.linked, check)
                self._copy = copy
            return self._copy
        finally:
            self._lock.release()

    def take_ahead(
        self, engine: Engine, spec: ContainerSpec, upper: str, bytecode: BytecodeLayer | None = None
    ) -> Waiting | None:
        """Return a container that was started ahead, and is the same as the session would start; None without one.

        :param upper: see ContainerProcess.
        """
        if self.ahead is None:
            return None
        wanted = self._make_wanted(engine, spec, upper)
        return None if wanted is None else self.ahead.take(engine, wanted, bytecode)

    def _make_wanted(self, engine: Engine, spec: ContainerSpec, upper: str) -> Wanted | None:
        """Return a container of a session as it would be started ahead; None if that is not possible."""
        # A copy is one of this moment; what other engines look up in mounts is not known.
        if self.mode != "overlay" or engine.info.name != "docker":
            return None
        if any(_names_files(name) or str(self.root) in value for name, value in spec.environment.items()):
            return None  # its program may read files of the project, or of mounts, when it starts
        from pytest_pyimages.containers.ahead import Wanted  # few sessions need it

        return Wanted(replace(spec, name="", labels={}), self.root, self.linked, self.hidden.large, upper)

    def choose_witnesses(self, mode: Mode) -> tuple[Witness, ...]:
        """Return the files by which a container can tell whether it sees this source."""
        return self._witnesses.choose() if mode == "overlay" else choose_copied_witnesses(self.root, self.copied)

    @property
    def _target(self) -> str:
        """The folder that is mounted: the root, or the next above it that the engine's API, which is JSON, can name."""
        path = self.root
        while not _is_utf8(str(path)):
            path = path.parent
        return str(path)

    @property
    def _below(self) -> str:
        """The root's path below the mounted folder; empty if they are the same."""
        return str(self.root)[len(self._target) :].lstrip("/")


def _names_files(variable: str) -> bool:
    return variable == "PYTHONPATH" or variable.startswith("LD_")  # ld.so(8)


def _recall(memory: Path, decision: Decision | None) -> Decision | None:
    """Return what is already decided, or was by the last session."""
    found = read_record(memory)
    try:
        last = Decision(found["mode"], str(found["reason"]), bool(found["has_layer"]))
        age = time.time() - found["seconds"]
    except (KeyError, TypeError):
        return decision
    if decision is not None:
        return decision._replace(has_layer=last.has_layer) if decision.mode == last.mode == "copy" else decision
    # Each container checks an overlay; a copy works always, even where it is no longer needed.
    return last if last.mode == "overlay" or age < COPY_SECONDS else None


def _is_utf8(path: str) -> bool:
    return not any("\udc80" <= mark <= "\udcff" for mark in path)  # Python's surrogates for other bytes


def _can_be_mounted(path: str) -> bool:
    """Return whether an option of a mount, and the engine's API, which is JSON, can name a path."""
    return _is_utf8(path) and not any(mark in path for mark in ',:\\"\n')
