"""Suites that hide a failure, or tests that have not run.

Each has ``SUITE`` and one cheat, which is code of its conftest. What a hook of pytest may decide, such as which tests
there are, is no cheat; nor can a process defend its reports against code in it that knows how they are sent.
"""

from __future__ import annotations

from textwrap import indent

SUITE = """
import time
import pytest
import conftest

@pytest.fixture
def prepared():
    conftest.at("setup")
    yield
    conftest.at("teardown")

def test_first(): pass
def test_second(prepared):
    conftest.at("call")
    time.sleep(0.2)
def test_third(): pass
def test_bad(): assert 0, "the failure that must be seen"
def test_last(): pass
"""
CONFTEST = """
import atexit, builtins, ctypes, faulthandler, gc, io, json, os, resource, select, shutil, signal, sys, threading, time
import pluggy
import pytest
import _pytest.main, _pytest.reports, _pytest.runner, _pytest.terminal

faulthandler.disable()
LABEL = os.environ["FAKE_IMAGE"].partition(":")[2]
MAIN = os.getpid()
PLACES = {{}}
def at(place):
    if place in PLACES: PLACES[place]()
exec({cheats!r}.get(LABEL, "pass"))
"""
WAYS_OUT = {
    "os._exit(0)": "os._exit(0)",
    "sys.exit(0)": "sys.exit(0)",
    "pytest.exit with 0": "pytest.exit('bye', returncode=0)",
    "exec of a program that succeeds": "os.execv(sys.executable, [sys.executable, '-c', ''])",
    "KeyboardInterrupt": "raise KeyboardInterrupt",
}
# Before the failure, and after it.
PHASES = (
    "import",
    "pytest_configure",
    "pytest_sessionstart",
    "pytest_collectstart",
    "pytest_collection_modifyitems",
    "pytest_collection_finish",
    "pytest_runtestloop",
    "pytest_runtest_logstart",
    "setup",
    "call",
    "teardown",
    "pytest_runtest_makereport",
    "pytest_runtest_logreport",
    "pytest_runtest_logfinish",
    "pytest_sessionfinish",
    "pytest_unconfigure",
    "atexit",
)


def place(phase: str, code: str) -> str:
    """Return the code of a conftest that runs other code in a phase."""
    if phase == "import":
        return code
    if phase == "atexit":
        return f"def cheat():\n{indent(code, '    ')}\natexit.register(cheat)"
    if phase.startswith("pytest_"):
        return f"def {phase}():\n{indent(code, '    ')}"
    return f"def cheat():\n{indent(code, '    ')}\nPLACES[{phase!r}] = cheat"


FORGED_LINES = """
def cheat():
    end = json.dumps({"t": "end", "status": 0, "unrun": 0, "reason": ""})
    for fd in range(3, 64):
        try: os.write(fd, b"00000000 9 " + end.encode() + b" 00000000\\n")
        except OSError: pass
    os._exit(0)
PLACES["call"] = cheat
"""
ONLY_PASSED = """
def pytest_runtest_protocol(item, nextitem):
    for report in _pytest.runner.runtestprotocol(item, log=False, nextitem=nextitem):
        if {kept}: item.ihook.pytest_runtest_logreport(report=report)
    return True
"""
OTHERS = {
    # descriptors and the worker's channel
    "descriptors closed": place("call", "os.closerange(3, 1024)"),
    "descriptors closed, then gone": place("call", "os.closerange(3, 1024); os._exit(0)"),
    "all descriptors closed": place("call", "os.closerange(0, 1024)"),
    "descriptors lead elsewhere": place(
        "call", "null = os.open(os.devnull, os.O_RDWR)\nfor fd in range(3, 64):\n    if fd != null: os.dup2(null, fd)"
    ),
    "descriptors are standard output": place("call", "for fd in range(3, 64): os.dup2(1, fd)"),
    "noise on all descriptors": place(
        "call", "for fd in range(3, 64):\n    try: os.write(fd, b'noise\\n' * 9)\n    except OSError: pass"
    ),
    "half a line on all descriptors": place(
        "call", "for fd in range(3, 64):\n    try: os.write(fd, b'noise')\n    except OSError: pass"
    ),
    "a forged end": FORGED_LINES,
    "the channel is full": place(
        "call", "for fd in range(3, 64):\n    try: os.set_blocking(fd, False)\n    except OSError: pass"
    ),
    "no more descriptors": place("call", "resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))"),
    "no more bytes": place("call", "resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))"),
    "standard streams replaced": place("call", "sys.stdout = sys.stderr = sys.__stdout__ = sys.__stderr__ = None"),
    # functions that report
    "os.write does nothing": place("call", "os.write = lambda fd, data: len(data)"),
    "json.dumps lies": place("call", "json.dumps = lambda *args, **options: '{}'"),
    "os._exit does nothing": place("call", "os._exit = sys.exit = lambda *args: None"),
    "the terminal reports nothing": "_pytest.terminal.TerminalReporter.pytest_runtest_logreport = lambda *_: None",
    "the terminal counts nothing": "def pytest_terminal_summary(terminalreporter): terminalreporter.stats.clear()",
    "makereport replaced": "_pytest.runner.pytest_runtest_makereport = lambda item, call: None",
    "logreport is no hook": "def pytest_sessionstart(session):\n"
    "    session.config.hook.pytest_runtest_logreport = lambda **_: None",
    "hooks are not called": "call = pluggy._hooks.HookCaller.__call__\n"
    "pluggy._hooks.HookCaller.__call__ = (\n"
    "    lambda self, **args: None if self.name == 'pytest_runtest_logreport' else call(self, **args))",
    "call_and_report replaced": "_pytest.runner.call_and_report = lambda item, when, log=True, **_: None",
    "runtestprotocol replaced": "_pytest.runner.runtestprotocol = lambda item, **_: []",
    "no plugin but pytest's": "def pytest_sessionstart(session):\n"
    "    manager = session.config.pluginmanager\n"
    "    for plugin in list(manager.get_plugins()):\n"
    "        if 'pyimages' in type(plugin).__module__: manager.unregister(plugin)",
    "no plugin but pytest's, later": place(
        "call",
        "for plugin in [each for each in gc.get_objects() if type(each).__name__ == 'PytestPluginManager']:\n"
        "    for one in list(plugin.get_plugins()):\n"
        "        if 'pyimages' in type(one).__module__: plugin.unregister(one)",
    ),
    "no runner": "def pytest_sessionstart(session): session.config.pluginmanager.unregister(name='runner')",
    "a status of no failure": "def pytest_report_teststatus(report): return 'passed', '.', 'PASSED'",
    "a status without a name": "def pytest_report_teststatus(report): return '', '', ''",
    "statuses raise": "def pytest_report_teststatus(report): 1 / 0",
    "logreport raises": "def pytest_runtest_logreport(report):\n    if report.failed: raise KeyboardInterrupt",
    "logreport raises for a failure": "def pytest_runtest_logreport(report):\n    if report.failed: 1 / 0",
    # the session's own numbers
    "exit status 0": "@pytest.hookimpl(trylast=True)\ndef pytest_sessionfinish(session): session.exitstatus = 0",
    "exit status 5": "@pytest.hookimpl(trylast=True)\ndef pytest_sessionfinish(session): session.exitstatus = 5",
    "exit status of a wrapper": "@pytest.hookimpl(hookwrapper=True)\ndef pytest_sessionfinish(session):\n"
    "    yield\n    session.exitstatus = 0",
    "no failures counted": "def pytest_sessionfinish(session): session.testsfailed = 0",
    "cmdline_main returns 0": "@pytest.hookimpl(tryfirst=True)\ndef pytest_cmdline_main(): return 0",
    "cmdline_main is wrapped": "@pytest.hookimpl(hookwrapper=True)\ndef pytest_cmdline_main():\n"
    "    result = yield\n    result.force_result(0)",
    "only collected": "def pytest_configure(config): config.option.collectonly = True",
    # tests that are left out
    "the loop returns": "def pytest_runtestloop(): return True",
    "the loop runs one": "def pytest_runtestloop(session):\n"
    "    item = session.items[0]\n    item.ihook.pytest_runtest_protocol(item=item, nextitem=None)\n    return True",
    "the protocol returns": "def pytest_runtest_protocol(item): return True",
    "the protocol leaves one out": "def pytest_runtest_protocol(item): return item.name == 'test_bad' or None",
    "the protocol reports no failure": ONLY_PASSED.format(kept="report.passed"),
    "the protocol reports no call": ONLY_PASSED.format(kept="report.when != 'call'"),
    "the protocol reports no call that failed": ONLY_PASSED.format(kept="report.when != 'call' or report.passed"),
    "the protocol reports setup only": ONLY_PASSED.format(kept="report.when == 'setup'"),
    "the protocol reports nothing": ONLY_PASSED.format(kept="False"),
    "items removed in the loop": "@pytest.hookimpl(tryfirst=True)\n"
    "def pytest_runtestloop(session): del session.items[2:]",
    "items removed while tests run": "def pytest_runtest_setup(item): del item.session.items[2:]",
    "items replaced after the collection": "def pytest_collection_finish(session): session.items = session.items[:1]",
    "no items at all": "def pytest_collection_modifyitems(items): items.clear()",
    "stop": "def pytest_runtest_setup(item): item.session.shouldstop = 'enough'",
    "fail": "def pytest_runtest_setup(item): item.session.shouldfail = 'enough'",
    "internal errors are none": "def pytest_internalerror(): return True\n"
    "def pytest_runtest_logreport(report):\n    if report.failed: 1 / 0",
    "setup stack broken": "def pytest_runtest_teardown(item): item.session._setupstate.stack.clear(); 1 / 0",
    # processes and signals
    "a fork goes on": place("call", "if os.fork(): os._exit(0)"),
    "a fork goes on, and is waited for": place("call", "pid = os.fork()\nif pid: os.waitpid(pid, 0); os._exit(0)"),
    "a fork of a fork goes on": place("call", "if os.fork() or os.fork(): os._exit(0)\nos.setsid()"),
    "a fork at import": "if os.fork(): os._exit(0)",
    "a fork keeps the descriptors": place("call", "if os.fork() == 0: time.sleep(3)\nos._exit(0)"),
    "a fork ends with 0": place("call", "if os.fork() == 0: sys.exit(0)"),
    "pytest again, for another folder": place(
        "call",
        "os.chdir(os.environ['TMPDIR'])\n"
        "open('test_other.py', 'w').write('def test_other(): pass')\n"
        "os.execv(sys.executable, [sys.executable, '-m', 'pytest', 'test_other.py'])",
    ),
    "pytest again, inside": place(
        "call",
        "os.chdir(os.environ['TMPDIR'])\n"
        "open('test_inner.py', 'w').write('def test_inner(): pass')\n"
        "os._exit(pytest.main(['test_inner.py', '--rootdir=.', '--noconftest']))",
    ),
    "killed": place("call", "os.kill(os.getpid(), signal.SIGKILL)"),
    "terminated": place("call", "os.kill(os.getpid(), signal.SIGTERM); time.sleep(5)"),
    "interrupted": place("call", "os.kill(os.getpid(), signal.SIGINT); time.sleep(5)"),
    "aborted": place("call", "os.abort()"),
    "a wrong pointer": place("call", "ctypes.string_at(0)"),
    "an alarm": place("call", "signal.setitimer(signal.ITIMER_REAL, 0.05); time.sleep(5)"),
    "an alarm that exits": place(
        "call", "signal.signal(signal.SIGALRM, lambda *_: os._exit(0)); signal.setitimer(signal.ITIMER_REAL, 0.1)"
    ),
    "an alarm that raises between tests": "def pytest_runtest_logfinish():\n"
    "    signal.signal(signal.SIGALRM, lambda *_: sys.exit(0))\n"
    "    signal.setitimer(signal.ITIMER_REAL, 0.001); time.sleep(0.01)",
    "the parent is killed": place("call", "os.kill(os.getppid(), signal.SIGKILL); time.sleep(5)"),
    "the parent is terminated": place("call", "os.kill(os.getppid(), signal.SIGTERM); time.sleep(5)"),
    "the process group is killed": place("call", "os.killpg(0, signal.SIGKILL)"),
    "processor time is over": place("call", "resource.setrlimit(resource.RLIMIT_CPU, (1, 1))\nwhile True: pass"),
    "endless recursion": place(
        "call", "sys.setrecursionlimit(10**6)\nclass Deep:\n    def __repr__(self): return repr([Deep()])\nrepr(Deep())"
    ),
    "a thread exits": "def wait(): time.sleep(0.1); os._exit(0)\n"
    "PLACES['call'] = lambda: threading.Thread(target=wait, daemon=True).start()",
    "a finalizer exits": place("call", "class Last:\n    def __del__(self): os._exit(0)\nLast()"),
    "a callback of the collector exits": place("call", "gc.callbacks.append(lambda *_: os._exit(0)); gc.collect()"),
    "a trace function exits": place("call", "sys.setprofile(lambda *_: os._exit(0))"),
    "an exit handler after ours": place("teardown", "atexit.register(os._exit, 0)"),
    "an exit handler of another status": place("teardown", "atexit.register(os._exit, 7)"),
    "a cleanup exits": "def pytest_configure(config): config.add_cleanup(lambda: os._exit(0))",
    "modules gone": place("call", "for name in list(sys.modules):\n    if 'pytest' in name: del sys.modules[name]"),
    "the folder is gone": place(
        "call", "os.chdir(os.environ['TMPDIR']); os.mkdir('gone'); os.chdir('gone'); os.rmdir('../gone')"
    ),
    "the clock stands": place("call", "time.time = time.monotonic = time.perf_counter = lambda: 0.0"),
    "the process id is another's": place("call", "os.getpid = lambda: 1"),
}


def list_cheats() -> dict[str, str]:
    """Return the code of each cheat by its name."""
    ways = {f"{name} at {phase}": place(phase, code) for name, code in WAYS_OUT.items() for phase in PHASES}
    return {**ways, **OTHERS}
