"""Starts the worker: a package, by a name that no suite has."""

from __future__ import absolute_import, print_function

import os
import sys
from importlib import import_module

if __name__ == "__main__":
    package = type(sys)("pyimages_worker")
    package.__path__ = [os.path.dirname(os.path.abspath(__file__))]
    sys.modules["pyimages_worker"] = package
    code = import_module("pyimages_worker.parent").main()
    # The parent has nothing to tidy up, and everybody waits for its end.
    sys.stderr.flush()
    os._exit(code)
