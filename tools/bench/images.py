"""The images of the other side: the same packages, as an ordinary ``RUN pip install`` leaves them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from uuid import uuid4

from tools.bench.clock import NotMeasuredError

# pip compiles the packages that it installs. The standard library stays as the base image has it, without bytecode,
# and pytest has never run: both is what the plugin's own images have ahead.
AS_PIP_LEAVES_IT = """
import os, shutil, sysconfig
library = sysconfig.get_paths()["stdlib"]
for folder, folders, files in os.walk(library):
    folders[:] = [name for name in folders if name not in ("site-packages", "dist-packages")]
    if folder.endswith("__pycache__"):
        shutil.rmtree(folder)
        folders[:] = []
for folder, folders, files in os.walk(sysconfig.get_paths()["purelib"]):
    for name in files:
        if "-pytest-" in name and name.endswith(".pyc"):
            os.remove(os.path.join(folder, name))
"""


@contextmanager
def ordinary_images(images: tuple[str, ...], engine: str) -> Iterator[tuple[str, ...]]:
    """Yield an image for each environment image, without what only the plugin's build does; remove them afterwards.

    :raises NotMeasuredError: where there is no docker command to make them with.
    """
    if shutil.which("docker") is None:
        raise NotMeasuredError("the docker command, by which the same is done by hand, is not installed")

    def docker(*words: str) -> None:
        done = subprocess.run(
            ("docker", *words), env={**os.environ, "DOCKER_HOST": engine}, capture_output=True, text=True, timeout=120
        )
        if done.returncode:
            raise NotMeasuredError(f"docker {words[0]} failed: {done.stderr.strip()}")

    with ExitStack() as stack:
        made = []
        for image in images:
            name = f"pyimages-bench-{uuid4().hex[:8]}"
            stack.callback(docker, "image", "rm", "--force", name)
            docker("run", "--name", name, image, "python", "-c", AS_PIP_LEAVES_IT)
            docker("commit", "--change", 'CMD ["python3"]', name, name)
            docker("rm", name)
            made.append(name)
        yield tuple(made)
