"""``pyimages ci``: print a workflow of a CI service, or check the one in the repository."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentError, ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest

from pytest_pyimages.cli.ci import github, gitlab
from pytest_pyimages.cli.ci.check import describe_difference, find_workflows
from pytest_pyimages.cli.ci.jobs import Jobs, plan_jobs
from pytest_pyimages.cli.project import SPEC_HELP, Place, pytest_arguments, run_at_project
from pytest_pyimages.errors import ConfigurationError

SUMMARY = "print a workflow of a CI service for the matrix"
DESCRIPTION = """\
Print a workflow that runs each image and shard in a job of its own and merges their reports into one result:

  pyimages ci github > .github/workflows/images.yml
  pyimages ci gitlab > .gitlab/images.yml

Arguments of pytest after -- are those of the jobs. With --check, report whether the workflows in the repository still
agree with the configuration: exits with 1 if one does not."""
SERVICES: dict[str, ModuleType] = {"github": github, "gitlab": gitlab}


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("service", nargs="?", choices=tuple(SERVICES), help="the CI service")
    parser.add_argument("spec", metavar="SPEC", nargs="?", help=SPEC_HELP)
    parser.add_argument("--shards", metavar="N", type=int, default=1, help="jobs for each image (default: 1)")
    parser.add_argument(
        "--registry",
        metavar="REGISTRY/NAME",
        default="",
        help="keep environment images in this repository instead of the service's cache, such as ghcr.io/team/shop",
    )
    parser.add_argument("--json", action="store_true", help="print only the matrix, as JSON")
    parser.add_argument("--check", action="store_true", help="compare the workflows in the repository instead")


def run(arguments: Namespace) -> int:
    if arguments.check:
        if arguments.service or arguments.json:
            raise ConfigurationError("pyimages ci: --check takes no other arguments", "remove them")
        return _check()
    if arguments.service is None:
        raise ConfigurationError("pyimages ci: no service was named", f"choose {' or '.join(SERVICES)}, or --check")
    return _plan(arguments, partial(_print, as_json=arguments.json, service=arguments.service))


def _plan(arguments: Namespace, work: Callable[[Jobs], int]) -> int:
    """Call ``work`` with the jobs that these arguments describe."""
    command = ["pyimages", "ci", arguments.service, *([arguments.spec] if arguments.spec else [])]
    command += [f"--shards={arguments.shards}"] if arguments.shards != 1 else []
    command += [f"--registry={arguments.registry}"] if arguments.registry else []

    def plan(place: Place) -> int:
        jobs = plan_jobs(
            place,
            command=command,
            shards=arguments.shards,
            registry=arguments.registry,
            arguments=arguments.pytest_arguments,
        )
        most, number = SERVICES[arguments.service].MOST_JOBS, len(jobs.images)
        if number * jobs.shards > most:
            raise ConfigurationError(
                f"{number} images with {jobs.shards} shards are more than {most} jobs", "use fewer"
            )
        return work(jobs)

    return run_at_project(pytest_arguments(arguments, arguments.spec), plan)


def _print(jobs: Jobs, *, service: str, as_json: bool) -> int:
    module = SERVICES[service]
    sys.stdout.write(f"{json.dumps(module.make_matrix(jobs))}\n" if as_json else module.render(jobs))
    return 0


def _check() -> int:
    """Compare each workflow with what its own command prints now."""
    statuses = [_check_file(path, words) for path, words in find_workflows(Path.cwd()).items()]
    return int(pytest.ExitCode.TESTS_FAILED if any(statuses) else pytest.ExitCode.OK)


def _check_file(path: Path, words: Sequence[str]) -> int:
    parser = ArgumentParser(exit_on_error=False)
    add_arguments(parser)
    end = words.index("--") if "--" in words else len(words)
    try:
        arguments, unknown = parser.parse_known_args(words[:end])
    except ArgumentError as error:
        arguments, unknown = Namespace(service=None), [str(error)]
    if unknown or arguments.service is None:
        raise ConfigurationError(f"{path}: its first comment is not a `pyimages ci` command", "print it again")
    arguments.engine, arguments.pytest_arguments = None, list(words[end + 1 :])
    return _plan(arguments, partial(_compare, path=path, service=arguments.service))


def _compare(jobs: Jobs, *, path: Path, service: str) -> int:
    module = SERVICES[service]
    text = path.read_text("utf-8", "replace")
    difference = describe_difference(text, module.render(jobs), module.CONFIGURED)
    verdict = (
        f"does not agree with the configuration: it {difference}" if difference else "agrees with the configuration"
    )
    sys.stdout.write(f"{path}: {verdict}\n")
    return int(bool(difference))
