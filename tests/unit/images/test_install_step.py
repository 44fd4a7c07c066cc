"""Install steps in containers: which containers are started with which job, and what becomes of them."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_pyimages.containers import Lease, Source
from pytest_pyimages.engines.base import ContainerSpec
from pytest_pyimages.errors import BuildError, EngineError, ImageNotFound, PyimagesError
from pytest_pyimages.images import uv_program
from pytest_pyimages.images.bases import Listener
from pytest_pyimages.images.install_step import Installed, InstallStep, NewImage, _read_result
from pytest_pyimages.images.plan import ImagePlan
from pytest_pyimages.images.recipe import REPOSITORY, Recipe
from pytest_pyimages.indexes import credentials, host_settings, uv_settings
from pytest_pyimages.matrix import ImageTag
from pytest_pyimages.project.project import Project
from tests.support.fake_engine import FakeEngine, installs

Job = dict[str, Any]
INSTALLED = {"python": "3.12.1", "executable": "/usr/bin/python3", "extendable": True, "lock": "held"}
REFERENCE = f"{REPOSITORY}:digest"


class Engine(FakeEngine):
    """Its containers answer in turn; then they have installed everything."""

    def __init__(self) -> None:
        super().__init__(installer=self._answer)
        self.answers: list[Mapping[str, object] | Callable[[], None]] = []
        self.jobs: list[Job] = []
        self.specs: list[ContainerSpec] = []
        self.errors: list[EngineError] = []  # of the next containers
        self.removal: EngineError | None = None
        self.kill_error: EngineError | None = None
        self.removals = threading.Event()

    def _answer(self, spec: ContainerSpec, job: Mapping[str, object]) -> Mapping[str, object]:
        self.jobs.append(dict(job))
        answer = self.answers.pop(0) if self.answers else INSTALLED
        if callable(answer):
            answer()
            answer = INSTALLED
        return {**(installs(spec, job) if answer is INSTALLED else {}), **answer}

    def create_container(self, spec: ContainerSpec) -> str:
        if spec.command[-1].startswith("import sys"):  # an install step, not a program that looks at the source
            self.specs.append(spec)
            if self.errors:
                raise self.errors.pop(0)
        return super().create_container(spec)

    def remove_container(self, container: str, *, wait: bool = True) -> None:
        super().remove_container(container, wait=wait)
        if self.removal is not None:
            raise self.removal

    def kill(self, container: str) -> None:
        if self.kill_error is not None:
            raise self.kill_error
        super().kill(container)


class Builds:
    """An install step of one project, and what it reports."""

    def __init__(self, folder: Path, lease: Lease) -> None:
        self.engine = Engine()
        self.notes: list[str] = []
        self.source = Source(folder)
        self.step = InstallStep(self.engine, lease, self.source, Listener(note=self.notes.append))
        self.plan = ImagePlan(
            tag=ImageTag(label="3.12", reference="python:3.12", allowed_to_fail=False),
            project=Project(root=folder, name="shop", kind="none", origin=""),
            recipe=Recipe(steps=(("six",),)),
            environment={},
            args=(),
        )
        start = self.engine.find_image("python:3.12")
        assert start is not None
        self.new = NewImage(start=start, extends=False, reference=REFERENCE, labels={"mine": "1"})

    def run(self, **recipe: Any) -> Installed:
        return self.step.run(replace(self.plan, recipe=replace(self.plan.recipe, **recipe)), self.new)

    def join(self) -> tuple[str, ...]:
        return self.step.join(time.monotonic() + 60)


@pytest.fixture
def builds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Builds]:
    """Return builds on a host without settings for packages, which leave nothing in the engine."""
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_")) or name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(host_settings, "SYSTEM_FILE", tmp_path / "etc" / "pip.conf")
    monkeypatch.setattr(uv_settings, "SYSTEM_FILE", tmp_path / "etc" / "uv.toml")
    monkeypatch.setattr(credentials, "SYSTEM_BUNDLES", ())
    for name in (*credentials.PIP_BUNDLES, *credentials.UV_BUNDLES):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "test_a.py").touch()
    with Lease(tmp_path) as lease:
        builds = Builds(tmp_path / "project", lease)
        yield builds
        assert builds.join() == ()
        assert builds.engine.containers == {}


def test_the_image_has_the_labels_of_its_result(builds: Builds) -> None:
    builds.engine.answers = [{**INSTALLED, "note": "a file is too large"}]
    assert builds.run().succeeded
    image = builds.engine.find_image(REFERENCE)
    assert image is not None
    assert {key.rpartition(".")[2]: value for key, value in image.labels.items()} == {
        "mine": "1",
        "python": "3.12.1",
        "executable": "/usr/bin/python3",
        "extendable": "True",
        "lock": "held",
        **dict.fromkeys(("extra", "implementation", "left", "worker"), ""),
    }
    assert builds.notes == ["3.12: a file is too large"]


def test_a_failed_installation_is_no_image(builds: Builds) -> None:
    builds.engine.answers = [{"failed": "install", "status": 1, "log": "no six"}]
    installed = builds.run()
    assert (installed.succeeded, installed.log) == (False, "no six")
    assert builds.engine.find_image(REFERENCE) is None


def test_an_image_that_is_not_kept_is_not_committed(builds: Builds) -> None:
    builds.new = replace(builds.new, reference="")
    assert builds.run().succeeded
    assert "commit" not in builds.engine.calls


def test_uv_is_provided_once_and_not_offered_where_it_is_not_seen(
    builds: Builds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uv_program, "download", lambda machine: b"program")
    builds.engine.answers = [{"nouv": "x86_64"}, {"nouv": "x86_64"}]
    assert builds.run().succeeded
    assert ["x86_64" in job["uv"] for job in builds.engine.jobs] == [True, True, False]
    assert builds.notes == ["builds download uv themselves: it is not visible in the container"]


def test_an_engine_on_another_machine_gets_no_folders(
    builds: Builds, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it refuses to mount them, or mounts others of the same name."""
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels" / "a.whl").touch()
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    builds.engine.answers = [{"elsewhere": True}]
    assert builds.run().succeeded
    assert [bool(job["folders"]) for job in builds.engine.jobs] == [True, False]
    assert any("wheels" in note for note in builds.notes)
    assert builds.run().succeeded  # which is known now
    assert len(builds.engine.jobs) == 3


def test_a_folder_that_the_engine_cannot_mount(builds: Builds, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "wheels").mkdir()
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    builds.engine.errors = [EngineError("mounts denied")]
    assert builds.run().succeeded
    assert [bool(spec.mounts[-1].kind == "bind") for spec in builds.engine.specs] == [True, False]


def test_an_engine_that_never_sees_the_host_is_an_error(builds: Builds) -> None:
    builds.engine.answers = [{"elsewhere": True}, {"elsewhere": True}]
    with pytest.raises(PyimagesError, match="the container runs on another machine"):
        builds.run()


@pytest.mark.parametrize("error", [ImageNotFound("no such image"), EngineError("no space left")])
def test_other_errors_of_the_engine_are_not_tried_again(builds: Builds, error: EngineError) -> None:
    builds.engine.errors = [error]
    with pytest.raises(EngineError, match=str(error.message)):
        builds.run()
    assert len(builds.engine.specs) == 1


PRIVATE = {"PIP_INDEX_URL": "https://user:canary@index.example/simple"}


@pytest.fixture
def _private(builds: Builds, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in PRIVATE.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("_private")
def test_set_up_has_a_container_without_credentials(builds: Builds) -> None:
    """The image between the two is removed; the log is that of both."""
    builds.engine.answers = [{**INSTALLED, "log": "set up\n"}, {**INSTALLED, "log": "installed with canary\n"}]
    installed = builds.run(setup=("make",))
    first, second = builds.engine.jobs
    assert (first["phase"], second["phase"]) == ("setup", "install")
    assert "canary" not in str(first)
    assert installed.log.startswith("set up\ninstalled with ")
    assert "canary" not in installed.log
    assert builds.join() == ()
    assert set(builds.engine.images_by_reference) - {REFERENCE} == set(FakeEngine().images_by_reference)


@pytest.mark.usefixtures("_private")
def test_failed_set_up_is_the_result(builds: Builds) -> None:
    builds.engine.answers = [{"failed": "setup", "status": 2}]
    assert builds.run(setup=("make",)).result["failed"] == "setup"
    assert len(builds.engine.jobs) == 1


@pytest.mark.usefixtures("_private")
def test_the_image_of_the_set_up_may_be_pruned_meanwhile(builds: Builds, monkeypatch: pytest.MonkeyPatch) -> None:
    find_image = builds.engine.find_image
    monkeypatch.setattr(
        builds.engine, "find_image", lambda name: None if name.startswith(f"{REPOSITORY}:setup-") else find_image(name)
    )
    with pytest.raises(BuildError, match="the engine does not have the image of the set-up commands"):
        builds.run(setup=("make",))


@pytest.mark.usefixtures("_private")
def test_a_stop_between_set_up_and_installation(builds: Builds) -> None:
    def stop() -> None:
        builds.step.is_aborted = True

    builds.engine.answers = [stop]
    with pytest.raises(BuildError, match="stopped while it was built"):
        builds.run(setup=("make",))
    assert len(builds.engine.jobs) == 1


def test_a_stopped_step_commits_nothing_and_starts_nothing(builds: Builds) -> None:
    builds.engine.answers = [builds.step.abort]
    assert builds.run().result == {"failed": "installer", "status": 137, "has_begun": False}
    assert builds.engine.find_image(REFERENCE) is None
    with pytest.raises(BuildError, match="stopped while it was built"):
        builds.run()
    assert len(builds.engine.specs) == 1


def test_a_step_is_stopped_although_the_engine_kills_nothing(builds: Builds) -> None:
    """An error here would keep the session from stopping other containers."""
    builds.engine.kill_error = EngineError("cannot kill container")
    builds.engine.answers = [builds.step.abort]
    builds.run()
    assert builds.engine.find_image(REFERENCE) is None


def test_a_container_that_cannot_be_removed_is_a_note(builds: Builds) -> None:
    builds.engine.removal = EngineError("the disk is read-only")
    assert builds.run().succeeded
    assert builds.join() == ()
    assert builds.notes == ["3.12: the disk is read-only; the next session cleans up"]


def test_removals_that_do_not_end_are_named(builds: Builds, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()
    remove = builds.engine.remove_container
    monkeypatch.setattr(builds.engine, "remove_container", lambda name, **_: (go_on.wait(60), remove(name)))
    assert builds.run().succeeded
    threads = [thread for thread in threading.enumerate() if thread.name == "pyimages-install-3.12"]
    try:
        assert builds.step.join(time.monotonic()) == ("pyimages-install-3.12",)
    finally:
        go_on.set()
        for thread in threads:
            thread.join(60)


def test_a_source_that_the_container_does_not_see_is_copied(builds: Builds) -> None:
    builds.engine.answers = [{"nosource": str(builds.source.root / "test_a.py")}]
    assert builds.run().succeeded
    assert builds.source.mode == "copy"
    assert len(builds.engine.jobs) == 2


@pytest.mark.parametrize(
    ("output", "status", "result"),
    [
        (b'{}\n{"python": "3.12"}\n', 0, {"python": "3.12"}),
        (b"", 137, {"failed": "installer", "status": 137, "has_begun": False}),
        (b"{}\nTraceback", 1, {"failed": "installer", "status": 1, "has_begun": True}),
        (b"{}\n[1]\n", 0, {"failed": "installer", "status": 0, "has_begun": True}),
        (b'{"python": "3.12"}\n', 1, {"failed": "installer", "status": 1, "has_begun": True}),
    ],
    ids=["result", "killed", "error", "other JSON", "status"],
)
def test_the_last_line_is_the_result(output: bytes, status: int, result: dict[str, object]) -> None:
    assert _read_result(output, status) == result
