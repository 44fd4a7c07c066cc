"""The main job with an engine that does not see this host's files: the source is copied."""

from __future__ import annotations

import io
import signal
import subprocess
from pathlib import Path

import docker
import pytest

from pytest_pyimages.engines.docker import DockerEngine
from pytest_pyimages.engines.labels import LABEL
from tests.support.jobs import Job, counts, listing

from .conftest import REMOTE_TAG as TAG
from .conftest import wait_until_removed
from .contents import tar_members
from .test_main_job import wait_for_first_test

REASON = "source: copy (the engine does not see this host's files)"


@pytest.fixture
def copied(remote: DockerEngine, job: Job, monkeypatch: pytest.MonkeyPatch) -> Job:
    """Return a job of that engine."""
    monkeypatch.setenv("DOCKER_HOST", remote.info.endpoint)
    return job


def run(job: Job, *arguments: str) -> subprocess.CompletedProcess[str]:
    return job.run("-p", "no:cacheprovider", *arguments, images=TAG)


def git(folder: Path, *arguments: str) -> None:
    settings = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main")
    subprocess.run(("git", *settings, *arguments), cwd=folder, check=True, capture_output=True)


def test_edits_reach_the_copy(copied: Job) -> None:
    """First and second run; a changed, a new and a deleted test; nothing of the source is in the image."""
    copied.write(
        test_a="def test_a(): pass\n",
        test_deleted="import pathlib\ndef test_secret(): assert pathlib.Path('.env').exists()\n",
        test_b="def test_b(): pass\n",
    )
    (copied.folder / ".env").write_text("SECRET=canary-in-the-source\n")
    before = listing(copied.folder)
    first = run(copied)
    assert first.returncode == 0, first.stdout + first.stderr
    assert f"{REASON}, 4 files" in first.stdout
    assert counts(copied.images[TAG], "passed") == (3,)
    assert listing(copied.folder).keys() - before.keys() == {"report.json"}
    (copied.folder / "test_deleted.py").unlink()
    (copied.folder / ".env").unlink()
    (copied.folder / "test_b.py").write_text("def test_b(): assert 0\n")
    copied.write(test_c="def test_c(): pass\n")
    second = run(copied)
    assert second.returncode == 1, second.stdout + second.stderr
    assert REASON in second.stdout
    assert copied.images[TAG]["cached"] is True
    assert counts(copied.images[TAG], "passed", "failed") == (2, 1)


def find_in_image(remote: DockerEngine, root: str, canaries: tuple[bytes, ...]) -> list[str]:
    """Return the files of a project's saved image that contain one of some words; none may be in the image."""
    (reference,) = (reference for reference, image in remote.images(LABEL) if root in image.labels.values())
    client = docker.APIClient(base_url=remote.info.endpoint, version=remote.info.api_version)
    saved = io.BytesIO(b"".join(client.get_image(reference)))
    client.close()
    members = list(tar_members("image", saved))
    assert any("site-packages" in member.name for member in members), "the image was looked into"
    return [member.name for member in members if any(canary in member.data for canary in canaries)]


def test_git_decides_what_is_copied(copied: Job) -> None:
    """What git tracks or does not ignore, and git itself; what is left out is named, and can be copied."""
    folder = copied.folder
    (folder / ".gitignore").write_text("*.bin\n.env\nbuild/\n")
    package = folder / "src" / "pkg" / "venv"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("NAME = 'venv'\n")
    (folder / "src" / "pkg" / "__init__.py").touch()
    (folder / "build").mkdir()
    for name in ("data.bin", ".env", "build/left.txt", "kept.bin"):
        (folder / name).write_text("ignored")
    (folder / "pytest.ini").write_text("[pytest]\npythonpath = src\npy_images_copy = kept.bin\n")
    copied.write(
        test_it="""
import os
from pathlib import Path
HERE = Path(__file__).parent
def test_a():
    import pkg.venv
    found = set(os.listdir(HERE)) - {"__pycache__"}
    assert sorted(found) == [".git", ".gitignore", "kept.bin", "pytest.ini", "src", "test_it.py"]
    assert (HERE / ".git" / "HEAD").read_text() == "ref: refs/heads/main\\n"
"""
    )
    git(folder, "init", "-b", "main")
    git(folder, "add", "src")
    git(folder, "commit", "-m", "a")
    (folder / ".git" / "info" / "exclude").write_text("report.json\n")
    done = run(copied)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "not copied: .env, data.bin · --py-images-copy=GLOB copies what matches" in done.stdout
    more = run(copied, "--py-images-copy=.env", "--py-images-copy=!src")
    assert more.returncode == 1
    assert "not copied: data.bin, kept.bin ·" in more.stdout
    assert "No module named 'pkg'" in more.stdout


def test_build_links_changes_and_coverage(copied: Job, remote: DockerEngine) -> None:
    """Links out of the source are read-only, changes are named and kept; nothing of the source is in the image."""
    other = copied.folder.parent / "other"
    (other / "data").mkdir(parents=True)
    (other / "test_o.py").write_text("def test_o(): pass\n")
    (copied.folder / "test_o.py").symlink_to("../other/test_o.py")
    (copied.folder / "data").symlink_to("../other/data")
    (copied.folder / "same").symlink_to("old.txt")
    (copied.folder / "old.txt").write_text("old")
    (copied.folder / "gone.txt").write_text("gone")
    copied.write(
        lib="def used(): return 1\ndef unused(): return 2\n",
        test_it="""
from pathlib import Path
import lib, pytest
HERE = Path(__file__).parent
def test_links():
    assert (HERE / "same").read_text() == "old" and (HERE / "same").is_symlink()
    with pytest.raises(OSError):
        (HERE / "data" / "new.txt").touch()
    assert (HERE / "data" / "linked.txt").read_text() == "canary-of-a-link"
def test_changes():
    assert lib.used() == 1
    (HERE / "old.txt").write_text("changed")
    (HERE / "new.txt").write_text("new")
    (HERE / "gone.txt").unlink()
def test_fails(): assert 0
""",
    )
    (other / "data" / "linked.txt").write_text("canary-of-a-link")
    (copied.folder / ".env").write_text("SECRET=canary-in-the-source\n")
    (copied.folder / "requirements.txt").write_text(f"pytest-cov\n{copied.unique_requirement}\n")
    done = run(copied, "--cov=lib", f"--py-images-keep-changes={TAG}")
    assert done.returncode == 1, done.stdout + done.stderr
    assert counts(copied.images[TAG], "passed", "failed") == (3, 1)
    changed = [(entry["path"], entry["change"]) for entry in copied.images[TAG]["changed_files"]]
    assert changed == [("gone.txt", "deleted"), ("new.txt", "new"), ("old.txt", "changed")]
    assert (copied.folder / "new.txt").read_text() == "new"
    assert (copied.folder / "old.txt").read_text() == "changed"
    assert (copied.folder / "gone.txt").exists()
    assert [path.name for path in (other / "data").iterdir()] == ["linked.txt"]
    assert "lib.py" in done.stdout
    assert "75%" in done.stdout
    assert find_in_image(remote, copied.root, (b"canary-in-the-source", b"def test_changes", b"canary-of-a-link")) == []


def test_last_failed_and_two_suites_at_once(copied: Job) -> None:
    """Two names of one image share the copy, and no writes."""
    copied.write(
        test_it="from pathlib import Path\nP = Path(__file__).with_name('written')\n"
        "def test_a():\n    assert not P.exists()\n    P.touch()\ndef test_b(): assert 0\ndef test_c(): pass\n"
    )
    images = f"{TAG},python:{TAG}"
    first = copied.run("-x", images=images)
    assert first.returncode == 1, first.stdout + first.stderr
    assert [counts(image, "passed", "failed") for image in copied.images.values()] == [(1, 1)] * len(copied.images)
    again = copied.run("--lf", images=TAG)
    assert counts(copied.images[TAG], "passed", "failed") == (0, 1), again.stdout
    assert not (copied.folder / "written").exists()


def test_interrupt_leaks_nothing(copied: Job, remote: DockerEngine, host: str) -> None:
    copied.write(test_it="import time\ndef test_a(): pass\ndef test_slow(): time.sleep(8)\n")
    with copied.start("-v", images=TAG) as process:
        wait_for_first_test(process)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    assert process.returncode == 2
    wait_until_removed(remote, host)
