"""The way to the package indexes that this host has for one image's plan."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pytest_pyimages.images.plan import ImagePlan
from pytest_pyimages.indexes import HostNetwork, host_network

_SECRET_LENGTH = 8  # characters
_SECRET_NAME = re.compile("PASS|TOKEN|SECRET|KEY|AUTH|CRED", re.IGNORECASE)


def plan_network(plan: ImagePlan, environ: Mapping[str, str]) -> HostNetwork:
    """Return the way to the indexes that this host has for a plan, its configured variables included."""
    chain = (path for path in plan.project.fingerprint_files if path.suffix == ".txt")
    files = [path for path in {*plan.project.requirement_files, *chain} if path.is_file()]
    texts = [path.read_text(encoding="utf-8", errors="replace") for path in files]
    of_the_host = plan.environment.keys() - dict(plan.recipe.environment).keys()
    secrets = [plan.environment[name] for name in of_the_host if _is_secret(name, plan.environment[name])]
    steps = [" ".join(step) for step in plan.recipe.steps]
    return host_network({**environ, **plan.environment}, texts=(*steps, *texts), secrets=secrets)


def _is_secret(name: str, value: str) -> bool:
    """Whether a variable that the host gives may be a secret: not what is a word like "true"."""
    return len(value) >= _SECRET_LENGTH or bool(_SECRET_NAME.search(name))
