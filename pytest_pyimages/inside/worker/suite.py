"""The process in which pytest runs the suite, prepared as if it had been started as pytest."""

from __future__ import absolute_import, print_function

import os
import sys
import traceback

from .channel import Channel
from .limits import prepare_dump
from .memory import fill_cache
from .program import run_program, set_arguments
from .records import to_text

# Which pytest's plugins import when they are configured, and run_program.
LATE_MODULES = ["pdb", "runpy"]


def run_child(write_fd, parent_fd, pending, spec):
    """Be the pytest process; never returns."""
    status = 3
    try:
        os.setpgid(0, 0)  # as the container's init does it
        os.environ.update(spec["environment"])
        os.chdir(spec["cwd"])
        prepare_dump(spec)
        channel = Channel(write_fd, parent_fd, spec["token"], pending)
        status, unrun, reason = run_pytest(channel, spec)
        channel.end(status, unrun, reason)
    except SystemExit:
        raise
    except BaseException:
        traceback.print_exc()
        status = 3
    sys.exit(status)


def import_pytest(root):
    """Import what the suite's process will need, which is forked from this one; look up no file of the project.

    What was looked up once is seen as it was then, even if it was changed or removed since (overlayfs documentation,
    "Changes to underlying filesystems").
    """
    path, finders, known = sys.path[:], sys.meta_path[:], set(sys.modules)
    sys.path[:] = [folder for folder in path if not is_below(folder, root)]
    # Those of editable installations look into the project.
    sys.meta_path[:] = [each for each in finders if getattr(each, "__module__", "").startswith("_frozen_importlib")]
    try:
        from _pytest import config

        from . import changes, junit, measuring, options, reporter, silence  # noqa: F401

        for name in ["_pytest." + name for name in config.default_plugins] + LATE_MODULES:
            __import__(name)
    except Exception:  # pytest needs a package that is the project: the suite's process imports all
        for name in set(sys.modules) - known:
            del sys.modules[name]
    sys.path[:] = path
    sys.meta_path[:] = finders + [each for each in sys.meta_path if each not in finders]
    for folder in list(filter(lambda folder: is_below(folder, root), sys.path_importer_cache)):
        del sys.path_importer_cache[folder]  # the names in it


def is_project_used(root):
    """Return whether the start of this Python has used files of the project, or would do so now."""
    folders = [folder for folder in sys.path if is_below(folder, root)]
    names = [name + end for name in ("sitecustomize", "usercustomize") for end in ("", ".py")]
    # Lines of .pth files may import modules (docs of site), which may be those of an editable installation.
    imported = [getattr(module, "__dict__", {}).get("__file__") for module in list(sys.modules.values())]
    return any(file and is_below(os.path.abspath(file), root) for file in imported) or any(
        not os.path.isdir(each) or any(os.path.exists(each + "/" + name) for name in names) for each in folders
    )


def is_below(path, root):
    return (path + "/").startswith(root.rstrip("/") + "/")


def run_pytest(channel, spec):
    """Run the suite in this process.

    Return pytest's exit status, the number of collected tests without a result, and why they have none.
    """
    if spec["fault"]:
        channel.send({"t": "internal", "text": spec["fault"]})
        return 3, 0, ""
    try:
        from .options import HostPlugins
    except ImportError as error:
        channel.send({"t": "internal", "text": "pytest cannot be imported: %s" % to_text(error)})
        return 3, 0, ""
    if spec["report"]:
        from .coverage_report import make_report

        set_arguments(spec, None)
        return make_report(channel, spec), 0, ""
    from .junit import JunitAdditions
    from .measuring import BytecodeLister, Measuring
    from .reporter import DebuggerRule, Reporter  # which import pytest
    from .silence import Silencer

    junit = JunitAdditions(channel)
    reporter = Reporter(channel, spec, junit)
    plugins = [HostPlugins(spec), Silencer(reporter.say), junit, reporter, DebuggerRule(reporter)]
    if spec["coverage"]:
        plugins.append(Measuring(channel))
    if spec["bytecode"]:
        plugins.append(BytecodeLister(channel, spec))
    try:
        write_plugins(spec)
    except (IOError, OSError) as error:
        channel.send({"t": "internal", "text": "the tests cannot be divided into shards: %s" % to_text(error)})
        return 3, 0, ""
    try:
        status = run_program(spec, plugins)
        return status, len(reporter.unrun.nodeids), reporter.unrun.reason
    finally:
        remove_folders(spec)


def run_attended(spec):
    """Run the suite on this process' terminal, without the wire; return pytest's exit status."""
    import pytest

    from .options import HostPlugins

    class Cache(object):
        @pytest.hookimpl(tryfirst=True)
        def pytest_configure(self, config):
            problem = fill_cache(config, spec["memory"])
            if problem:
                sys.stderr.write(problem + "\n")

    write_plugins(spec)
    try:
        return run_program(spec, [HostPlugins(spec), Cache()])
    finally:
        remove_folders(spec)


def write_plugins(spec):
    """Write the plugins that select tests or draw failures; inner workers of xdist load them, too."""
    spec["folders"] = []  # to remove at the end
    for plugin in (spec["selection"], spec["shard"], spec["smoke"], spec["tracebacks"]):
        if plugin:
            import tempfile  # slow to import, and seldom needed

            folder = plugin["folder"] = tempfile.mkdtemp(prefix="pyimages-")
            spec["folders"].append(folder)
            for name, text in plugin["files"].items():
                with open(os.path.join(folder, name), "wb") as file:
                    file.write(text if isinstance(text, bytes) else text.encode("utf-8"))


def remove_folders(spec):
    if spec["folders"]:
        import shutil  # likewise

        for folder in spec["folders"]:
            shutil.rmtree(folder, ignore_errors=True)
