"""The host plugin's options and ini keys: the suite's configuration may have them; in the container they do nothing."""

from __future__ import absolute_import, print_function

import os


def add_ignored_options(parser, spec):
    """Let pytest accept the options and ini keys of the host plugin."""
    group = parser.getgroup("pyimages")
    for name in spec["own_options"]:
        group.addoption(name, action="append", default=[], help="ignored in the container")
    for name in spec["own_ini"]:
        parser.addini(name, "ignored in the container", type="linelist")


# Inner workers of xdist load no plugin objects; xdist forwards -p, which names this module.
INNER = "pyimages_options"
INNER_SOURCE = '''"""PYTEST_DONT_REWRITE"""

def pytest_addoption(parser):
    for name in %r:
        parser.addoption(name, action="append")
    for name in %r:
        parser.addini(name, "ignored in the container", type="linelist")
'''


def prepare_inner_workers(spec):
    """Write the plugin that lets inner workers of xdist accept the host plugin's options, and make it importable."""
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
