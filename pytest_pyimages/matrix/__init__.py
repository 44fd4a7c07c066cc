"""Parse the requested images into labels and references, without contacting an engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pyimages.facade import lazy_names

if TYPE_CHECKING:
    from pytest_pyimages.matrix.nearest import nearest_tags
    from pytest_pyimages.matrix.project import ProjectPythons
    from pytest_pyimages.matrix.selectors import ImageTag, parse_matrix

__all__ = ["ImageTag", "ProjectPythons", "nearest_tags", "parse_matrix"]
__getattr__ = lazy_names(
    __name__,
    {
        "nearest": "nearest_tags",
        "project": "ProjectPythons",
        "selectors": "ImageTag parse_matrix",
    },
)
