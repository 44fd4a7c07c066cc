from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from pytest_pyimages.cluster.machine import pack_files, unpack_files
from pytest_pyimages.cluster.messages import Failed, describe_error, make_error
from pytest_pyimages.engines import BuildContext
from pytest_pyimages.errors import ConnectionLostError, EngineError, ImageNotFound, PyimagesError


@pytest.mark.parametrize(
    "error", [EngineError("no", "try"), ImageNotFound("none"), ConnectionLostError("cut"), PyimagesError("so")]
)
def test_errors_are_the_same_on_the_host(error: PyimagesError) -> None:
    data = pickle.dumps(describe_error(1, error))
    made = make_error(pickle.loads(data))  # noqa: S301 - our own
    assert (type(made), made.message, made.hint) == (type(error), error.message, error.hint)


def test_other_errors_are_those_of_an_engine() -> None:
    assert str(make_error(describe_error(1, ValueError("odd")))) == "ValueError: odd"


@pytest.mark.parametrize("kind", ["annotations", "str", "SystemExit"])
def test_only_errors_of_this_package_are_made(kind: str) -> None:
    assert type(make_error(Failed(1, kind, "no", ""))) is EngineError


def test_files_of_a_build_arrive(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    (source / "bin").mkdir(parents=True)
    (source / "bin" / "run").write_bytes(b"#!/bin/sh\n")
    (source / "bin" / "run").chmod(0o755)
    (source / "link").symlink_to("bin/run")
    unpack_files(target, pack_files(BuildContext("", source, ("bin/run", "link"), {})))
    assert (target / "bin" / "run").read_bytes() == b"#!/bin/sh\n"
    assert (target / "bin" / "run").stat().st_mode & 0o777 == 0o755
    assert (target / "link").readlink() == Path("bin/run")
