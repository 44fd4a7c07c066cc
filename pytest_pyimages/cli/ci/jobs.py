"""The jobs of a workflow, from the project's configuration."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import replace

from pytest_pyimages.cli.project import Place
from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.immutable import Immutable
from pytest_pyimages.matrix import ImageTag
from pytest_pyimages.session import parse_requested_images

PYTHON = "3.14"  # that pytest-pyimages itself runs on
_REPOSITORY = re.compile(r"(\$\w+|[\w.-]+(:\d+)?)(/[\w.$-]+)*")  # GitLab has the variable CI_REGISTRY_IMAGE
# Lines of each service's workflow that the configuration decides.
CONFIGURED_EVERYWHERE = (
    re.compile(r"PY_IMAGES_CACHE_(FROM|TO): .*"),
    re.compile(r"['\"]?--images=.*"),
    re.compile(r"(pytest --py-images|--py-images-report|--junitxml)=.*"),
)
# Options that each job has already.
_OWN = re.compile(r"--(py-images(-shard|-github|-engine)?|junit-?xml)(=.*)?")


class Jobs(Immutable):
    """What a workflow runs: a job for each image and shard, and one that merges their reports."""

    images: tuple[ImageTag, ...]
    shards: int
    command: tuple[str, ...]  # that prints the workflow
    arguments: tuple[str, ...]  # of pytest
    measures_coverage: bool
    registry: str  # "ghcr.io/team/shop": where environment images are kept; empty for the service's cache

    @property
    def required(self) -> list[str]:
        """The images that must pass, as ``--py-images`` selects them."""
        return [tag.label for tag in self.images if not tag.allowed_to_fail]

    @property
    def allowed(self) -> list[str]:
        """The images that are allowed to fail, with their ``?``."""
        return [f"{tag.label}?" for tag in self.images if tag.allowed_to_fail]

    @property
    def specs(self) -> list[str]:
        """All images in their order."""
        return [f"{tag.label}{'?' * tag.allowed_to_fail}" for tag in self.images]

    def fill_in(self, template: str, **fields: str) -> str:
        """Return a workflow: the template with its ``@FIELDS@``."""
        after = f" {shlex.join(self.arguments)}" if self.arguments else ""
        # Those of the service first: they contain others.
        fields |= {
            "COMMAND": shlex.join(self.command),
            "PYTHON": PYTHON,
            "SHARDS": str(self.shards),
            "ARGUMENTS": after,
            "AFTER_DASHES": f" --{after}" if after else "",
            "IMAGES": shlex.quote(f"--images={','.join(self.specs)}"),
            "COVERAGE": f" --{after}" if after and self.measures_coverage else "",
        }
        for name, value in fields.items():
            template = template.replace(f"@{name}@", value)
        return template


def plan_jobs(place: Place, *, command: Sequence[str], shards: int, registry: str, arguments: Sequence[str]) -> Jobs:
    """Return the jobs of the requested images; no engine is contacted.

    :param command: that prints the workflow, without the arguments of pytest.
    :param registry: see Jobs.
    :param arguments: those of pytest.
    :raises ConfigurationError: if no image is requested, or a job could not select its image or its arguments.
    """
    if shards < 1:
        raise ConfigurationError("--shards must be 1 or more")
    plan, settings = place.plan(), place.settings
    images = tuple(image.tag for image in plan.plans)
    for tag in images:
        alone = parse_requested_images(replace(settings, specs=(tag.label,)), plan.project)
        if alone != (replace(tag, allowed_to_fail=False),):
            raise ConfigurationError(f"{tag.label} cannot be selected by its name", "write its whole reference")
    if registry and not _REPOSITORY.fullmatch(registry):
        shown = registry.rpartition("@")[2]  # a login may be before it
        raise ConfigurationError(f'--registry: "{shown}" is not a repository', "such as ghcr.io/team/shop")
    own = next(filter(_OWN.fullmatch, arguments), None)
    if own is not None:
        raise ConfigurationError(f"{own} would replace an option of the jobs", "remove it")
    for word in (*command, *arguments):
        if "\n" in word or "${{" in word:  # it would end the script's line, or be an expression of GitHub's
            raise ConfigurationError(f"{word!r} cannot be an argument in a workflow", "put it into the configuration")
    return Jobs(
        images=images,
        shards=shards,
        command=(*command, *(("--", *arguments) if arguments else ())),
        arguments=tuple(arguments),
        measures_coverage=settings.measures_coverage,
        registry=registry,
    )
