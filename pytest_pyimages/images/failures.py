"""Turn a failed installation into its image's error: what could not be installed, why, and a hint."""

from __future__ import annotations

import os

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from pytest_pyimages.engines import ImageInfo
from pytest_pyimages.errors import BuildError
from pytest_pyimages.images.install_job import list_variant_features
from pytest_pyimages.images.install_step import Installed
from pytest_pyimages.images.plan import ImagePlan
from pytest_pyimages.images.symptoms import (
    NO_VERSION,
    diagnose_build,
    find_broken_start,
    find_install_cause,
    find_last_line,
    find_missing_source,
    find_system_cause,
    find_unbuilt,
    find_unknown,
    find_unreachable,
    is_about_python,
    read_lines,
    suggest_index,
)
from pytest_pyimages.indexes import HostNetwork, find_refusals, is_about_packages
from pytest_pyimages.matrix import ImageTag
from pytest_pyimages.project import find_sibling

LOG_LINES = 30


def shorten_log(log: str) -> str:
    """Return the last lines of a log."""
    return "\n".join(read_lines(log)[-LOG_LINES:])


_PYTHON_PACKAGES = {
    "apk": "apk add --no-cache python3 py3-pip",
    "apt-get": "apt-get update && apt-get install -y --no-install-recommends python3 python3-pip",
    "dnf": "dnf install -y python3 python3-pip",
    "microdnf": "microdnf install -y python3 python3-pip",
    "yum": "yum install -y python3 python3-pip",
    "zypper": "zypper --non-interactive install python3 python3-pip",
}


def describe_python_dockerfile(log: str) -> str:
    """Return the lines of a Dockerfile that adds Python to an image, by the package manager that the log names."""
    command = next((command for name, command in _PYTHON_PACKAGES.items() if f"it has {name}\n" in f"{log}\n"), "")
    lines = ("ARG PYTHON_IMAGE", "FROM ${PYTHON_IMAGE}", f"RUN {command}")
    if not command:  # such as busybox: the other way round, into an image with a Python that its programs can run in
        lines = ("ARG PYTHON_IMAGE", "FROM python:3-slim", "COPY --from=${PYTHON_IMAGE} /bin /opt/bin")
    return "\n    ".join(("Lines that add one:", *lines))


def require_python(plan: ImagePlan, base: ImageInfo) -> None:
    """Check the project's requires-python: installers do so only after they have run its build backend.

    Official images name their Python in ``PYTHON_VERSION``; without a full version the check is left to the installer.

    :raises BuildError: the project does not support the image's Python.
    """
    required = plan.project.requires_python
    if plan.project.kind == "none" or plan.recipe.dockerfile is not None or not required:
        return
    try:
        python = Version(base.environment.get("PYTHON_VERSION", ""))
        supported = SpecifierSet(required)
    except (InvalidSpecifier, InvalidVersion):
        return
    if len(python.release) == 3 and not supported.contains(python.base_version):  # installers accept candidates, too
        problem = f"not installable: the project requires Python {required}, and this image has {python}"
        raise BuildError(problem, _suggest_removal(plan.tag))


def make_build_error(plan: ImagePlan, installed: Installed, network: HostNetwork, platform: str = "") -> BuildError:
    """Return the error of an image whose install step failed.

    :param platform: of the image, such as linux/amd64.
    """
    result, log = installed.result, installed.log
    hint = ""
    if result.get("status") == 127 and "no Python found" in log:
        problem = f"{plan.tag.reference} has no Python"
        hint, log = "add one with a Dockerfile, py_images_dockerfile = FILE", describe_python_dockerfile(log)
    elif result.get("failed") == "installer" and not result.get("has_begun"):
        problem, hint = _diagnose_start(plan, log, platform)
    elif result.get("failed") == "volume":
        problem = f"{result['path']} is in {result['volume']}, a volume of the image: what is installed there is lost"
        hint = "use an image without this VOLUME"
    elif result.get("failed") == "pytest":
        problem = f"pytest {result['version']} is too old: pytest {result['oldest']} or newer is needed"
        hint = f"change what {plan.project.origin or 'the image'} requires"
    elif result.get("failed") == "setup":
        problem = f"py_images_setup: `{result.get('command')}` failed with status {result.get('status')}"
        problem = _join(problem, find_last_line(log))
    elif result.get("failed") == "apt":
        problem = f"py_images_apt: {', '.join(plan.recipe.apt)} cannot be installed"
        problem = _join(problem, find_system_cause(log))
    elif result.get("failed") == "lock":
        origin = plan.recipe.lock.origin if plan.recipe.lock else "the lock file"
        problem, hint = (
            f"{origin} is not for this Python",
            "remove py_images_versions = locked, or lock for this Python",
        )
    elif result.get("failed") == "interpreter":
        problem = f"uv cannot install Python {plan.recipe.interpreter}, of which there is no official image"
        unreachable = find_unreachable(log)
        cause = find_install_cause(log) if unreachable is None else _describe_unreachable(*unreachable)
        problem = _join(problem, cause.removeprefix("the package index "))
        hint = "set UV_PYTHON_INSTALL_MIRROR to a mirror that containers reach, or select another image"
    elif result.get("failed") == "sources":
        features = network.sources.list_uv_features(network.settings.environ)
        needed = ", ".join([*features, *list_variant_features(plan)])
        origin = plan.project.sources.origin if features else f"the variant {plan.tag.variant}"
        problem = f"not installable with pip: {origin} requires {needed}"
        hint = f"uv can do that, from Python 3.8 on; {_suggest_removal(plan.tag)}"
    else:
        problem, hint = _diagnose(plan, log, network)
    return BuildError(problem, hint, log=shorten_log(log))


def _diagnose_start(plan: ImagePlan, log: str, platform: str) -> tuple[str, str]:
    """Return problem and hint where the image's Python has run nothing of the installer."""
    if "exec format error" in log.lower():
        return (
            f"the programs of {plan.tag.reference} ({platform}) are not for this machine",
            "choose an image of its platform, or let the engine's machine emulate the other one (binfmt_misc)",
        )
    broken = find_broken_start(log)
    return broken or (_join("the image's Python does not start", find_last_line(log)), "run it by hand to see why")


def _diagnose(plan: ImagePlan, log: str, network: HostNetwork) -> tuple[str, str]:
    """Return problem and hint where the project's requirements could not be installed."""
    broken = find_broken_start(log)
    if broken is not None:
        return broken
    problem = f"not installable: {network.redaction.redact(plan.project.origin or 'pytest')}"
    refusal = next(find_refusals(network), None) if is_about_packages(log) else None
    if refusal is not None:
        return _join(problem, refusal[0]), refusal[1]
    unreachable = find_unreachable(log)
    if unreachable is not None:
        return _join(problem, _describe_unreachable(*unreachable)), _suggest_network(network)
    missing = find_missing_source(log, plan.project.sources.list_folders())
    if missing is not None:
        return _join(problem, missing[0]), missing[1]
    unbuilt = find_unbuilt(log)
    if unbuilt:
        problem = f"{problem}: {network.redaction.redact(unbuilt)} cannot be built"
    found = diagnose_build(log, variant=find_variant(plan.tag.reference))
    if found is not None:
        versioning = plan.project.versioning
        reason = versioning.explain_refusal() if versioning is not None and found[0] == NO_VERSION else ""
        return _join(problem, found[0]), reason or found[1]
    cause = find_install_cause(log)
    hint = _suggest_sibling(plan, find_unknown(cause)) or suggest_index(cause, log)
    return _join(problem, cause), _suggest_removal(plan.tag) if is_about_python(cause) else hint


def _suggest_sibling(plan: ImagePlan, distribution: str) -> str:
    """Return how to install a project of the same checkout; empty if none of them is this distribution."""
    sibling = find_sibling(plan.project.root, distribution) if distribution else None
    if sibling is None:
        return ""
    entry = f"-e {os.path.relpath(sibling, plan.project.root)}"
    return f"{distribution} is in this checkout: set py_images_install to {', '.join([*plan.project.install, entry])}"


def _describe_unreachable(host: str, cause: str) -> str:
    index = f"the package index {host}" if host else "the package index"
    return f"{index} cannot be reached from the container ({cause})"


def _suggest_network(network: HostNetwork) -> str:
    """Return what to check where an index cannot be reached."""
    names = ", ".join(sorted(name.upper() for name in network.settings.proxies if name.lower() != "no_proxy"))
    check = (
        f"check {names}" if names else "check the network, or name a proxy in HTTPS_PROXY or a mirror in PIP_INDEX_URL"
    )
    return f"{check}; images that are built already (pyimages list) run without it"


def _suggest_removal(tag: ImageTag) -> str:
    return f"remove {tag.label}" + ("" if tag.allowed_to_fail else f", or allow it to fail: {tag.label}?")


def find_variant(reference: str) -> str:
    """Return "slim" or "alpine" for an image that contains less than the full one; else an empty string."""
    tag = reference.rpartition("/")[2].partition(":")[2].partition("@")[0]
    return next((variant for variant in ("slim", "alpine") if variant in tag), "")


def _join(problem: str, cause: str) -> str:
    return f"{problem}: {cause}" if cause else problem
