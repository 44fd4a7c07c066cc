"""What a container is told of the shard of its tests that it is to run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any


def shard_job(index: int, of: int, milliseconds: Mapping[str, int]) -> dict[str, Any]:
    """Return the files of the plugin that leaves a shard of the tests in the collection.

    :param index: from 1.
    :param milliseconds: how long tests took, by node id, as far as that is known.
    """
    plugin = files("pytest_pyimages.inside").joinpath("sharding.py").read_text("utf-8")
    job = {"index": index, "of": of, "milliseconds": dict(milliseconds)}
    return {"files": {"pyimages_shard.py": plugin, "shard.json": json.dumps(job)}}
