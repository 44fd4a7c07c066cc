from pytest_pyimages.engines import Engine as Engine
from pytest_pyimages.engines import EngineSettings as EngineSettings
from pytest_pyimages.errors import ConfigurationError as ConfigurationError
from pytest_pyimages.images import BuiltImage as BuiltImage
from pytest_pyimages.images import Recipe as Recipe
from pytest_pyimages.matrix import ImageTag as ImageTag
from pytest_pyimages.project import Project as Project
from pytest_pyimages.results import ImageResult as ImageResult

__all__ = [
    "BuiltImage",
    "ConfigurationError",
    "Engine",
    "EngineSettings",
    "ImageResult",
    "ImageTag",
    "Project",
    "Recipe",
]
__version__: str
