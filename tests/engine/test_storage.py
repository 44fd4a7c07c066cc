"""``pyimages build``, ``list`` and ``prune`` on the real engine."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import docker.errors
import pytest

from pytest_pyimages.cli.quantities import format_size
from pytest_pyimages.containers.leases import make_state_directory
from pytest_pyimages.engines.base import Mount
from pytest_pyimages.engines.docker import DockerEngine, connect
from pytest_pyimages.engines.labels import BASE_LABEL, HOST_LABEL, LABEL, PROJECT_LABEL
from pytest_pyimages.images.install_step import CACHE_VOLUME
from pytest_pyimages.images.labels import make_identity
from pytest_pyimages.images.last_used import LastUsed
from pytest_pyimages.images.recipe import hash_text
from pytest_pyimages.images.storage import read_storage
from tests.support.golden import message
from tests.support.processes import running

from .containers import Create, outcome

FULL, SLIM = "3.12", "3.14-slim"
AGE_PACKS = """
import glob, json, os, sys, time
kept = {path: os.stat(path).st_mtime for path in glob.glob("/cache/bytecode/*/*")}
for path in kept:
    os.utime(path, (time.time() - int(sys.argv[1]) * 86400,) * 2)
print(json.dumps(kept))
"""
COMPLETED = re.compile("^(localhost/|docker.io/(library/)?)")
PYIMAGES = (sys.executable, "-m", "pytest_pyimages.cli")
SLEEP = ("python", "-c", "import time; time.sleep(600)")


SOMEBODY = {
    HOST_LABEL: "somebody"
}  # a container has its image's labels: without a host it would be a leak of every test


class Shop:
    """A project whose images no other test has: something in its requirements is its own."""

    def __init__(self, folder: Path, engine: DockerEngine) -> None:
        self.folder = folder
        self._engine = engine
        self.unique = f"six!=0.{time.time_ns()}"
        self.require()

    def require(self, *more: str) -> None:
        (self.folder / "requirements.txt").write_text("\n".join(("pytest", self.unique, *more)))

    def __call__(self, *words: str, status: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*PYIMAGES, *words],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done

    @property
    def cache(self) -> Mount:
        """The volume with the downloads of the project's builds."""
        identity = make_identity(self.folder.name, hash_text(str(self.folder))[:16])
        return Mount(kind="volume", source=f"{CACHE_VOLUME}-{identity}", target="/cache")

    @property
    def images(self) -> list[dict[str, Any]]:
        """What the command lists, the last used first."""
        listed: list[dict[str, Any]] = json.loads(self("list", "--json").stdout)["images"]
        return listed

    def age(self, identifier: str, *, days: float) -> None:
        """Let this host have used an image some days ago."""
        for path in (make_state_directory() / "used").glob(f"{identifier.removeprefix('sha256:')}-*"):
            os.utime(path, (time.time() - days * 86400,) * 2)


@pytest.fixture
def shop(tmp_path: Path, engine: DockerEngine, host: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    folder = tmp_path / f"shop-{uuid4().hex[:8]}"
    folder.mkdir()
    yield Shop(folder, engine)
    for reference, _ in engine.images(f"{PROJECT_LABEL}={folder.name}"):
        engine.remove_image(reference)


def names(raw: Any, identifier: str) -> list[str] | None:
    """Return an image's names, without what Podman puts before those that it completes; None if it is gone."""
    try:
        found = raw.inspect_image(identifier)["RepoTags"] or ()
    except docker.errors.NotFound:
        return None
    return sorted(COMPLETED.sub("", tag) for tag in found)


def test_last_use_is_recorded_per_host(shop: Shop, engine: DockerEngine) -> None:
    """So the engine may be another process by now, or this one may: only the file counts."""
    shop("build", SLIM)
    (image,) = shop.images
    assert image["state"] == "current"
    shop.age(image["id"], days=40)
    assert "40 days ago" in shop("list").stdout
    connected = connect()  # a connection of its own, as after a restart
    with contextlib.closing(connected):
        (stored,) = (
            each for each in read_storage(connected, LastUsed(make_state_directory())).images if each.id == image["id"]
        )
    assert round((time.time() - stored.last_used) / 86400) == 40
    assert stored.info.created > time.time() - 3600
    (shop.folder / "test_it.py").write_text("def test_it(): pass")
    shop("test", SLIM)
    assert shop.images[0]["last_used"] > image["created"], "a run is a use"
    for path in (make_state_directory() / "used").iterdir():
        path.unlink()
    (unknown,) = shop.images
    assert unknown["last_used"] == unknown["created"]


@pytest.mark.battery
def test_doctor_shows_the_disk_of_the_engine(shop: Shop, raw: Any) -> None:
    folder = raw.info()["DockerRootDir"]
    done = shop("doctor", SLIM)
    # An engine may have a file system of its own.
    free = rf"; \S+ \wB free at {re.escape(folder)}" if Path(folder).is_dir() else ""
    assert re.search(rf"(?m)^disk +0 B in 0 images of this project{free}$", done.stdout)


def test_dry_run_age_and_use(shop: Shop, engine: DockerEngine, raw: Any) -> None:
    shop("build", f"{FULL},{SLIM}")
    images = {image["image"]: image for image in shop.images}
    shop.age(images[SLIM]["id"], days=40)
    dry = shop("prune", "--older-than", "30d", "--dry-run").stdout
    assert SLIM in dry
    assert f" {FULL} " not in dry
    assert "nothing removed" in dry
    assert {image["image"] for image in shop.images} == set(images)
    # A container of somebody's own, with nothing of ours but the image.
    container = raw.create_container(images[SLIM]["id"], list(SLEEP), labels=SOMEBODY)["Id"]
    try:
        raw.start(container)
        kept = shop("prune").stdout
        assert f"kept     {SLIM}" in kept
        assert "in use by the container" in kept
        assert [image["image"] for image in shop.images] == [SLIM]
    finally:
        raw.remove_container(container, force=True)
    shop("prune", "--older-than", "30d")
    assert shop.images == []
    assert [names(raw, image["id"]) for image in images.values()] == [None, None]
    assert names(raw, f"python:{SLIM}")


def test_running_session_keeps_its_image(shop: Shop, raw: Any) -> None:
    shop("build", SLIM)
    (image,) = shop.images
    (shop.folder / "test_it.py").write_text(
        "import os, time\ndef test_it():\n    while not os.path.exists('/tmp/end'): time.sleep(0.1)\n"
    )
    with running([*PYIMAGES, "test", SLIM], folder=shop.folder, merge_stderr=True) as session:
        deadline = time.monotonic() + 60
        while not (containers := raw.containers(filters={"ancestor": image["id"]})):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        kept = shop("prune").stdout
        assert f"kept  {SLIM}" in kept
        assert "leaked by a killed session" not in kept
        raw.exec_start(raw.exec_create(containers[0]["Id"], ["touch", "/tmp/end"])["Id"])  # noqa: S108 - in a container
        session.communicate(timeout=60)
        assert session.returncode == 0
    assert "removed" in shop("prune").stdout


@pytest.mark.battery
def test_foreign_images_are_kept(shop: Shop, engine: DockerEngine, raw: Any) -> None:
    """A further name of our image, an image on top of ours with all its labels, and any other image."""
    shop("build", SLIM)
    (image,) = shop.images
    name = f"pyimages-test-{uuid4().hex[:12]}"
    container = raw.create_container(image["id"], list(SLEEP), labels=SOMEBODY)["Id"]
    derived = raw.commit(container, repository=name, tag="derived")["Id"]
    raw.remove_container(container)
    raw.tag(image["id"], name, "named")
    bases = {tag: raw.inspect_image(f"python:{tag}")["Id"] for tag in (SLIM, FULL)}
    try:
        said = shop("prune", "--dry-run").stdout
        assert f"stays as {name}:named" in said.replace("docker.io/library/", "")
        assert "would free 0 B" in said
        shop("prune")
        assert names(raw, derived) == [f"{name}:derived"]
        assert names(raw, image["id"]) == [f"{name}:named"]
        assert {tag: raw.inspect_image(f"python:{tag}")["Id"] for tag in bases} == bases
        assert shop.images == []
    finally:
        for tag in ("derived", "named"):
            engine.remove_image(f"{name}:{tag}")


def test_layers_are_removed_with_their_last_child(shop: Shop, raw: Any) -> None:
    """An image that was built on an earlier one of the same project."""
    shop("build", SLIM)
    (first,) = shop.images
    shop.require("idna")
    shop("build", SLIM)
    second = next(image for image in shop.images if image["id"] != first["id"])
    assert raw.inspect_image(second["id"])["Parent"] == first["id"]
    assert {image["id"]: image["state"] for image in shop.images} == {
        first["id"]: "requirements changed since",
        second["id"]: "current",
    }
    shop("prune", "--stale")
    assert [image["id"] for image in shop.images] == [second["id"]]
    assert names(raw, first["id"]) == [], "something stands on it"
    history = raw.history(second["id"])[:2]  # the two layers that are not the base image's
    said = shop("prune").stdout
    assert (names(raw, first["id"]), names(raw, second["id"])) == (None, None)
    freed = sum(layer["Size"] for layer in history)
    assert freed > 1_000_000
    assert f"freed {format_size(freed)}" in said


def test_untagged_base_image_is_kept(shop: Shop, engine: DockerEngine, raw: Any) -> None:
    """It was built here by somebody, and given to us by a name that another image has now."""
    name = f"pyimages-test-{uuid4().hex[:12]}"
    container = raw.create_container(f"python:{SLIM}", ["true"])["Id"]
    base = raw.commit(container, repository=name, tag="1")["Id"]
    raw.remove_container(container)
    try:
        shop("build", f"{name}:1")
        (image,) = shop.images
        assert raw.inspect_image(image["id"])["Config"]["Labels"][BASE_LABEL] == base
        raw.tag(f"python:{SLIM}", name, "1", force=True)
        assert shop.images[0]["state"] == "base image changed since"
        shop("prune", "--stale")
        assert shop.images == []
        assert names(raw, image["id"]) is None
        assert names(raw, base) == []
    finally:
        raw.remove_image(f"{name}:1")
        raw.remove_image(base)


def test_dockerfile_image_and_its_layers(shop: Shop, raw: Any) -> None:
    (shop.folder / "Dockerfile").write_text(
        f"ARG PYTHON_IMAGE\nFROM ${{PYTHON_IMAGE}}\nRUN echo {shop.unique} > /etc/one\nRUN echo 2 > /etc/two\n"
    )
    (shop.folder / "pytest.ini").write_text("[pytest]\npy_images_dockerfile = Dockerfile\n")
    shop("build", SLIM)
    images = shop.images
    assert sorted((image["kind"], image["state"]) for image in images) == [
        ("dockerfile", "current"),
        ("environment", "current"),
    ]
    environment = next(image["id"] for image in images if image["kind"] == "environment")
    steps = [environment]
    while raw.inspect_image(steps[-1])["Id"] != raw.inspect_image(f"python:{SLIM}")["Id"]:
        steps.append(raw.inspect_image(steps[-1])["Parent"])
    *steps, base = steps
    assert len(steps) > 3, "the environment, the Dockerfile's image, and at least two steps of it without a name"
    shop.age(environment, days=40)
    assert {image["last_used"] < image["created"] for image in shop.images} == {True}
    shop("prune", "--older-than", "30d")
    assert shop.images == []
    assert {names(raw, step) is None for step in steps} == {True}
    assert names(raw, base) == [f"python:{SLIM}"]


def test_new_image_supersedes_one_unused_for_a_month(shop: Shop) -> None:
    shop("build", SLIM)
    (first,) = shop.images
    shop.age(first["id"], days=31)
    shop.require("idna")
    built = shop("build", SLIM)
    assert f"note: removed the former image of {SLIM}" in built.stderr
    (image,) = shop.images
    assert (image["id"] == first["id"], image["state"]) == (False, "current")


def test_keep_storage_removes_the_least_recently_used(shop: Shop) -> None:
    shop("build", f"{FULL},{SLIM}")
    old = next(image for image in shop.images if image["image"] == FULL)
    new = next(image for image in shop.images if image["image"] == SLIM)
    shop.age(old["id"], days=2)
    shop("prune", "--keep-storage", str(old["freed_by_removal"] + new["freed_by_removal"]))
    assert len(shop.images) == 2
    shop("prune", "--keep-storage", str(new["freed_by_removal"]))
    assert [image["id"] for image in shop.images] == [new["id"]]


def test_bytecode_is_reused_by_the_next_build(shop: Shop, engine: DockerEngine, create: Create) -> None:
    volume = shop.cache

    def packs(days: int) -> dict[str, float]:
        """Return what is kept and when it was used last, and let that be some days ago."""
        output, errors, status = outcome(engine, create(AGE_PACKS, str(days), mounts=(volume,)))
        assert status == 0, errors
        kept: dict[str, float] = json.loads(output)
        return kept

    shop("build", SLIM)
    before = packs(days=40)
    for reference, _ in engine.images(f"{PROJECT_LABEL}={shop.folder.name}"):
        engine.remove_image(reference)
    shop("build", SLIM)
    after = packs(days=0)
    assert after.keys() == before.keys()
    assert sum(time.time() - used < 3600 for used in after.values()) > 10  # pytest and what it needs
    ((_, image),) = engine.images(f"{PROJECT_LABEL}={shop.folder.name}")
    here = "import os, pygments.lexers.ada as unused; print(os.path.exists(unused.__spec__.cached))"  # by pytest alone
    output, _, _ = outcome(engine, create(here, image=image.id, environment={"PYTHONDONTWRITEBYTECODE": "1"}))
    assert output == b"True\n"


def test_next_build_removes_cache_files_of_a_killed_one(shop: Shop, engine: DockerEngine, create: Create) -> None:
    volume = shop.cache
    leave = (
        "import os, sys, time\n"
        "for name, days in (('killed', 2), ('at-work', 0)):\n"
        "    folder = f'/cache/tmp/{sys.argv[1]}-{name}'\n"
        "    os.makedirs(folder + '/deep')\n"
        "    os.utime(folder, (time.time() - days * 86400,) * 2)\n"
    )
    look = (
        "import os, sys\n"
        "for name in os.listdir('/cache/tmp'):\n"
        "    if name.startswith(sys.argv[1]): print(name); os.removedirs(f'/cache/tmp/{name}/deep')\n"
    )
    mark = shop.folder.name
    _, errors, status = outcome(engine, create(leave, mark, mounts=(volume,)))
    assert status == 0, errors
    shop("build", SLIM)
    output, errors, status = outcome(engine, create(look, mark, mounts=(volume,)))
    assert (output.decode().split(), status) == ([f"{mark}-at-work"], 0), errors


def test_interrupted_build_leaks_nothing(shop: Shop, engine: DockerEngine, host: str) -> None:
    """Containers and volumes are looked for after every test here."""
    with running([*PYIMAGES, "build", SLIM], folder=shop.folder) as building:
        deadline = time.monotonic() + 60
        while not any(entry.kind == "container" for entry in engine.leftovers(f"{HOST_LABEL}={host}")):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        building.send_signal(signal.SIGINT)
        _, said = building.communicate(timeout=30)
    assert (building.returncode, said.splitlines()[-1]) == (2, message("cli", "interrupted"))
    assert shop.images == []


def test_prune_removes_containers_of_a_killed_session(shop: Shop, engine: DockerEngine, host: str, raw: Any) -> None:
    container = raw.create_container(
        f"python:{SLIM}", list(SLEEP), labels={LABEL: "1", f"{LABEL}.session": "dead", f"{LABEL}.host": host}
    )["Id"]
    name = raw.inspect_container(container)["Name"].lstrip("/")
    assert f"would remove  container {name}, leaked by a killed session" in shop("prune", "-n").stdout
    assert raw.inspect_container(container)
    assert f"removed  container {name}" in shop("prune").stdout
    assert container not in [entry.id for entry in engine.leftovers(LABEL)]
