"""The host's options, ini keys and plugins, which the suite's configuration may name: here they do nothing."""

from __future__ import absolute_import, print_function

import os
import sys

import pytest

# Inner workers of xdist load no plugin objects; xdist forwards -p, which names this module.
INNER = "pyimages_options"
INNER_SOURCE = '''"""PYTEST_DONT_REWRITE"""

def pytest_addoption(parser):
    for name in %r:
        parser.addoption(name, action="append")
    for name in %r:
        parser.addoption(name, action="store_true")
    for name in %r:
        parser.addini(name, "ignored in the container", type="linelist")
'''
SELECTING = (
    ("selection", "pyimages_selection"),
    ("shard", "pyimages_shard"),
    ("smoke", "pyimages_smoke"),
    ("tracebacks", "pyimages_tracebacks"),
)  # keys of the job, and plugins
OURS = ("pyimages", "pytest_pyimages", "pytest_pyimages.plugin")


class HostPlugins(object):
    """Accepts what belongs to the host, and loads no plugin of the host."""

    def __init__(self, spec):
        self.spec = spec
        self.stubs = {}  # name -> empty module

    def pytest_plugin_registered(self, plugin, manager):
        if plugin is not self:
            return
        for name in OURS:
            manager.set_blocked(name)
        # ``-p`` finds an empty module instead.
        for name in self.spec["host_plugins"] + [name for name in OURS if not can_import(name)]:
            self.stubs[name] = sys.modules[name] = type(sys)(str(name), "PYTEST_DONT_REWRITE")
        for key, name in SELECTING:
            if self.spec[key]:
                sys.path.append(self.spec[key]["folder"])
                manager.import_plugin(name)
                sys.path.remove(self.spec[key]["folder"])

    @pytest.hookimpl(tryfirst=True)
    def pytest_load_initial_conftests(self):
        for name, stub in self.stubs.items():
            if sys.modules.get(name) is stub:
                del sys.modules[name]

    def pytest_addoption(self, parser):
        add_ignored_options(parser, self.spec)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_setupnodes(self, config):
        prepare_inner_workers(self.spec, config)


def can_import(name):
    try:
        from importlib.util import find_spec
    except ImportError:  # Python 2: there an ini file cannot name a plugin of ours
        return True
    return find_spec(name.partition(".")[0]) is not None


def add_ignored_options(parser, spec):
    """Let pytest accept the options and ini keys of the host plugin."""
    group = parser.getgroup("pyimages")
    for name in spec["own_options"]:
        group.addoption(name, action="append", default=[], help="ignored in the container")
    for name in spec["own_flags"]:
        group.addoption(name, action="store_true", help="ignored in the container")
    for name in spec["own_ini"]:
        parser.addini(name, "ignored in the container", type="linelist")


def prepare_inner_workers(spec, config):
    """Let inner workers of xdist load the plugins that do not come as objects."""
    import tempfile  # slow to import, and seldom needed

    from xdist import plugin as xdist

    folder = tempfile.mkdtemp(prefix="pyimages-")
    spec["folders"].append(folder)
    with open(os.path.join(folder, INNER + ".py"), "w") as file:
        file.write(INNER_SOURCE % (spec["own_options"], spec["own_flags"], spec["own_ini"]))
    for name in spec["host_plugins"]:
        with open(os.path.join(folder, name + ".py"), "w") as file:
            file.write('"""PYTEST_DONT_REWRITE"""\n')
    plugins = ["no:" + OURS[0], INNER] + [name for key, name in SELECTING if spec[key]]
    config.option.plugins += plugins  # which xdist 1 hands on; later ones do this with the arguments
    params = getattr(config, "invocation_params", None)
    if params is not None:  # pytest 5.1
        arguments = ["-p" + name for name in plugins] + list(params.args or ())
        config.invocation_params = type(params)(args=arguments, plugins=params.plugins, dir=params.dir)
    if hasattr(xdist, "_sys_path"):
        xdist._sys_path.extend(spec["folders"])
    else:  # one that does not hand sys.path on to its workers
        paths = spec["folders"] + [os.environ.get("PYTHONPATH", "")]
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))


def find_max_warnings(config):
    """Return the limit of --max-warnings as pytest's terminal reads it; None if it has none, as before pytest 9.1."""
    try:
        limit = config.option.max_warnings
        return max(int(config.getini("max_warnings") if limit is None else limit), -1)
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
