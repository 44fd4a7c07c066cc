"""Build an image from a user's Dockerfile with the engine's own builder."""

from __future__ import annotations

import contextlib
import io
import json
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO

import docker.errors
from docker.api import APIClient
from docker.utils.build import exclude_paths

from pytest_pyimages.engines.base import BuildContext
from pytest_pyimages.engines.docker_py import request
from pytest_pyimages.engines.faults import convert_error, list_client_errors
from pytest_pyimages.engines.limits import iter_records
from pytest_pyimages.errors import EngineError
from pytest_pyimages.text import flatten

DOCKERFILE = ".pyimages.Dockerfile"  # the context may have a Dockerfile of its own
SILENT_SECONDS = 3600.0  # that one command of a Dockerfile may print nothing
MEMORY_BYTES = 8 * 1024**2  # larger archives use a temporary file


def list_context_files(context: Path) -> tuple[str, ...]:
    """Return the files of a build context, without those that its ``.dockerignore`` excludes, sorted."""
    try:
        ignored = (context / ".dockerignore").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        ignored = []
    patterns = [line.strip() for line in ignored if line.strip() and not line.startswith("#")]
    names = exclude_paths(str(context), [*patterns, ".git"])
    return tuple(sorted(name for name in names if (context / name).is_file() or (context / name).is_symlink()))


def build(client: APIClient, context: BuildContext, *, reference: str, labels: Mapping[str, str]) -> Iterator[str]:
    """Build an image; yield the lines of the log, whose end does not mean success.

    Uses the engine's own builder (Engine API, "ImageBuild") without registry credentials: the base image is pulled
    already.

    :raises EngineError: with the engine's message.
    """
    parameters = {
        "t": reference,
        "dockerfile": DOCKERFILE,
        "rm": True,
        "forcerm": True,
        "buildargs": json.dumps(dict(context.arguments)),
        "labels": json.dumps(dict(labels)),
        **({"platform": context.platform} if context.platform else {}),
    }
    with SpooledTemporaryFile(MEMORY_BYTES) as archive:
        _write_archive(context, archive)
        try:
            response = request(
                client,
                "POST",
                "/build",
                params=parameters,
                data=archive,
                headers={"Content-Type": "application/x-tar"},
                stream=True,
                timeout=(client.timeout, SILENT_SECONDS),
            )
        except docker.errors.APIError as error:
            raise EngineError(flatten(error.explanation or str(error))) from error
        except list_client_errors() as error:
            raise convert_error(error) from error
        with contextlib.closing(response):
            try:
                for record in iter_records(response):
                    yield from _read_record(record)
            except list_client_errors() as error:
                raise EngineError(f"the build log was cut: {convert_error(error).message}") from error


def _read_record(record: object) -> Iterator[str]:
    if not isinstance(record, dict):
        raise EngineError("the build log is invalid")
    detail = record.get("errorDetail") or {}
    text = record.get("error") or (detail.get("message") if isinstance(detail, dict) else detail)
    if text or detail:
        raise EngineError(flatten(str(text or detail)))
    yield from str(record.get("stream") or "").splitlines()


def _write_archive(context: BuildContext, file: IO[bytes]) -> None:
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in context.files:
            tar.add(context.folder / name, arcname=name, recursive=False, filter=_clear_owner)
        content = context.dockerfile.encode()
        entry = tarfile.TarInfo(DOCKERFILE)
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
    file.seek(0)


def _clear_owner(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry
