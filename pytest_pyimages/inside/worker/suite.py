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
    from .reporter import DebuggerRule, Reporter  # which import pytest
    from .silence import Silencer

    junit = JunitAdditions(channel)
    reporter = Reporter(channel, spec, junit)
    plugins = [HostPlugins(spec), Silencer(reporter.say), junit, reporter, DebuggerRule(reporter)]
    if spec["coverage"]:
        from .measuring import Measuring

        plugins.append(Measuring(channel))
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
