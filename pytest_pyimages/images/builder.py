"""Build an environment image: on the project's last one, on the user's Dockerfile's image, or on the base image."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from dataclasses import replace

from pytest_pyimages.containers import Lease, Source
from pytest_pyimages.engines import BuildContext, Engine, ImageInfo
from pytest_pyimages.engines.labels import (
    INDEXES_LABEL,
    KIND_LABEL,
    LABEL,
    LAYERS_LABEL,
    PROJECT_LABEL,
    RECIPE_LABEL,
    REPLACED_LABEL,
    ROOT_LABEL,
)
from pytest_pyimages.errors import BuildError, EngineError, ImageNotFound
from pytest_pyimages.images.bases import BaseImages, Listener
from pytest_pyimages.images.dockerfile import ARGUMENT
from pytest_pyimages.images.failures import make_build_error, require_python, shorten_log
from pytest_pyimages.images.full_image import find_full_tag, resolve_full_image
from pytest_pyimages.images.install_job import Wheels
from pytest_pyimages.images.install_log import InstallLog
from pytest_pyimages.images.install_step import STOPPED, Installed, InstallStep, NewImage
from pytest_pyimages.images.labels import is_ours, make_labels, name_dockerfile_image
from pytest_pyimages.images.plan import ImagePlan
from pytest_pyimages.images.registries import hash_choices

MAX_LAYERS = 32  # of ours, on each other; overlay file systems support some 125 in all
FOUNDATION = f"{LABEL}.foundation"


class ImageBuilder:
    """Builds environment images. May be used from several threads at once."""

    def __init__(self, engine: Engine, bases: BaseImages, lease: Lease, source: Source, listener: Listener) -> None:
        self._engine = engine
        self._bases = bases
        self._source = source
        self._listener = listener
        self._step = InstallStep(engine, lease, source, listener)
        self.abort = self._step.abort
        self.join = self._step.join

    def build(self, plan: ImagePlan, base: ImageInfo, reference: str, *, replaced: str = "") -> None:
        """Build an image on the project's last image with the same foundation, or else on the base image.

        :param replaced: why the last image of this recipe did not work; then never on an earlier image.
        :raises BuildError: with the problem and the last lines of the log.
        """
        require_python(plan, base)
        labels = {
            LABEL: "1",
            KIND_LABEL: "environment",
            RECIPE_LABEL: reference.rpartition(":")[2],
            FOUNDATION: plan.recipe.compute_foundation(base),
            INDEXES_LABEL: hash_choices(plan, can_mount=self._source.mode == "overlay"),
            **make_labels(plan, base),
            LAYERS_LABEL: "1",
            REPLACED_LABEL: replaced,  # else that of the image that it is built on
        }
        wheels = self._build_wheels(plan, base) if plan.recipe.build_in == "full" else None
        # uv would build again where it upgrades what an image has.
        last = None if replaced or wheels is not None else self._find_last(labels)
        if last is not None:
            layers = str(int(last.labels[LAYERS_LABEL]) + 1)
            try:
                labelled = {**labels, LAYERS_LABEL: layers}
                self._install(plan, NewImage(start=last, extends=True, reference=reference, labels=labelled))
            except ImageNotFound:  # pruned a moment ago
                last = None
        if last is None:
            start = self._build_dockerfile(plan, base)
            self._install(plan, NewImage(start=start, extends=False, reference=reference, labels=labels, wheels=wheels))

    def _build_wheels(self, plan: ImagePlan, base: ImageInfo) -> Wheels | None:
        """Build wheels in the full image of a slim one; return how to use them, or None if there is no full image."""
        full = find_full_tag(plan.tag)
        if full is None:
            return None
        in_full = replace(plan, tag=full)
        start = self._build_dockerfile(in_full, resolve_full_image(self._bases, plan.tag, full, base))
        wheels = Wheels(build=f"wheels-{uuid.uuid4().hex}")
        new = NewImage(start=start, extends=False, reference="", labels={}, wheels=wheels)
        result = self._install(in_full, new).result
        return replace(wheels, variables=dict(result.get("variables", {})))

    def _find_last(self, labels: Mapping[str, str]) -> ImageInfo | None:
        """Return the newest image of the same project and foundation that can be extended."""
        found = [
            image
            for reference, image in self._engine.images(f"{FOUNDATION}={labels[FOUNDATION]}")
            if is_ours(reference, image)
            and all(image.labels.get(name) == labels[name] for name in (FOUNDATION, PROJECT_LABEL, ROOT_LABEL))
            and image.labels.get(f"{LABEL}.extendable") == "True"
            and int(image.labels.get(LAYERS_LABEL, MAX_LAYERS)) < MAX_LAYERS
        ]
        return max(found, key=lambda image: image.created, default=None)

    def _install(self, plan: ImagePlan, new: NewImage) -> Installed:
        where = "" if new.reference else f" in {plan.tag.reference}, for its wheels"
        self._listener.report(plan.tag.label, f"installing {plan.project.origin or 'pytest'}{where}")
        installed = self._step.run(plan, new)
        if not installed.succeeded:
            raise make_build_error(plan, installed, plan.read_network(os.environ), new.start.platform)
        return installed

    def _build_dockerfile(self, plan: ImagePlan, base: ImageInfo) -> ImageInfo:
        """Return the image of the user's Dockerfile on the base image; the base image if there is no Dockerfile."""
        dockerfile = plan.recipe.dockerfile
        if dockerfile is None:
            return base
        reference, name = name_dockerfile_image(dockerfile, base), dockerfile.path.name
        found = self._engine.find_image(reference)
        if found is not None:
            return found
        self._listener.report(plan.tag.label, f"building {name}")
        network = plan.read_network(os.environ)
        context = BuildContext(
            dockerfile=dockerfile.text,
            folder=dockerfile.context,
            files=dockerfile.files,
            arguments={**network.settings.proxies, ARGUMENT: plan.tag.reference},
            platform=plan.tag.platform,
        )
        labels = {LABEL: "1", KIND_LABEL: "dockerfile", **make_labels(plan, base)}
        lines: list[str] = []
        log = InstallLog(lambda text: self._listener.progress(plan.tag.label, text))
        try:
            for line in self._engine.build(context, reference=reference, labels=labels):
                lines.append(line)
                log.feed(f"{line}\n".encode())
                if self._step.is_aborted:
                    raise BuildError(STOPPED)
        except EngineError as error:
            redact = network.redaction.redact
            raise BuildError(redact(f"{name}: {error.message}"), log=redact(shorten_log("\n".join(lines)))) from error
        found = self._engine.find_image(reference)
        if found is None:
            raise BuildError(f"{name} was built, but the engine does not have its image", "try again")
        return found
