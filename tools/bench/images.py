"""The images of the other side: what an ordinary Dockerfile makes."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import uuid4

from tools.bench.clock import NotMeasuredError

BUNDLES = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
# What a container needs to reach the package index in the way in which this host does.
NETWORK = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")


def write_dockerfile(folder: Path) -> None:
    """Write the Dockerfile that users write for the requirements.txt of a folder; its argument PYTHON is a tag."""
    lines = ["ARG PYTHON", "FROM python:${PYTHON}"]
    bundle = next((os.environ[name] for name in BUNDLES if os.environ.get(name)), None)
    if bundle is not None:
        (folder / "ca.pem").write_bytes(Path(bundle).read_bytes())
        lines += ["COPY ca.pem /etc/ca.pem", "ENV PIP_CERT=/etc/ca.pem"]
    lines += [f"ENV {name}={os.environ[name]}" for name in NETWORK if os.environ.get(name)]
    lines += ["COPY requirements.txt .", "RUN pip install --no-cache-dir -r requirements.txt"]
    (folder / "Dockerfile").write_text("\n".join(lines) + "\n")


@contextmanager
def ordinary_images(tags: Sequence[str], folder: Path, engine: str) -> Iterator[tuple[str, ...]]:
    """Yield an image with pytest for each tag, built from an ordinary Dockerfile; remove them afterwards.

    :raises NotMeasuredError: where there is no docker command to make them with, or a build fails.
    """
    if shutil.which("docker") is None:
        raise NotMeasuredError("the docker command, by which the same is done by hand, is not installed")

    def docker(*words: str) -> None:
        environment = {**os.environ, "DOCKER_HOST": engine}
        done = subprocess.run(("docker", *words), env=environment, capture_output=True, text=True, timeout=300)
        if done.returncode:
            raise NotMeasuredError(f"docker {words[0]} failed: {done.stderr.strip()}")

    context = folder / "ordinary"
    context.mkdir()
    (context / "requirements.txt").write_text("pytest\n")
    write_dockerfile(context)
    with ExitStack() as stack:
        made = []
        for tag in tags:
            name = f"pyimages-bench-{uuid4().hex[:8]}"
            docker("build", "-q", "-t", name, "--build-arg", f"PYTHON={tag}", str(context))
            stack.callback(docker, "image", "rm", "--force", name)
            made.append(name)
        yield tuple(made)
