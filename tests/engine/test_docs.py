"""The commands of the tutorial do what it says, with the example that it names."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.jobs import Job
from tests.support.pages import ROOT, commands_of

TUTORIAL = ROOT / "docs" / "tutorial.md"


def mask(text: str) -> set[str]:
    """Return the lines of a text, whatever their spaces and numbers are."""
    return {re.sub(r"\d+", "0", " ".join(line.split())) for line in text.splitlines()}


def test_tutorial(job: Job) -> None:
    """All but what needs a terminal. A second run shows what the page shows: the images are built then."""
    shutil.copytree(ROOT / "examples" / "calendar_cli", job.folder, dirs_exist_ok=True)
    first, *others = [words for words in commands_of(TUTORIAL) if "--pdb" not in words]
    inline = re.search(r"`pyimages (run .*?)`", TUTORIAL.read_text("utf-8"))
    assert inline is not None
    images, output, last = "--py-images=3.12,3.14-slim", "", ""
    for program, *words in (first, first, *(words for words in others if images in words)):
        assert images in words
        done = run(job, program, words)
        assert done.returncode == 1, done.stdout + done.stderr
        output, last = output + done.stdout, done.stdout
    assert "test_an_invitation_says_when[3.14-slim]" in last
    shown = re.findall(r"^ {4,}(?!pytest |pip |cd )(.+)$", TUTORIAL.read_text("utf-8").split("```")[0], re.MULTILINE)
    assert len(shown) == 8
    assert mask("\n".join(shown)) <= mask(output)
    again = re.search(r"3\.14-slim again: pytest (.*)", TUTORIAL.read_text("utf-8"))
    assert again is not None
    assert run(job, "pytest", again[1].split()).returncode == 1
    listed = run(job, "pyimages", inline[1].split())
    assert (listed.returncode, "\npytest " in listed.stdout) == (0, True), listed.stdout + listed.stderr


def run(job: Job, program: str, words: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a program as the tutorial does: the commands that it prints begin with its name."""
    command = [str(Path(sys.executable).with_name(program)), *words]
    return subprocess.run(command, cwd=job.folder, capture_output=True, text=True, timeout=600)
