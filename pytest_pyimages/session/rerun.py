"""Offer the commands that run failed tests again."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence

from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.host import HOST_OPTIONS, Settings, split_nodeid
from pytest_pyimages.matrix import parse_matrix
from pytest_pyimages.project import KNOWN_PLUGINS
from pytest_pyimages.results import ImageResult

# Options that a rerun of one image does without.
_LEFT_OUT = " ".join(
    (
        "--py-images --py-images-report --py-images-baseline --py-images-fail-fast --py-images-jobs --py-images-watch",
        *(plugin.not_repeated for plugin in KNOWN_PLUGINS.values()),
    )
)
_SEED = "--randomly-seed"

SHARD = "--py-images-shard"
ENGINE = "--py-images-engine"
_CONFIGURING = {"-c", "--config-file", "--rootdir", "-o", "--override-ini"}
_SELECTING = (
    f"{SHARD} --py-images-cluster -k -m --deselect --ignore --ignore-glob --lf --last-failed --ff --failed-first"
    " --nf --new-first --sw --stepwise -s --capture -l --showlocals -W --pythonwarnings --runxfail"
    " --py-images-github --py-images-timeout --py-images-silence"
)


def rerun_commands(
    settings: Settings, results: Mapping[str, ImageResult], *, has_cache: bool
) -> Iterator[tuple[str, str]]:
    """Yield the labels and the rerun command of images that failed or could not be tested, of all together if possible.

    :param has_cache: whether ``--lf`` can be used.
    """
    groups: dict[tuple[bool, int | None], list[ImageResult]] = {}
    for result in results.values():
        if result.failed and not result.usage_error:  # the same arguments would be refused again
            has_failures = bool({"failed", "error"} & set(result.outcomes.values()))
            groups.setdefault((has_failures and has_cache, result.seed), []).append(result)
    for (last_failed, seed), group in groups.items():
        labels = [result.label for result in group]
        others = [label for label in results if label not in labels]
        yield ", ".join(labels), _make_command(settings, group, others, last_failed=last_failed, seed=seed)


def make_shell_command(settings: Settings, results: Mapping[str, ImageResult]) -> str:
    """Return the command for a shell in the last image with a failed test; empty if no test has failed."""
    failed = [one for one in results.values() if one.failed and {"failed", "error"} & set(one.outcomes.values())]
    if not failed:
        return ""
    invocation = settings.invocation
    # Without the options that do not change the environment.
    typed = invocation.typed.without(f"{_LEFT_OUT} {_SELECTING} {' '.join(HOST_OPTIONS - _CONFIGURING)}")
    last = failed[-1]
    chosen = [f"--engine={last.engine}"] if last.engine and not settings.cluster else []
    typed = typed.without(ENGINE) if chosen else typed
    words = [*invocation.host_args, *(word for option in typed.options for word in option.words)]
    own = ["pyimages", "shell", *chosen, _spec(last, settings.registry)]
    return shlex.join([*own, *(["--", *words] if words else [])])


def _make_command(
    settings: Settings, group: Sequence[ImageResult], others: Sequence[str], *, last_failed: bool, seed: int | None
) -> str:
    """Return the command for some images.

    :param others: labels of images that it does not run; tests that were selected on them are left out.
    """
    invocation = settings.invocation
    spec = ",".join(_spec(result, settings.registry) for result in group)
    program = ["python", "-m", "pytest"] if invocation.module else ["pytest"]
    start = ["pyimages", "test", spec] if invocation.command else [*program, f"--py-images={spec}"]
    own = [] if seed is None else [f"{_SEED}={seed}"]
    # A shard of the failed tests would omit some; the seed is given once.
    without = {*([SHARD] if last_failed else []), *([_SEED] if own else [])}
    typed = invocation.typed.without(_LEFT_OUT).without(without)
    kept = [
        argument
        for argument in typed.arguments
        if argument.name or split_nodeid(argument.words[0], [*others, *(one.label for one in group)])[1] not in others
    ]
    words = [word for argument in kept for word in argument.words]
    words = [*(["--lf"] if last_failed else []), *own, *invocation.host_args, *words]
    return shlex.join([*start, *(["--"] if invocation.command and words else []), *words])


def _spec(result: ImageResult, registry: str) -> str:
    """Return a specification of this image alone, with the same label if possible, and "?" if it is allowed to fail."""
    optional = "?" * result.allowed_to_fail
    try:
        (named,) = parse_matrix([result.label], registry=registry)
    except (ConfigurationError, ValueError):  # not one entry
        return result.reference + optional
    return (result.label if named.reference == result.reference else result.reference) + optional
