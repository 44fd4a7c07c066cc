"""Pulls, digests, pins and credentials with a real registry on loopback."""

from __future__ import annotations

import base64
import contextlib
import gzip
import io
import json
import os
import socket
import subprocess
import sys
import tarfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from pytest_pyimages.engines.docker import DockerEngine, connect
from pytest_pyimages.engines.labels import ROOT_LABEL
from pytest_pyimages.errors import EngineError
from tests.support.golden import message
from tests.support.jobs import Job, remove_images
from tools.standins.registry import PASSWORD, USER, Registry, registry

TAG = "3.14-slim"
Push = Callable[..., str]


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with registry(tmp_path_factory.mktemp("public")) as running:
        yield running


@pytest.fixture
def job(job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "config"))
    job.write(test_it="def test_it(): pass\n")
    return job


@pytest.fixture
def push(engine: DockerEngine, raw: Any) -> Iterator[Push]:
    """Return what pushes an image, and leaves nothing of it in the engine; it gives the digest."""
    names: list[str] = []

    def push(reference: str, *, source: str, change: str = "", user: str = "") -> str:
        names.append(reference)
        repository, _, tag = reference.rpartition(":")
        if change:
            container = raw.create_container(source, ["true"])["Id"]
            raw.put_archive(container, "/etc", _tar({"change": change}))
            raw.commit(container, repository=repository, tag=tag)
            raw.remove_container(container)
        else:
            raw.tag(source, repository, tag)
        login = {"username": user, "password": PASSWORD} if user else {"username": "", "password": ""}
        records = list(raw.push(repository, tag=tag, stream=True, decode=True, auth_config=login))
        assert not [record for record in records if "error" in record]
        digest = next(record["aux"]["Digest"] for record in records if "Digest" in record.get("aux", {}))
        _forget(engine, raw, reference)
        return str(digest)

    yield push
    for reference in names:
        _forget(engine, raw, reference)


def _forget(engine: DockerEngine, raw: Any, reference: str) -> None:
    """Remove the names that a reference has given an image here: by its tag and by its digests."""
    repository = reference.rpartition(":")[0]
    engine.remove_image(reference)
    for image in raw.images():
        for digest in image.get("RepoDigests") or ():
            if digest.startswith(f"{repository}@"):
                engine.remove_image(digest)


def _tar(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
    return buffer.getvalue()


def manifests(running: Registry) -> int:
    return sum("/manifests/" in request for request in running.requests())


def test_when_the_registry_is_contacted(job: Job, public: Registry, push: Push) -> None:
    reference = f"{public.address}/library/python:{TAG}"
    digest = push(reference, source=f"python:{TAG}")
    prefix = f"--py-images-registry={public.address}/library"

    done = job.run(prefix, images=TAG)
    assert done.returncode == 0, done.stdout + done.stderr
    assert job.images[TAG]["digest"] == f"{public.address}/library/python@{digest}"

    before = manifests(public)
    assert job.run(prefix, images=TAG).returncode == 0
    assert job.images[TAG]["cached"]
    assert manifests(public) == before, "an image that is there is never asked about"

    assert job.run(prefix, "--py-images-pull=always", images=TAG).returncode == 0
    assert job.images[TAG]["cached"], "the same image is the same"
    asked = manifests(public)
    assert asked > before

    assert job.run(prefix, images=f"{TAG}@{digest}").returncode == 0, (
        "a plain tag with a digest is of the same registry"
    )
    (image,) = job.images.values()
    assert image["cached"]
    assert image["digest"].endswith(digest)

    done = job.run(prefix, "--py-images-pull=never", images="3.12")
    assert done.returncode == 1
    reference = f"{public.address}/library/python:3.12"
    assert message("images", "pull-never", reference=reference, label="3.12") in done.stdout
    assert manifests(public) == asked

    done = job.run(prefix, images="3.13-slim")
    assert done.returncode == 1
    assert f"no such image: {public.address}/library/python:3.13-slim" in done.stdout


def test_pinned_image_is_run(job: Job, public: Registry, push: Push, engine: DockerEngine, raw: Any) -> None:
    reference = f"{public.address}/locked/python:{TAG}"
    (job.folder / "pytest.ini").write_text(
        f"[pytest]\npy_images = {TAG}\npy_images_registry = {public.address}/locked\npy_images_lock = images.lock\n"
    )
    suite = [sys.executable, "-m", "pytest", "--py-images-report=report.json"]

    def call(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, cwd=job.folder, capture_output=True, text=True, timeout=300)

    def list_images() -> str:
        return call(sys.executable, "-m", "pytest_pyimages.cli", "images").stdout

    def lock() -> subprocess.CompletedProcess[str]:
        return call(sys.executable, "-m", "pytest_pyimages.cli", "lock")

    first = push(reference, source=f"python:{TAG}")
    done = call(*suite)
    assert done.returncode == 4
    assert message("images", "pins-not-found", path=job.folder / "images.lock") in done.stderr
    assert lock().stdout == f"{reference} = {first} (new)\n"
    _forget(engine, raw, reference)
    assert call(*suite).returncode == 0, "it is pulled by its digest"
    assert job.images[TAG]["digest"].endswith(first)

    second = push(reference, source=f"python:{TAG}", change="another")
    assert second != first
    assert "not pulled yet" in list_images(), "the pinned one was removed by the push"
    for _ in engine.pull(reference):
        pass
    done = call(*suite)
    assert done.returncode == 4
    assert first in done.stderr
    assert second in done.stderr
    assert lock().stdout == f"{reference} = {second} (was {first})\n"
    assert "up to date" in list_images()
    assert call(*suite).returncode == 0
    assert job.images[TAG]["digest"].endswith(second)


@pytest.fixture
def tiny(raw: Any) -> Iterator[str]:
    """An image with next to nothing in it."""
    name = f"pyimages-test-{uuid4().hex[:12]}"
    raw.import_image_from_data(_tar({"empty": name}), repository=name, tag="1")
    yield f"{name}:1"
    raw.remove_image(f"{name}:1")


@pytest.mark.parametrize(
    ("login", "problem"),
    [
        pytest.param(f"{USER}:{PASSWORD}", None, id="right"),
        pytest.param(f"{USER}:wrong", "refused the credentials", id="wrong"),
        pytest.param("", "refused the credentials", id="none"),
    ],
)
def test_credentials_of_the_docker_cli_are_used(
    login: str, problem: str | None, tiny: str, push: Push, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with registry(tmp_path / "private", private=True) as private:
        reference = f"{private.address}/tiny:1"
        push(reference, source=tiny, user=USER)
        auth = {"auth": base64.b64encode(login.encode()).decode()}
        _configure(tmp_path, monkeypatch, {"auths": {private.address: auth}} if login else {})
        with contextlib.closing(connect()) as engine:
            if problem is None:
                for _ in engine.pull(reference):
                    pass
                assert engine.find_image(reference) is not None
            else:
                with pytest.raises(EngineError, match=problem):
                    list(engine.pull(reference))


def test_a_broken_credential_helper_does_not_stop_a_public_image(
    public: Registry, tiny: str, push: Push, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference = f"{public.address}/tiny:1"
    push(reference, source=tiny)
    _configure(tmp_path, monkeypatch, {"credsStore": "is-not-there"})
    with contextlib.closing(connect()) as engine:
        for _ in engine.pull(reference):
            pass
        assert engine.find_image(reference) is not None


@pytest.mark.parametrize("login", [None, f"{USER}:{PASSWORD}", f"{USER}:wrong"], ids=["public", "right", "wrong"])
def test_second_runner_builds_nothing(
    login: str | None, job: Job, engine: DockerEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the two runs the engine loses the image: that of a new runner has none."""
    canary = uuid4().hex
    monkeypatch.setenv("SHOP_TOKEN", canary)
    job.write(test_it=f"def test_it(): assert {canary!r}")
    (job.folder / "pytest.ini").write_text("[pytest]\npy_images_env = SHOP_TOKEN\n")
    (job.folder / "requirements.txt").write_text(f"{job.unique_requirement}\n")
    with registry(tmp_path / "cache", private=login is not None) as cache:
        auth = {"auth": base64.b64encode((login or "").encode()).decode()}
        _configure(tmp_path, monkeypatch, {} if login is None else {"auths": {cache.address: auth}})
        name = f"{cache.address}/team/shop"
        arguments = (f"--py-images-cache-from={name}", f"--py-images-cache-to={name}")
        first = job.run(*arguments, images=TAG)
        assert first.returncode == 0, first.stdout + first.stderr
        assert not job.images[TAG]["cached"]
        blobs = [_unpack(path.read_bytes()) for path in (tmp_path / "cache" / "data").rglob("data") if path.is_file()]
        if login == f"{USER}:wrong":
            for problem in ("looked for in", "pushed to"):
                (note,) = [line for line in first.stdout.splitlines() if f"not {problem} {name} (" in line]
                assert "the registry refused the credentials" in note
            assert blobs == []
            return
        assert f"pushed to {name}" in first.stdout
        assert blobs
        assert not [blob for blob in blobs if canary.encode() in blob], "it has no source and no variable of the host"
        remove_images(engine)
        assert engine.images(f"{ROOT_LABEL}={job.root}") == ()

        second = job.run(*arguments, images=TAG)
        assert second.returncode == 0, second.stdout + second.stderr
        assert job.images[TAG]["cached"]
        assert f"found in {name}" in second.stdout
        assert "installing" not in second.stdout
        assert "pushing" not in second.stdout
        assert PASSWORD not in first.stdout + second.stdout + first.stderr + second.stderr
        (built,) = {image.id for _, image in engine.images(f"{ROOT_LABEL}={job.root}")}
        command = (sys.executable, "-m", "pytest_pyimages.cli", "prune")
        subprocess.run(command, cwd=job.folder, check=True, timeout=60)
        assert engine.find_image(built) is None, "its name in the registry is one of ours"


def _unpack(blob: bytes) -> bytes:
    """Return a layer as a tar archive, and anything else as it is."""
    return gzip.decompress(blob) if blob.startswith(b"\x1f\x8b") else blob


def _configure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: dict[str, Any]) -> None:
    folder = tmp_path / "config"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    monkeypatch.setenv("DOCKER_CONFIG", str(folder))


def test_offline_with_everything_cached(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything that could be asked is a socket that counts who comes; the engine's own is the only other one."""
    images = f"3.12,{TAG}"
    assert job.run(images=images).returncode == 0
    with socket.create_server(("127.0.0.1", 0)) as listener:
        came: list[object] = []

        def count() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, address = listener.accept()
                    connection.close()
                    came.append(address)

        threading.Thread(target=count, daemon=True).start()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, address)
        for name in ("PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL"):
            monkeypatch.setenv(name, f"{address}/simple")
        assert os.environ["DOCKER_HOST"].startswith("unix:"), "the engine is not reached through a proxy"
        done = job.run(images=images)
        assert done.returncode == 0, done.stdout
        assert all(image["cached"] for image in job.images.values())
        assert came == []
        socket.create_connection(listener.getsockname()).close()  # it does count
