"""The process in which pytest runs the suite, prepared as if it had been started as pytest."""

from __future__ import absolute_import, print_function

import io
import os
import sys
import traceback

from .channel import Channel
from .memory import fill_cache
from .options import INNER, add_ignored_options, prepare_inner_workers
from .records import to_text


def run_child(write_fd, parent_fd, pending, spec):
    """Be the pytest process; never returns."""
    status = 3
    try:
        os.environ.update(spec["environment"])
        os.chdir(spec["cwd"])
        channel = Channel(write_fd, parent_fd, spec["token"], pending)
        status, unrun, reason = run_pytest(channel, spec)
        channel.end(status, unrun, reason)
    except SystemExit:
        raise
    except BaseException:
        traceback.print_exc()
        status = 3
    sys.exit(status)


def run_pytest(channel, spec):
    """Run the suite in this process.

    Return pytest's exit status, the number of collected tests without a result, and why they have none.
    """
    try:
        import pytest
    except ImportError as error:
        channel.send({"t": "internal", "text": "pytest cannot be imported: %s" % to_text(error)})
        return 3, 0, ""
    be_pytest(spec)
    if spec["report"]:
        from .coverage_report import make_report

        return make_report(channel, spec), 0, ""
    from .junit import JunitAdditions
    from .reporter import DebuggerRule, Reporter  # which import pytest
    from .silence import Silencer

    junit = JunitAdditions(channel)
    reporter = Reporter(channel, spec, junit)
    plugins = [Silencer(reporter.say), junit, reporter, DebuggerRule(reporter)]
    if spec["coverage"]:
        from .measuring import Measuring

        plugins.append(Measuring(channel))
    try:
        arguments = prepare_plugins(spec)
    except (IOError, OSError) as error:
        channel.send({"t": "internal", "text": "the tests cannot be divided into shards: %s" % to_text(error)})
        return 3, 0, ""
    try:
        status = int(pytest.main(arguments + spec["args"], plugins=plugins))
        return status, len(reporter.unrun.nodeids), reporter.unrun.reason
    finally:
        remove_folders(spec)


def run_attended(spec):
    """Run the suite on this process' terminal, without the wire; return pytest's exit status."""
    import pytest

    class Options(object):
        def pytest_addoption(self, parser):
            add_ignored_options(parser, spec)

        @pytest.hookimpl(optionalhook=True)
        def pytest_xdist_setupnodes(self):
            prepare_inner_workers(spec)

        @pytest.hookimpl(tryfirst=True)
        def pytest_configure(self, config):
            problem = fill_cache(config, spec["memory"])
            if problem:
                sys.stderr.write(problem + "\n")

    be_pytest(spec)
    try:
        return int(pytest.main(prepare_plugins(spec) + spec["args"], plugins=[Options()]))
    finally:
        remove_folders(spec)


def be_pytest(spec):
    """Set sys.argv and sys.path as if this process had been started as pytest."""
    stand_in_for_plugins(spec["host_plugins"])
    folder = os.path.dirname(sys.executable)
    sys.argv[:] = [os.path.join(folder, "pytest")] + spec["args"]
    sys.path[0:1] = [os.getcwd() if spec["cwd_on_path"] else folder]


def prepare_plugins(spec):
    """Return the arguments that disable the host plugin and enable those that select tests."""
    arguments = ["-p", "no:pyimages", "-p", INNER]
    spec["folders"] = []  # to remove at the end
    for name, plugin in (("selection", spec["selection"]), ("shard", spec["shard"])):
        if plugin:
            import tempfile  # slow to import, and seldom needed

            folder = plugin["folder"] = tempfile.mkdtemp(prefix="pyimages-")
            spec["folders"].append(folder)
            for file_name, text in plugin["files"].items():
                with io.open(os.path.join(folder, file_name), "w", encoding="utf-8") as file:
                    file.write(text)
            sys.path.append(folder)  # inner workers of xdist find it there, too
            arguments += ["-p", "pyimages_" + name]
    return arguments


def remove_folders(spec):
    if spec["folders"]:
        import shutil  # likewise

        for folder in spec["folders"]:
            shutil.rmtree(folder, ignore_errors=True)


def stand_in_for_plugins(host_plugins):
    """Let ``-p`` find an empty plugin where the real one is on the host, or only in inner workers of xdist."""
    for name in [INNER] + host_plugins:
        sys.modules[name] = type(sys)(str(name), "PYTEST_DONT_REWRITE")
    try:
        from importlib.util import find_spec
    except ImportError:  # Python 2: there an ini file cannot name this plugin
        return
    for name in ("pyimages", "pytest_pyimages.plugin", "pytest_pyimages"):
        if name not in sys.modules and find_spec(name.partition(".")[0]) is None:
            sys.modules[name] = type(sys)(name, "PYTEST_DONT_REWRITE")
