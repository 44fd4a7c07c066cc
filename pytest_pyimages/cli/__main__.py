"""Run ``pyimages`` as ``python -m pytest_pyimages.cli``."""

import sys

from pytest_pyimages.cli.program import main

if __name__ == "__main__":
    sys.exit(main())
