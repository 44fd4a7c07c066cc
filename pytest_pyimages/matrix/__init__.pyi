from pytest_pyimages.matrix.nearest import nearest_tags as nearest_tags
from pytest_pyimages.matrix.platforms import is_same_platform as is_same_platform
from pytest_pyimages.matrix.project import ProjectPythons as ProjectPythons
from pytest_pyimages.matrix.references import is_image_id as is_image_id
from pytest_pyimages.matrix.releases import describe_outdated_tag as describe_outdated_tag
from pytest_pyimages.matrix.releases import is_windows as is_windows
from pytest_pyimages.matrix.selectors import ImageTag as ImageTag
from pytest_pyimages.matrix.selectors import parse_matrix as parse_matrix
