from pytest_pyimages.cluster.client import Cluster as Cluster
from pytest_pyimages.cluster.client import connect_cluster as connect_cluster
from pytest_pyimages.cluster.engine import MachineEngine as MachineEngine
