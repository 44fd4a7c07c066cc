"""Projects whose suites run over images of a real engine."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar

import pytest

from pytest_pyimages.engines.docker import DockerEngine
from pytest_pyimages.engines.labels import KIND_LABEL, LABEL, ROOT_LABEL
from pytest_pyimages.images.recipe import hash_text
from tests.support.processes import running

IMAGES = "3.12,3.14-slim"
RUN_SECONDS = 600  # pip may wait three minutes for a lost packet, where PIP_DEFAULT_TIMEOUT says so


class Job:
    """Runs pytest over images in a folder of its own."""

    roots: ClassVar[set[str]] = set()  # labels that tell the images of all jobs

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = hash_text(str(folder))[:16]
        self.roots.add(self.root)
        # In the requirements, it makes the job's environment image its own: an equal one of another project is used.
        self.unique_requirement = f"six!=0.{int(self.root, 16)}"

    def command(self, *args: str, images: str = IMAGES) -> list[str]:
        return [sys.executable, "-m", "pytest", f"--py-images={images}", "--py-images-report=report.json", *args]

    def run(self, *args: str, images: str = IMAGES) -> subprocess.CompletedProcess[str]:
        (self.folder / "report.json").unlink(missing_ok=True)
        try:
            return subprocess.run(
                self.command(*args, images=images), cwd=self.folder, capture_output=True, text=True, timeout=RUN_SECONDS
            )
        except subprocess.TimeoutExpired as error:
            output: Any = error.stdout or b""  # bytes, whatever the mode (subprocess docs)
            pytest.fail(f"no end within {RUN_SECONDS} s:\n{output.decode(errors='replace')}")

    def start(self, *args: str, images: str = IMAGES) -> contextlib.AbstractContextManager[subprocess.Popen[str]]:
        return running(self.command(*args, images=images), folder=self.folder)

    @property
    def images(self) -> dict[str, dict[str, Any]]:
        report = json.loads((self.folder / "report.json").read_text())
        return {image["label"]: image for image in report["images"]}

    def write(self, **files: str) -> None:
        for name, text in files.items():
            (self.folder / f"{name}.py").write_text(text)


def remove_images(engine: DockerEngine) -> None:
    """Remove images and caches of jobs; images of Dockerfiles last, since the others stand on them."""
    for kind in ("environment", "dockerfile"):
        for reference, image in engine.images(LABEL):
            if image.labels.get(ROOT_LABEL) in Job.roots and image.labels.get(KIND_LABEL) == kind:
                engine.remove_image(reference)
    for entry in engine.leftovers(f"{KIND_LABEL}=cache"):
        if entry.labels.get(ROOT_LABEL) in Job.roots:
            engine.remove_volume(entry.name)


def counts(image: dict[str, Any], *names: str) -> tuple[int, ...]:
    return tuple(image["counts"][name] for name in names)


def listing(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
