from pytest_pyimages.cli.attend import attend_suite as attend_suite
from pytest_pyimages.cli.program import main as main
from pytest_pyimages.cli.watching.watch import watch_project as watch_project
