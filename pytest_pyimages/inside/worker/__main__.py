"""Start the worker as a package with a name that no suite uses."""

from __future__ import absolute_import, print_function

import os
import sys
from importlib import import_module

if __name__ == "__main__":
    package = type(sys)("pyimages_worker")
    package.__path__ = [os.path.dirname(os.path.abspath(__file__))]
    sys.modules["pyimages_worker"] = package
    code = import_module("pyimages_worker.parent").main()
    # Python's own clean-up would only delay the end of the run.
    sys.stderr.flush()
    os._exit(code)
