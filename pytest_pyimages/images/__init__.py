"""What is in the environment images: the project's own word, a recipe, a build, the engine's storage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pyimages.facade import lazy_names

if TYPE_CHECKING:
    from pytest_pyimages.images.bases import BaseImages
    from pytest_pyimages.images.build import Builder, BuiltImage
    from pytest_pyimages.images.contents import Contents, contents_of
    from pytest_pyimages.images.install_step import CACHE_VOLUME
    from pytest_pyimages.images.last_used import LastUsed, identity_of
    from pytest_pyimages.images.network import plan_network
    from pytest_pyimages.images.pins import KEY, ImageLock, digest_of, read_image_lock, write_image_lock
    from pytest_pyimages.images.plan import ImagePlan, image_plans
    from pytest_pyimages.images.pruning import Limits, chosen, in_use, prune_superseded, remove
    from pytest_pyimages.images.recipe import Recipe
    from pytest_pyimages.images.states import STALE, States
    from pytest_pyimages.images.storage import Storage, StoredImage, read_storage

__all__ = [
    "CACHE_VOLUME",
    "KEY",
    "STALE",
    "BaseImages",
    "Builder",
    "BuiltImage",
    "Contents",
    "ImageLock",
    "ImagePlan",
    "LastUsed",
    "Limits",
    "Recipe",
    "States",
    "Storage",
    "StoredImage",
    "chosen",
    "contents_of",
    "digest_of",
    "identity_of",
    "image_plans",
    "in_use",
    "plan_network",
    "prune_superseded",
    "read_image_lock",
    "read_storage",
    "remove",
    "write_image_lock",
]
__getattr__ = lazy_names(
    __name__,
    {
        "bases": "BaseImages",
        "build": "Builder BuiltImage",
        "contents": "Contents contents_of",
        "install_step": "CACHE_VOLUME",
        "last_used": "LastUsed identity_of",
        "pins": "ImageLock KEY digest_of read_image_lock write_image_lock",
        "plan": "ImagePlan image_plans",
        "network": "plan_network",
        "pruning": "Limits chosen in_use prune_superseded remove",
        "recipe": "Recipe",
        "states": "STALE States",
        "storage": "Storage StoredImage read_storage",
    },
)
