"""What the host's tree must not lend to containers, and what it must: git's repository of a linked worktree."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.support.jobs import Job, counts, listing

SUITE = """
import subprocess
from pathlib import Path
ROOT = Path(__file__).parent

def test_what_the_host_has_built_is_not_there():
    import fast
    assert fast.__file__ == str(ROOT / "fast.py")
    names = {path.name for path in ROOT.iterdir()}
    assert not names & {"shop.egg-info", "private", "fast.cpython-314-x86_64-linux-gnu.so"}
    assert list((ROOT / ".venv").glob("*")) == [], "not there, or an empty mount"
    assert [path.name for path in (ROOT / "data").iterdir()] == ["tracked.bin"]

def test_git_works():
    def git(*arguments):
        command = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", *arguments]
        return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()
    assert git("log", "--format=%s") == "first"
    assert git("status", "--porcelain", "-uno") == ""
    git("commit", "--allow-empty", "-m", "second")
    assert git("log", "--format=%s") == "second\\nfirst"
"""
HIDDEN = "hidden: fast.cpython-314-x86_64-linux-gnu.so, data/other.bin, private"


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    subprocess.run(("git", *identity, *arguments), cwd=folder, check=True, capture_output=True)


def test_environments_and_builds_of_the_host_are_hidden(job: Job, tmp_path: Path) -> None:
    """In an overlay and in a copy of a linked worktree, whose repository lies elsewhere and stays unchanged."""
    main = tmp_path / "main"
    (main / "data").mkdir(parents=True)
    (main / "data" / "tracked.bin").touch()
    (main / "pytest.ini").write_text("[pytest]\npy_images_exclude =\n    private\n    *.bin\npythonpath = .\n")
    (main / "pyproject.toml").write_text("[tool.other]\n")
    (main / "fast.py").write_text("x = 1\n")
    (main / "test_it.py").write_text(SUITE)
    git(main, "init")
    git(main, "add", ".")
    git(main, "commit", "-m", "first")
    job.folder.rmdir()
    git(main, "worktree", "add", "--detach", str(job.folder))
    (job.folder / "requirements.txt").write_text(f"pytest\n{job.unique_requirement}\n")
    (job.folder / "fast.cpython-314-x86_64-linux-gnu.so").write_text("built for other libraries")
    for name in (".venv/pyvenv.cfg", "shop.egg-info/PKG-INFO", "private/secret", "data/other.bin"):
        (job.folder / name).parent.mkdir(exist_ok=True)
        (job.folder / name).touch()
    for number in range(400):
        (job.folder / ".venv" / f"{number}.py").touch()
    before = listing(main), listing(job.folder)
    for source in ("overlay", "copy"):
        done = job.run(f"--py-images-source={source}", "-p", "no:cacheprovider", images="3.14")
        assert done.returncode == 0, done.stdout + done.stderr
        assert counts(job.images["3.14"], "passed") == (2,)
        assert not job.images["3.14"].get("changed_files")
        assert HIDDEN in done.stdout
        (job.folder / "report.json").unlink()
    assert (listing(main), listing(job.folder)) == before
