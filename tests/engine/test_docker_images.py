"""Images, files and volumes on the real engine."""

from __future__ import annotations

import contextlib
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pytest_pyimages.engines.base import Mount
from pytest_pyimages.engines.docker import DockerEngine
from pytest_pyimages.engines.labels import LABEL, SESSION_LABEL
from pytest_pyimages.errors import EngineError

from .containers import IMAGE, Create, Volume, outcome

# Images


def test_an_image_is_described(engine: DockerEngine) -> None:
    image = engine.find_image(IMAGE)
    assert image is not None
    assert image.id.startswith("sha256:")
    assert image.platform.startswith("linux/")
    assert image.size > 1_000_000
    assert "PATH" in image.environment
    assert engine.find_image(image.id) == image


CONFIGURED = ("Cmd", "Entrypoint", "WorkingDir", "User", "Env", "ExposedPorts", "Volumes", "OnBuild", "StopSignal")


def inspected(raw: Any, image: str) -> dict[str, Any]:
    """Return the configuration of an image; what is empty is left out, as newer engines do."""
    config = raw.inspect_image(image)["Config"]
    return {key: config[key] for key in CONFIGURED if config.get(key)}


def test_a_committed_image_is_its_base_with_files_and_labels(
    engine: DockerEngine,
    create: Create,
    made: contextlib.ExitStack,
    labels: Mapping[str, str],
    raw: Any,
) -> None:
    reference = f"pytest-pyimages/test:{labels[SESSION_LABEL]}"
    made.callback(engine.remove_image, reference)
    code = "import sys; open('/kept', 'w').write(sys.stdin.readline())"
    container = create(code, working_dir="/tmp", user="0")  # noqa: S108 - inside
    assert outcome(engine, container, b"s3cret-canary\n")[2] == 0
    own = {LABEL: "1", f"{LABEL}.mine": "yes"}
    identity = engine.commit(container, reference=reference, labels=own)
    image, base = engine.find_image(reference), engine.find_image(IMAGE)
    assert image is not None
    assert base is not None
    assert image.id == identity
    assert {key: value for key, value in image.labels.items() if value} == {**base.labels, **own}
    assert inspected(raw, identity) == {"WorkingDir": "/", **inspected(raw, IMAGE), "User": "0"}
    assert "canary" not in str(raw.history(identity)) + str(raw.inspect_image(identity))
    assert (reference, image) in engine.images(f"{LABEL}.mine")
    assert outcome(engine, create("print(open('/kept').read())", image=identity))[0] == b"s3cret-canary\n\n"


def test_commit_keeps_only_variables(
    engine: DockerEngine,
    create: Create,
    made: contextlib.ExitStack,
    labels: Mapping[str, str],
    raw: Any,
) -> None:
    """The engine merges them whatever a commit says: so the contract is that no secret is among them."""
    reference, empty = f"pytest-pyimages/test:{labels[SESSION_LABEL]}", f"pytest-pyimages/empty:{labels[SESSION_LABEL]}"
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("file"))
    made.callback(engine.remove_image, empty)
    repository, _, tag = empty.partition(":")
    raw.import_image_from_data(archive.getvalue(), repository=repository, tag=tag)
    made.callback(engine.remove_image, reference)
    container = create(command=("/secret", "canary"), image=empty, environment={"VISIBLE": "1"}, working_dir="/srv")
    identity = engine.commit(container, reference=reference, labels={})
    config = inspected(raw, identity)
    assert [entry for entry in config.pop("Env") if not entry.startswith("PATH=")] == ["VISIBLE=1"]
    assert config == {"WorkingDir": "/"}
    assert "canary" not in str(raw.history(identity))


def test_remove_image_twice(engine: DockerEngine, create: Create, labels: Mapping[str, str]) -> None:
    reference = f"pytest-pyimages/test:{labels[SESSION_LABEL]}"
    engine.commit(create(), reference=reference, labels={})
    assert engine.find_image(reference) is not None
    engine.remove_image(reference)
    assert engine.find_image(reference) is None
    engine.remove_image(reference)


# Files and volumes


def test_uploaded_files_exist_at_start(engine: DockerEngine, create: Create) -> None:
    container = create("print(open('/srv/a:b/file').read())")
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        info = tarfile.TarInfo("a:b/file")
        info.size = 5
        tar.addfile(info, io.BytesIO(b"hello"))
    data = archive.getvalue()
    engine.upload(container, "/srv", (data[at : at + 1000] for at in range(0, len(data), 1000)))
    assert outcome(engine, container) == (b"hello\n", b"", 0)


def test_upload_to_a_missing_folder(engine: DockerEngine, create: Create) -> None:
    with pytest.raises(EngineError, match="/no/such/folder"):
        engine.upload(create(), "/no/such/folder", [b"\0" * 10240])
    with pytest.raises(EngineError, match=r"(?i)no such container"):
        engine.upload("no-such-container", "/", [b"\0" * 10240])


def test_a_volume_outlives_containers(
    engine: DockerEngine, create: Create, volume: Volume, labels: Mapping[str, str]
) -> None:
    fresh, folder = volume()
    assert Path(folder).is_absolute()
    assert engine.create_volume(fresh, labels=labels, options={}) == folder
    mounts = (Mount(kind="volume", source=fresh, target="/data"),)
    assert outcome(engine, create("open('/data/x', 'w').write('kept')", mounts=mounts))[2] == 0
    reader = create("print(open('/data/x').read())", mounts=mounts)
    assert outcome(engine, reader) == (b"kept\n", b"", 0)
    with pytest.raises(EngineError, match="in use"):
        engine.remove_volume(fresh)


def test_overlay_does_not_change_the_source(
    engine: DockerEngine, create: Create, volume: Volume, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("below")
    (_, upper), (_, work) = volume(), volume()
    layers = f"lowerdir={tmp_path},upperdir={upper},workdir={work}"
    overlay, _ = volume(type="overlay", device="overlay", o=layers)
    code = "print(open('/src/file').read()); open('/src/file', 'w').write('above'); print(open('/src/file').read())"
    container = create(code, mounts=(Mount(kind="volume", source=overlay, target="/src"),))
    assert outcome(engine, container) == (b"below\nabove\n", b"", 0)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("file", "below")]


def test_leaks_are_found_by_label(
    engine: DockerEngine, create: Create, volume: Volume, labels: Mapping[str, str]
) -> None:
    created, running, (fresh, _) = create("pass"), create("import time; time.sleep(600)"), volume()
    engine.start(running)
    ours = [entry for entry in engine.leftovers(LABEL) if entry.labels.get(SESSION_LABEL) == labels[SESSION_LABEL]]
    assert {(entry.kind, entry.id) for entry in ours} == {
        ("container", created),
        ("container", running),
        ("volume", fresh),
    }
    assert [entry.id for entry in ours if entry.is_running] == [running]
    assert all(labels.items() <= entry.labels.items() for entry in ours)  # a container has its image's as well
    assert all(entry.name.startswith("pyimages-test-") for entry in ours)
    assert engine.leftovers(f"{LABEL}.no-such-label") == ()
