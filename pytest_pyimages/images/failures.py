"""A failed install step, as the error of its image: what could not be installed, why, and what to do now."""

from __future__ import annotations

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from pytest_pyimages.engines import ImageInfo
from pytest_pyimages.errors import BuildError
from pytest_pyimages.images.build_faults import build_fault
from pytest_pyimages.images.causes import (
    install_cause,
    is_about_python,
    last_words,
    readable_lines,
    system_cause,
    unbuilt,
)
from pytest_pyimages.images.install_step import Installed
from pytest_pyimages.images.plan import ImagePlan
from pytest_pyimages.indexes import HostNetwork, index_faults, is_about_packages
from pytest_pyimages.matrix import ImageTag

LOG_LINES = 30


def tail(log: str) -> str:
    """Return the last lines of a log."""
    return "\n".join(readable_lines(log)[-LOG_LINES:])


def refuse_other_python(plan: ImagePlan, base: ImageInfo) -> None:
    """Say before anything is installed what an installer could only say after the project's build tool has run.

    Official images tell their Python in ``PYTHON_VERSION``; where nothing does in full, the installer has the word.

    :raises BuildError: the project is not for the image's Python.
    """
    required = plan.project.requires_python
    if plan.project.kind == "none" or plan.recipe.dockerfile is not None or not required:
        return
    try:
        python = Version(base.environment.get("PYTHON_VERSION", ""))
        admitted = SpecifierSet(required)
    except (InvalidSpecifier, InvalidVersion):
        return
    if len(python.release) == 3 and not admitted.contains(python.base_version):  # a candidate counts, as for installers
        problem = f"not installable: the project requires Python {required}, and this image has {python}"
        raise BuildError(problem, _without(plan.tag))


def install_failure(plan: ImagePlan, installed: Installed, network: HostNetwork) -> BuildError:
    """Return what is to be told of an install step that has failed."""
    result, log = installed.result, installed.log
    if result.get("status") == 127 and "no Python found" in log:
        return BuildError(f"{plan.tag.reference} has no Python", "name an image that has one", log=tail(log))
    if "nosource" in result:
        return BuildError(f"the source is not visible inside: {result['nosource']}", log=tail(log))
    if result.get("failed") in ("setup", "apt", "lock"):
        problem, hint = _configured(plan, installed)
        return BuildError(problem, hint, log=tail(log))
    problem, hint = _not_installable(plan, log, network)
    return BuildError(problem, hint, log=tail(log))


def _configured(plan: ImagePlan, installed: Installed) -> tuple[str, str]:
    """Return what to say, and what to do, where something failed that the user has configured."""
    result, log = installed.result, installed.log
    if result["failed"] == "setup":
        problem = f"py_images_setup: `{result.get('command')}` ended with status {result.get('status')}"
        return _because(problem, last_words(log)), ""
    if result["failed"] == "apt":
        return _because(f"py_images_apt: {', '.join(plan.recipe.apt)} cannot be installed", system_cause(log)), ""
    lock = plan.recipe.lock.origin if plan.recipe.lock else "the lock file"
    return f"{lock} is not for this Python", "take py_images_versions = locked away, or lock for it"


def _not_installable(plan: ImagePlan, log: str, network: HostNetwork) -> tuple[str, str]:
    problem = f"not installable: {network.redaction.redacted(plan.project.origin or 'pytest')}"
    index = next(index_faults(network), None) if is_about_packages(log) else None
    if index is not None:
        return _because(problem, index.problem), index.hint
    built = unbuilt(log)
    if built:
        problem = f"{problem}: {network.redaction.redacted(built)} cannot be built"
    missing = build_fault(log, small=small_kind(plan.tag.reference))
    if missing is not None:
        return _because(problem, missing.problem), missing.hint
    cause = install_cause(log)
    return _because(problem, cause), _without(plan.tag) if is_about_python(cause) else ""


def _without(tag: ImageTag) -> str:
    return f"leave {tag.label} out" + ("" if tag.allowed_to_fail else f", or allow it to fail: {tag.label}?")


def small_kind(reference: str) -> str:
    """Return "slim" or "alpine" for an image that is known to lack what the full one has; empty for any other."""
    tag = reference.rpartition("/")[2].partition(":")[2].partition("@")[0]
    return next((kind for kind in ("slim", "alpine") if kind in tag), "")


def _because(problem: str, cause: str) -> str:
    return f"{problem}: {cause}" if cause else problem
