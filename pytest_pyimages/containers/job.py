"""The job that the program in a container reads: a frozen dataclass on the host, one JSON object on the wire."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

HOST_ONLY: Mapping[str, bool] = {"host_only": True}  # metadata of a field that is not sent


def encode_job(job: object) -> bytes:
    """Return a job as one line of ASCII with a key for each field; ``inside/worker/jobs.py`` lists and checks them.

    :param job: a dataclass of what JSON can express; a mapping is an object, a tuple a list.
    """
    return json.dumps(job, default=_describe).encode("ascii")


def _describe(value: Any) -> dict[str, Any]:
    if is_dataclass(value):
        sent = [field.name for field in fields(value) if not field.metadata.get("host_only")]
        return {name: getattr(value, name) for name in sent}
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a job cannot contain {type(value).__name__}")
