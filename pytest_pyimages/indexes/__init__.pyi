from pytest_pyimages.indexes.access import IndexAccess as IndexAccess
from pytest_pyimages.indexes.access import prepare_access as prepare_access
from pytest_pyimages.indexes.network import HostNetwork as HostNetwork
from pytest_pyimages.indexes.network import read_network as read_network
from pytest_pyimages.indexes.places import MEMORY as MEMORY
from pytest_pyimages.indexes.redaction import Redaction as Redaction
from pytest_pyimages.indexes.refusals import find_refusals as find_refusals
from pytest_pyimages.indexes.refusals import is_about_packages as is_about_packages
