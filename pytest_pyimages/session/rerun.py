"""Offer the command that runs the failed tests of one image again."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping

from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.host import Settings
from pytest_pyimages.matrix import parse_matrix
from pytest_pyimages.project import KNOWN_PLUGINS
from pytest_pyimages.results import ImageResult

# Options that a rerun of one image does without.
_LEFT_OUT = " ".join(
    (
        "--py-images --py-images-report --py-images-baseline --py-images-fail-fast --py-images-jobs",
        *(plugin.not_repeated for plugin in KNOWN_PLUGINS.values()),
    )
)
_SEED = "--randomly-seed"

SHARD = "--py-images-shard"


def rerun_commands(
    settings: Settings, results: Mapping[str, ImageResult], *, has_cache: bool
) -> Iterator[tuple[str, str]]:
    """Yield the label and the rerun command of each image that failed or could not be tested.

    :param has_cache: whether ``--lf`` can be used.
    """
    invocation = settings.invocation
    typed = invocation.typed.without(_LEFT_OUT)
    program = ["python", "-m", "pytest"] if invocation.module else ["pytest"]
    for result in results.values():
        if not result.failed:
            continue
        failed = {"failed", "error"} & set(result.outcomes.values())
        spec = _spec(result, settings.registry)
        start = ["pyimages", "test", spec, "--"] if invocation.command else [*program, f"--py-images={spec}"]
        last_failed = ["--lf"] if failed and has_cache else []
        own = [] if result.seed is None else [f"{_SEED}={result.seed}"]
        # A shard of the failed tests would omit some; the seed is given once.
        without = {*([SHARD] if last_failed else []), *([_SEED] if own else [])}
        words = typed.without(without).words
        yield result.label, shlex.join([*start, *last_failed, *own, *invocation.host_args, *words])


def _spec(result: ImageResult, registry: str) -> str:
    """Return a specification of this image alone, with the same label if possible."""
    try:
        (named,) = parse_matrix([result.label], registry=registry)
    except (ConfigurationError, ValueError):  # not one entry
        return result.reference
    return result.label if named.reference == result.reference else result.reference
