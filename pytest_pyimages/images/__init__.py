"""Environment images: plans and recipes, builds, and the images in the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pyimages.facade import lazy_names

if TYPE_CHECKING:
    from pytest_pyimages.images.bases import BaseImages, Listener
    from pytest_pyimages.images.environments import BuiltImage, EnvironmentImages
    from pytest_pyimages.images.install_step import CACHE_VOLUME
    from pytest_pyimages.images.labels import Contents, describe_contents, identify_project
    from pytest_pyimages.images.last_used import LastUsed
    from pytest_pyimages.images.pins import KEY, Pins, find_digest, read_pins, write_pins
    from pytest_pyimages.images.plan import ImagePlan, make_plans
    from pytest_pyimages.images.pruning import Limits, choose_images, find_used_images, prune_superseded, remove_images
    from pytest_pyimages.images.recipe import Recipe
    from pytest_pyimages.images.storage import STALE, States, Storage, StoredImage, read_storage

__all__ = [
    "CACHE_VOLUME",
    "KEY",
    "STALE",
    "BaseImages",
    "BuiltImage",
    "Contents",
    "EnvironmentImages",
    "ImagePlan",
    "LastUsed",
    "Limits",
    "Listener",
    "Pins",
    "Recipe",
    "States",
    "Storage",
    "StoredImage",
    "choose_images",
    "describe_contents",
    "find_digest",
    "find_used_images",
    "identify_project",
    "make_plans",
    "prune_superseded",
    "read_pins",
    "read_storage",
    "remove_images",
    "write_pins",
]
__getattr__ = lazy_names(
    __name__,
    {
        "bases": "BaseImages Listener",
        "environments": "BuiltImage EnvironmentImages",
        "install_step": "CACHE_VOLUME",
        "labels": "Contents describe_contents identify_project",
        "last_used": "LastUsed",
        "pins": "KEY Pins find_digest read_pins write_pins",
        "plan": "ImagePlan make_plans",
        "pruning": "Limits choose_images find_used_images prune_superseded remove_images",
        "recipe": "Recipe",
        "storage": "STALE States Storage StoredImage read_storage",
    },
)
