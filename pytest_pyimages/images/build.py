"""From a tag to an image that the suite can run in: found by its recipe's digest, or built once, under a lock."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from pytest_pyimages.engines.base import STDOUT, ContainerSpec, Engine, ImageInfo, Mount
from pytest_pyimages.engines.labels import KIND, LABEL
from pytest_pyimages.errors import BuildError, EngineError, ImageNotFound
from pytest_pyimages.images.network import HostNetwork
from pytest_pyimages.images.project import Project
from pytest_pyimages.images.recipe import Recipe, content_of, installer_source, recipe_for, worker_source
from pytest_pyimages.matrix import ImageTag, nearest_tags
from pytest_pyimages.runs.ownership import Ownership
from pytest_pyimages.runs.source import Source, refused_mount, witnesses

REPOSITORY = "pytest-pyimages/environment"
CACHE_VOLUME = "pytest-pyimages-cache"
CACHE_TARGET = "/var/cache/pyimages"
MEMORY_TARGET = "/run/pyimages"
LOG_LINES = 30
LOG_BYTES = 256 * 1024
LOCK_SECONDS = 1800

# Reads the job's size, the job and the installer from standard input, so that neither shows in the container's command.
BOOTSTRAP = (
    "import sys, json\n"
    "stdin = getattr(sys.stdin, 'buffer', sys.stdin)\n"
    "JOB = json.loads(stdin.read(int(stdin.readline())).decode('utf-8'))\n"
    "exec(compile(JOB['installer'], 'installer.py', 'exec'))\n"
)
FIND_PYTHON = (
    'for name in python python3 pypy3 pypy; do command -v "$name" >/dev/null 2>&1 && exec "$name" -c "$1"; done; '
    "echo no Python found >&2; exit 127"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltImage:
    """An environment image, ready to run."""

    id: str
    digest: str  # of the base image: its repository digest where it has one, else its id
    python: str  # version
    executable: str  # absolute path of the interpreter inside
    cached: bool
    build_seconds: float


class Builder:
    """Makes environment images of one project. May be used from several threads at once.

    :param say: called with (label, text) at each stage; must be safe to call from any thread.
    """

    def __init__(  # noqa: PLR0913 - what it works with, given once
        self,
        *,
        engine: Engine,
        owner: Ownership,
        source: Source,
        project: Project,
        network: Callable[[], HostNetwork],
        say: Callable[[str, str], None],
    ) -> None:
        self._engine = engine
        self._owner = owner
        self._source = source
        self._project = project
        self._network = network
        self._say = say
        self._content = content_of(project)
        self._lock = threading.Lock()
        self._containers: set[str] = set()
        self._aborted = False

    def abort(self) -> None:
        """End all builds now, and begin none; what they were building is not kept."""
        with self._lock:
            self._aborted = True
            containers = tuple(self._containers)
        for container in containers:
            self._engine.kill(container)

    def ensure(self, tag: ImageTag) -> BuiltImage:
        """Return the environment image for a tag, from the cache if its recipe was built before.

        :raises BuildError: with what went wrong and the last lines of the log.
        :raises EngineError: where the engine itself fails.
        """
        started = time.monotonic()
        base = self._base(tag)
        recipe = recipe_for(self._project, self._content, base=base.id, platform=base.platform)
        reference = f"{REPOSITORY}:{recipe.digest}"
        image, cached = self._engine.find_image(reference), True
        if image is None:
            image, cached = self._build_once(tag, base, recipe, reference)
        return BuiltImage(
            id=image.id,
            digest=base.digests[0] if base.digests else base.id,
            python=image.labels.get(f"{LABEL}.python", ""),
            executable=image.labels.get(f"{LABEL}.executable", "python"),
            cached=cached,
            build_seconds=0.0 if cached else time.monotonic() - started,
        )

    def _base(self, tag: ImageTag) -> ImageInfo:
        found = self._engine.find_image(tag.reference)
        if found is not None:
            return found
        self._say(tag.label, f"pulling {tag.reference}")
        try:
            for _ in self._engine.pull(tag.reference):
                continue
        except ImageNotFound as error:
            near = nearest_tags(tag.label) if ":" not in tag.label and "/" not in tag.label else ()
            hint = f"nearest: {', '.join(near)}" if near else ""
            raise BuildError(f"no such image: {tag.reference}", hint, log=error.message) from error
        found = self._engine.find_image(tag.reference)
        if found is None:
            raise BuildError(f"{tag.reference} was pulled and is not there", "try again")
        return found

    def _build_once(self, tag: ImageTag, base: ImageInfo, recipe: Recipe, reference: str) -> tuple[ImageInfo, bool]:
        lock = FileLock(self._owner.build_locks / f"{recipe.digest}.lock", thread_local=False)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            self._say(tag.label, "waiting for another session that builds the same image")
            try:
                lock.acquire(timeout=LOCK_SECONDS)
            except Timeout as error:
                raise BuildError(
                    f"another session has been building the same image for {LOCK_SECONDS // 60} minutes",
                    "end it, or try again",
                ) from error
        try:
            found = self._engine.find_image(reference)
            if found is not None:
                return found, True
            self._say(tag.label, f"installing {self._project.origin}".rstrip())
            self._build(tag, base, recipe)
            found = self._engine.find_image(reference)
        finally:
            # Whoever waits for this file, or makes a new one, looks for the image again before building.
            Path(lock.lock_file).unlink(missing_ok=True)
            lock.release()
        if found is None:
            raise BuildError("the image was built and is not there", "try again")
        return found, False

    def _build(self, tag: ImageTag, base: ImageInfo, recipe: Recipe) -> None:
        result, log = self._install(base, recipe)
        if "nosource" in result:
            self._source.fall_back(f"the engine does not see {result['nosource']}")
            result, log = self._install(base, recipe)
        if "python" not in result:
            raise self._failure(tag, result, log)

    def _install(self, base: ImageInfo, recipe: Recipe) -> tuple[Mapping[str, Any], str]:
        """Run the install step; commit the container if it succeeded. Return its result and its log."""
        engine, owner = self._engine, self._owner
        engine.create_volume(CACHE_VOLUME, labels={LABEL: "1", KIND: "cache"}, options={})
        with self._source.mounted(engine, owner) as (mounts, prepare):
            name = owner.name()
            container = engine.create_container(
                ContainerSpec(
                    name=name,
                    image=recipe.base,
                    command=("sh", "-c", FIND_PYTHON, "sh", BOOTSTRAP),
                    labels=owner.labels("build"),
                    user="0" if base.user else "",
                    mounts=(
                        *mounts,
                        Mount(kind="volume", source=CACHE_VOLUME, target=CACHE_TARGET),
                        Mount(kind="tmpfs", target=MEMORY_TARGET),
                    ),
                )
            )
            try:
                self._track(container)
                prepare(container)
                result, log = self._talk(container, self._job(recipe, name))
                if "python" in result and not self._aborted:
                    labels = {
                        LABEL: "1",
                        KIND: "environment",
                        f"{LABEL}.recipe": recipe.digest,
                        f"{LABEL}.project": self._project.name,
                        f"{LABEL}.python": str(result["python"]),
                        f"{LABEL}.executable": str(result["executable"]),
                    }
                    engine.commit(container, reference=f"{REPOSITORY}:{recipe.digest}", labels=labels)
                return result, log
            finally:
                with self._lock:
                    self._containers.discard(container)
                engine.remove_container(container)

    def _track(self, container: str) -> None:
        with self._lock:
            if self._aborted:
                raise BuildError("stopped while it was built")
            self._containers.add(container)

    def _job(self, recipe: Recipe, name: str) -> bytes:
        network = self._network()
        job = {
            "name": name,
            "root": str(self._project.root),
            "steps": [list(step) for step in recipe.steps],
            "environment": dict(network.environment),
            "certificates": network.certificates,
            "witness": [[witness.path, witness.size, witness.seconds] for witness in witnesses(self._source.root)],
            "worker": worker_source(),
            "installer": installer_source(),
        }
        data = json.dumps(job).encode("ascii")
        return b"%d\n%s" % (len(data), data)

    def _talk(self, container: str, job: bytes) -> tuple[Mapping[str, Any], str]:
        stream = self._engine.attach(container)
        output, log = bytearray(), bytearray()
        try:
            try:
                self._engine.start(container)
            except EngineError as error:
                if self._source.mode == "overlay" and refused_mount(error):
                    return {"nosource": error.message}, ""
                raise
            stream.send(job)
            for channel, data in stream.frames():
                if channel == STDOUT:
                    output += data
                else:
                    log += data
                    del log[:-LOG_BYTES]
        finally:
            stream.close()
        status = self._engine.wait(container)
        return _result(bytes(output), status), log.decode("utf-8", "replace")

    def _failure(self, tag: ImageTag, result: Mapping[str, Any], log: str) -> BuildError:
        lines = [line for line in log.splitlines() if line.strip()]
        tail = "\n".join(lines[-LOG_LINES:])
        if result.get("status") == 127 and "no Python found" in log:
            return BuildError(f"{tag.reference} has no Python", "name an image that has one", log=tail)
        if "nosource" in result:
            return BuildError(f"the source is not visible inside: {result['nosource']}", log=tail)
        what = self._project.origin or "pytest"
        return BuildError(
            f"not installable: {what}", "see the log below, or use the full image instead of slim", log=tail
        )


def _result(output: bytes, status: int) -> Mapping[str, Any]:
    lines = output.decode("utf-8", "replace").strip().splitlines()
    try:
        result = json.loads(lines[-1]) if lines else None
    except ValueError:
        result = None
    if status != 0 or not isinstance(result, dict):
        return {"failed": "installer", "status": status}
    return result


def source_root(project: Project, rootdir: Path, cwd: Path) -> Path:
    """Return the folder that containers get, the smallest with the project, pytest's rootdir and the working folder.

    A git checkout is taken whole, since version numbers and tests may come from above the project's own folder; but
    never the user's home folder or anything above it.
    """
    folders = [project.root, rootdir, cwd]
    common = project.root
    while not all(folder.is_relative_to(common) for folder in folders):
        common = common.parent
    home = Path.home()
    for candidate in (common, *common.parents):
        if home.is_relative_to(candidate):
            break
        if (candidate / ".git").exists():
            return candidate
    return common
