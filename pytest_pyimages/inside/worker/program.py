"""Run pytest's own program in this process, which then looks as if it had been started by hand.

``__main__``, ``sys.argv``, ``sys.orig_argv``, ``sys.path`` and ``sys.modules`` are those of ``python -m pytest`` or of
``pytest``; multiprocessing, for example, imports ``__main__`` again in the processes that it starts.
"""

from __future__ import absolute_import, print_function

import gc
import os
import sys

try:
    import builtins
except ImportError:  # pragma: no cover - Python 2
    import __builtin__ as builtins


def run_program(spec, plugins):
    """Run pytest and return its exit status.

    :param spec: the job: its arguments, and whether the user typed ``python -m pytest`` or ``pytest``.
    :param plugins: objects to register, with the first session that this process starts.
    """
    script = None if spec["cwd_on_path"] else find_script()
    returned = []
    give_plugins(plugins, returned)
    skip_modules_in_collections()
    set_arguments(spec, script)
    main = type(sys)("__main__")
    if "__annotations__" in vars(sys.modules["__main__"]):  # until Python 3.13
        main.__annotations__ = {}
    sys.modules["__main__"] = main
    kept = forget_worker()  # alive, since Python 2 would clear the modules
    try:
        if script is None:
            import runpy

            runpy._run_module_as_main("pytest")
        else:
            run_script(script, main)
    except SystemExit:
        if not returned:  # raised by the suite
            raise
    del kept
    return returned[0]


def find_script():
    """Return the path of the program that pip has installed; None if there is none beside this Python."""
    path = os.path.join(os.path.dirname(sys.executable), "pytest")
    return path if os.path.isfile(path) else None


def set_arguments(spec, script):
    """Set sys.argv, sys.orig_argv and the first entry of sys.path."""
    folder = os.path.dirname(sys.executable)
    program = script or os.path.join(folder, "pytest")  # runpy replaces it
    sys.argv[:] = [program] + spec["args"]
    cwd = os.getcwd() if sys.version_info >= (3, 7) else ""
    sys.path[0:1] = [cwd if spec["cwd_on_path"] else folder]
    if hasattr(sys, "orig_argv"):  # Python 3.10
        typed = ["python", "-m", "pytest"] if script is None else read_interpreter(script) + [script]
        sys.orig_argv[:] = typed + spec["args"]


def read_interpreter(script):
    """Return the first line of a program as the words of a command."""
    with open(script) as file:
        line = file.readline()
    return line[2:].split() if line.startswith("#!") else [sys.executable]


def run_script(script, main):
    with open(script, "rb") as file:
        code = compile(file.read(), script, "exec")
    main.__file__ = script
    main.__builtins__ = builtins
    if hasattr(main, "__loader__"):  # Python 3
        from importlib.machinery import SourceFileLoader

        main.__loader__ = SourceFileLoader("__main__", script)
        main.__cached__ = None
    exec(code, main.__dict__)  # noqa: S102 - the program that the user would start


def give_plugins(plugins, returned):
    """Let the next call of pytest's main function register plugin objects; its status is appended to a list."""
    import pytest
    from _pytest import config

    name = "_main" if hasattr(config, "_main") else "main"  # since pytest 9.2 its own program calls another one
    original = getattr(config, name)
    modules = [module for module in (config, pytest) if getattr(module, name, None) is original]

    def call_once(*args, **options):
        for module in modules:
            setattr(module, name, original)
        options["plugins"] = plugins
        status = original(*args, **options)
        returned.append(int(status))
        return status

    for module in modules:
        setattr(module, name, call_once)


def skip_modules_in_collections():
    """Let collections of garbage skip what was imported so far: pytest alone is most of what they would look at.

    pytest collects several times at its end, and so does Python: a quarter of the time of a small suite.
    """
    freeze = getattr(gc, "freeze", None)  # Python 3.7; PyPy has none
    if freeze is not None:
        freeze()


def forget_worker():
    """Remove the worker's own modules from sys.modules, and return them."""
    return [sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] == "pyimages_worker"]
