"""The host's own options and ini keys: the suite's configuration may carry them, and they mean nothing inside."""

from __future__ import absolute_import, print_function

import os


def add_ignored_options(parser, spec):
    """Let pytest accept the host's options, which mean nothing here: the suite's ini file may carry them."""
    group = parser.getgroup("pyimages")
    for name in spec["own_options"]:
        group.addoption(name, action="append", default=[], help="ignored inside the container")
    for name in spec["own_ini"]:
        parser.addini(name, "ignored inside the container", type="linelist")


# Inner workers of xdist load no plugin objects. They get a -p that is handed on, and find this by it.
INNER = "pyimages_options"
INNER_SOURCE = '''"""PYTEST_DONT_REWRITE"""

def pytest_addoption(parser):
    for name in %r:
        parser.addoption(name, action="append")
    for name in %r:
        parser.addini(name, "ignored inside the container", type="linelist")
'''


def prepare_inner_workers(spec):
    """Write the plugin by which inner workers of xdist accept the host's options, and let them find it."""
    import tempfile  # slow to import, and seldom needed

    from xdist import plugin as xdist

    folder = tempfile.mkdtemp(prefix="pyimages-")
    spec["folders"].append(folder)
    with open(os.path.join(folder, INNER + ".py"), "w") as file:
        file.write(INNER_SOURCE % (spec["own_options"], spec["own_ini"]))
    if hasattr(xdist, "_sys_path"):
        xdist._sys_path.extend(spec["folders"])
    else:  # one that does not hand sys.path on to its workers
        paths = spec["folders"] + [os.environ.get("PYTHONPATH", "")]
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
