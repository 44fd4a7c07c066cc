"""Make what an image's container runs and what runs beside it, from the settings and the plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from pytest_pyimages.containers import Lease
from pytest_pyimages.engines import Engine, ImageInfo, lend_socket
from pytest_pyimages.host import FLAG_NAMES, INI_KEYS, OPTION_NAMES, Settings
from pytest_pyimages.images import BaseImages, BuiltImage, ImagePlan
from pytest_pyimages.runs import (
    BytecodeJob,
    ChangesJob,
    Job,
    Services,
    make_selection_job,
    make_smoke_job,
    make_tracebacks_job,
)

_HOOK_KEY = "enable_assertion_pass_hook"  # changes what pytest rewrites
_BYTECODE_VARIABLES = ("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX")  # it is not beside the modules then


def make_job(  # noqa: PLR0913 - everything that a container is given
    settings: Settings,
    plan: ImagePlan,
    image: BuiltImage,
    *,
    memory: Mapping[str, Any] | None,
    shard: Mapping[str, Any] | None,
    changes: ChangesJob | None = None,
) -> Job:
    """Return the job that runs the suite in an environment image.

    :param changes: what to report about the source.
    :param memory: values of pytest's cache by name; None to leave the cache alone.
    :param shard: the part of the tests to run, see runs.job; None for all.
    """
    invocation = settings.invocation
    environment = {**image.environment, **plan.environment, **invocation.environment}
    return Job(
        image=image.id,
        options=plan.options,
        python=image.executable,
        privileges=settings.privileges,
        args=plan.args,
        project=str(plan.project.root),
        cwd=str(invocation.cwd),
        cwd_on_path=invocation.module,
        environment=environment,
        worker=image.worker,
        user=_choose_user(plan.user or image.user),
        passed_output=settings.passed_output,
        own_options=tuple(name for name in OPTION_NAMES if name not in FLAG_NAMES),
        own_flags=FLAG_NAMES,
        own_ini=INI_KEYS,
        memory=memory,
        seed=settings.seed,
        host_plugins=tuple(sorted(invocation.host_plugins)),
        timeout=settings.timeout,
        silence=settings.silence,
        shard=shard,
        selection=None if plan.selection is None else make_selection_job(plan.selection),
        smoke=make_smoke_job(plan.project.root, plan.project.distribution) if plan.smoke else None,
        tracebacks=make_tracebacks_job() if settings.wants_details and settings.has_short_tracebacks else None,
        coverage=settings.measures_coverage,
        bytecode=_make_bytecode_job(settings, plan, image, environment),
        changes=changes,
        terminal=settings.terminal,
    )


def _make_bytecode_job(
    settings: Settings, plan: ImagePlan, image: BuiltImage, environment: Mapping[str, str]
) -> BytecodeJob | None:
    """Return how pytest compiles the project's modules; None if it does so in another way than usual.

    :param environment: of the suite.
    """
    is_hooked = any(_HOOK_KEY in word for word in plan.args) or settings.invocation.ini.get(_HOOK_KEY)
    if is_hooked or any(environment.get(name) for name in _BYTECODE_VARIABLES):
        return None
    return BytecodeJob(python=image.executable, options=plan.options)


def _choose_user(text: str) -> str:
    """Return the user that a container's program becomes; empty for root, as which it begins."""
    return "" if set(text.removeprefix("host ").split(":")) <= {"", "0", "root"} else text


def make_services(
    engine: Engine, lease: Lease, plan: ImagePlan, images: BaseImages, is_closing: Callable[[], bool] = lambda: False
) -> Services:
    """Return the services of an image, which are not started yet.

    :param images: finds the images of the services; they are not pinned.
    :param is_closing: whether the session ends.
    """

    def resolve(reference: str) -> ImageInfo:
        return images.resolve(replace(plan.tag, reference=reference))

    services = Services(engine, lease, plan.services, resolve, is_closing)
    services.options, _ = lend_socket(plan.options, engine.info)
    return services
