"""Images that are no usual Python images: with volumes, without a shell, or whose programs do not start."""

from __future__ import annotations

import re

from tests.support.golden import message
from tests.support.jobs import Job, counts

from .containers import Derive

SLIM = "3.12-slim"
OLD = """
[[tool.pyimages.overrides]]
select = "3.12-slim"
install = ["pytest==3.10.1"]
"""
REPLACE = (
    'RUN ["python", "-c", "import os, sys; path = os.path.realpath(%s); os.remove(path); file = open(path, \'w\');'
    ' file.write(%s); os.chmod(path, 0o755)"]'
)


def test_odd_images(job: Job, derive: Derive) -> None:
    """Those that cannot be used are errors of their own that say why; the one without a shell is tested."""
    bare = derive(
        'RUN ["python", "-c", "import os; [os.remove(os.path.realpath(p)) for p in (\'/bin/bash\', \'/bin/sh\')]"]'
    )
    opt = derive("VOLUME /opt")
    local = derive("VOLUME /usr/local")
    foreign = derive(REPLACE % ("'/bin/sh'", "'x'"))
    broken = derive(REPLACE % ("sys.executable", "'#!/bin/sh\\\\necho libx.so: cannot open >&2; exit 127'"))
    job.write(test_it="def test_it(): pass\n")
    (job.folder / "pyproject.toml").write_text(OLD)
    done = job.run(images=f"3.12-slim,{bare},{opt},{local},{foreign},{broken}")
    assert done.returncode == 1, done.stdout + done.stderr
    assert counts(job.images[bare], "passed") == (1,), job.images[bare]
    problems = {label: image["problem"] for label, image in job.images.items()}
    assert problems["3.12-slim"] == message("images", "old-pytest")
    assert problems[opt] == message("images", "volume", path="/opt/pyimages", volume="/opt")
    assert "is in /usr/local, a volume of the image" in problems[local]
    assert problems[foreign].startswith(message("images", "foreign-programs", reference=foreign))
    assert problems[broken] == message("images", "no-start")


def test_two_references_of_one_image(job: Job, derive: Derive) -> None:
    """The tests run once: the random number is the same, and the failure is that of both."""
    other = derive(base="python:3.14-slim")
    (job.folder / "requirements.txt").write_text(f"{job.unique_requirement}\n")
    job.write(test_it="import uuid\ndef test_passes(): pass\ndef test_fails(): assert not uuid.uuid4().hex\n")
    done = job.run("-v", images=f"3.14-slim,{other}?")
    assert done.returncode == 1, done.stdout + done.stderr
    assert [counts(image, "passed", "failed") for image in job.images.values()] == [(1, 1), (1, 1)]
    ((twin, first),) = [(label, image["same_as"]) for label, image in job.images.items() if "same_as" in image]
    assert {twin, first} == {"3.14-slim", other}
    assert message("images", "same-image", label=twin, first=first) in done.stdout
    assert all(f"test_it.py::test_passes[{label}] PASSED" in done.stdout for label in (twin, first))
    failures = re.findall(r"(?m)^E .*assert not '(\w{32})'", done.stdout)
    assert len(set(failures)) == 1


def test_pytest_that_cannot_be_imported_is_built_again_once(job: Job) -> None:
    """It is no damaged image, as the second build has shown: its Python has no module ``imp``."""
    (job.folder / "requirements.txt").write_text(f"pytest==4.6.11\n{job.unique_requirement}\n")
    job.write(test_it="def test_it(): pass\n")
    outputs, cached = [], []
    for _ in range(3):
        done = job.run(images=SLIM)
        assert done.returncode == 1, done.stdout + done.stderr
        assert job.images[SLIM]["problem"] == message("images", "no-pytest", reason="No module named 'imp'")
        outputs.append(done.stdout)
        cached.append(job.images[SLIM]["cached"])
    assert cached == [False, False, True], outputs
    assert ["built again" in output for output in outputs] == [False, True, False]
