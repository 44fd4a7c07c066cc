"""How an environment image is made: on an earlier one, on the user's Dockerfile's, or on the base image.

Loaded only when there is something to make.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pytest_pyimages.engines import BuildContext, Engine, ImageInfo
from pytest_pyimages.engines.labels import KIND_LABEL, LABEL, PROJECT_LABEL, RECIPE_LABEL, ROOT_LABEL
from pytest_pyimages.errors import BuildError, EngineError, ImageNotFound
from pytest_pyimages.images.dockerfile import ARGUMENT
from pytest_pyimages.images.failures import make_build_error, require_python, shorten_log
from pytest_pyimages.images.install_log import InstallLog
from pytest_pyimages.images.install_step import InstallStep, NewImage
from pytest_pyimages.images.plan import ImagePlan
from pytest_pyimages.images.storage import dockerfile_reference, image_labels, is_ours
from pytest_pyimages.indexes import HostNetwork

MOST_LAYERS = 32  # of ours, one on the other; overlay file systems bear some 125 in all


class Maker:
    """Makes environment images. May be used from several threads at once.

    :param network: this host's way to the package indexes, for one plan.
    :param say: called with (label, text) at each stage; must be safe to call from any thread.
    :param progress: called with (label, text) as a stage goes on; must be safe to call from any thread.
    """

    def __init__(
        self,
        engine: Engine,
        step: InstallStep,
        *,
        network: Callable[[ImagePlan], HostNetwork],
        say: Callable[[str, str], None],
        progress: Callable[[str, str], None],
    ) -> None:
        self._engine = engine
        self._step = step
        self._network = network
        self._say = say
        self._progress = progress

    def abort(self) -> None:
        """End all installing now, and begin none; what was being made is not kept."""
        self._step.abort()

    def join(self, deadline: float) -> tuple[str, ...]:
        """Wait until nothing but images is left; return the threads that still work at the deadline (monotonic)."""
        return self._step.join(deadline)

    def make(self, plan: ImagePlan, base: ImageInfo, reference: str) -> None:
        """Make it on the project's last image of the same kind, or else on the base image.

        :raises BuildError: with what went wrong and the last lines of the log.
        """
        require_python(plan, base)
        labels = {
            LABEL: "1",
            KIND_LABEL: "environment",
            RECIPE_LABEL: reference.rpartition(":")[2],
            f"{LABEL}.foundation": plan.recipe.foundation(base),
            **image_labels(plan, base),
            f"{LABEL}.layers": "1",
        }
        nearest = self._nearest(labels)
        if nearest is not None:
            layers = str(int(nearest.labels[f"{LABEL}.layers"]) + 1)
            try:
                self._install(plan, nearest, reference, {**labels, f"{LABEL}.layers": layers}, extends=True)
            except ImageNotFound:  # pruned a moment ago
                nearest = None
        if nearest is None:
            self._install(plan, self._dockerfile_image(plan, base), reference, labels, extends=False)

    def _nearest(self, labels: Mapping[str, str]) -> ImageInfo | None:
        """Return the newest image with the same foundation that was built for the same project and can be extended."""
        foundation = f"{LABEL}.foundation"
        found = [
            image
            for reference, image in self._engine.images(f"{foundation}={labels[foundation]}")
            if is_ours(reference, image)
            and all(image.labels.get(name) == labels[name] for name in (foundation, PROJECT_LABEL, ROOT_LABEL))
            and image.labels.get(f"{LABEL}.extendable") == "True"
            and int(image.labels.get(f"{LABEL}.layers", MOST_LAYERS)) < MOST_LAYERS
        ]
        return max(found, key=lambda image: image.created, default=None)

    def _install(
        self, plan: ImagePlan, start: ImageInfo, reference: str, labels: Mapping[str, str], *, extends: bool
    ) -> None:
        self._say(plan.tag.label, f"installing {plan.project.origin or 'pytest'}")
        user = "0" if start.user else ""
        new = NewImage(start=start.id, user=user, extends=extends, reference=reference, labels=labels)
        installed = self._step.run(plan, new)
        if not installed.succeeded:
            raise make_build_error(plan, installed, self._network(plan))

    def _dockerfile_image(self, plan: ImagePlan, base: ImageInfo) -> ImageInfo:
        """Return what the user's Dockerfile makes of the base image; the base image if there is none."""
        dockerfile = plan.recipe.dockerfile
        if dockerfile is None:
            return base
        reference = dockerfile_reference(dockerfile, base)
        found = self._engine.find_image(reference)
        if found is not None:
            return found
        self._say(plan.tag.label, f"building {dockerfile.path.name}")
        network = self._network(plan)
        context = BuildContext(
            dockerfile=dockerfile.text,
            folder=dockerfile.context,
            files=dockerfile.files,
            arguments={**network.settings.proxies, ARGUMENT: plan.tag.reference},
        )
        labels = {LABEL: "1", KIND_LABEL: "dockerfile", **image_labels(plan, base)}
        log: list[str] = []
        watch = InstallLog(lambda words: self._progress(plan.tag.label, words))
        try:
            for line in self._engine.build(context, reference=reference, labels=labels):
                log.append(line)
                watch.feed(f"{line}\n".encode())
                if self._step.aborted:
                    raise BuildError("stopped while it was built")
        except EngineError as error:
            problem = network.redaction.redacted(f"{dockerfile.path.name}: {error.message}")
            raise BuildError(problem, log=network.redaction.redacted(shorten_log("\n".join(log)))) from error
        found = self._engine.find_image(reference)
        if found is None:
            raise BuildError(f"{dockerfile.path.name} was built and its image is not there", "try again")
        return found
