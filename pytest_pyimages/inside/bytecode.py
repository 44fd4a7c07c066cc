"""Compile the project's modules as Python and pytest would, into a volume: the program of a short-lived container.

It only parses and compiles; no code of the project is imported or run. It gets pytest from the image's folders of
packages, without the .pth files in them (site), since these may name the project's folders and run code.

Standard library and pytest only, and the common syntax of Python 2.7 to 3.15. It reads one line of JSON: ``root`` of
the source; ``target``, a new folder; ``old``, the target of an earlier call, or empty; ``names`` of the files to
write, which an earlier run of the suite has left; names of folders to ``skip``, and paths below the root that are
``hidden``. It writes one line: the ``folders`` with bytecode below them, relative to the root, the number of
``compiled`` files, and whether one ``is_timed``: knows its module by time and size, not by its text.
"""

from __future__ import print_function

import io
import json
import os
import shutil
import site
import stat
import struct
import sys
import time
import warnings

MOST_FILES = 20000
MOST_BYTES = 256 * 1024 * 1024  # of source in all
LARGEST = 2 * 1024 * 1024  # bytes of one file
HAS_HASHES = sys.version_info >= (3, 7)  # in bytecode: PEP 552
CHECKED_HASH = struct.pack("<L", 3)  # the flags of such bytecode; in that of Python 3.6 and old pytests a time
# pytest knows its bytecode by size and whole seconds until 9.2: a newer file may change unnoticed.
SETTLED_SECONDS = 2.0
EARLIEST = 946684800  # 2000: tools that give all files one time use earlier ones, and then it means nothing
CHILD_SECONDS = 120
MOST_COUNTED = 255  # compiled modules of one process, which its exit status can tell
CACHE = "__pycache__"
ACCESS_LIST = "system.posix_acl_access"


def add_packages():
    """Let the packages of this Python, or of its virtual environment, be imported (python -I -S)."""
    prefixes = [sys.prefix, sys.exec_prefix]
    environment = os.path.dirname(os.path.dirname(sys.executable))
    if os.path.isfile(os.path.join(environment, "pyvenv.cfg")):
        prefixes.insert(0, environment)
    sys.path += [path for path in site.getsitepackages(prefixes) if path not in sys.path]


class Compiler(object):
    """Compiles one file after the other; ``pytest`` is its module ``_pytest.assertion.rewrite``."""

    def __init__(self, pytest):
        self.pytest = pytest

    def list_names(self, path):
        """Return the names that bytecode of a module has in ``__pycache__``: as pytest rewrites it, and as it is."""
        from importlib.util import cache_from_source

        return [os.path.basename(path)[: -len(".py")] + self.pytest.PYC_TAIL, os.path.basename(cache_from_source(path))]

    def is_rewritten(self, name):
        return name.endswith(self.pytest.PYC_TAIL)

    def is_kept(self, path, status, old):
        """Return whether the file of an earlier call is of this module as it is now."""
        if not os.path.isfile(old) or (is_timed(old) and status.st_ctime > os.stat(old).st_mtime - SETTLED_SECONDS):
            return False  # what has the same time and size may still be another module
        if not self.is_rewritten(old):
            return is_fresh(old, path, status)
        return self.pytest._read_pyc(self.convert(path), self.convert(old)) is not None

    @staticmethod
    def convert(path):
        import pathlib

        return pathlib.Path(path)

    def compile(self, path, name):
        """Return the content of the file; None if compiling fails or warns, since then each run must do so."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                content = self.rewrite(path) if self.is_rewritten(name) else compile_plainly(path)
            except Exception:  # a file that is not meant to be imported
                return None
            return None if caught else content

    def rewrite(self, path):
        source, code = self.pytest._rewrite_test(self.convert(path), None)  # status, or from pytest 9.2 a hash
        file = io.BytesIO()
        self.pytest._write_pyc_fp(file, source, code)
        return file.getvalue()


def compile_plainly(path):
    """Return bytecode that Python compares with the text of the module at each import, rather than with its time."""
    from importlib import _bootstrap_external as bootstrap
    from importlib.machinery import SourceFileLoader

    with open(path, "rb") as file:
        status, source = os.fstat(file.fileno()), file.read()
    code = SourceFileLoader("module", path).source_to_code(source, path)
    if HAS_HASHES:
        from importlib.util import source_hash

        return bytes(bootstrap._code_to_hash_pyc(code, source_hash(source), True))
    return bytes(bootstrap._code_to_bytecode(code, int(status.st_mtime), status.st_size & 0xFFFFFFFF))


def is_timed(bytecode):
    """Return whether a file of bytecode has no hash of its module that is compared with the text (PEP 552)."""
    with open(bytecode, "rb") as file:
        return file.read(8)[4:] != CHECKED_HASH


def is_fresh(bytecode, path, status):
    """Return whether the file of an earlier call is of this module; its header ends with a hash, or time and size."""
    end = 16 if HAS_HASHES else 12
    try:
        with open(bytecode, "rb") as file:
            found = file.read(end)[end - 8 :]
    except (IOError, OSError):
        return False
    if not HAS_HASHES:
        return found == struct.pack("<LL", int(status.st_mtime) & 0xFFFFFFFF, status.st_size & 0xFFFFFFFF)
    from importlib.util import source_hash

    with open(path, "rb") as file:
        return found == source_hash(file.read())


def find_modules(job):
    """Return the paths of the files to compile, and their status."""
    found, size, latest = [], 0, time.time() - SETTLED_SECONDS
    hidden = {os.path.join(job["root"], path) for path in job["hidden"]}
    for folder, folders, names in os.walk(job["root"]):
        folders[:] = sorted(
            name
            for name in folders
            if name not in job["skip"]
            and os.path.join(folder, name) not in hidden
            and not os.path.isfile(os.path.join(folder, name, "pyvenv.cfg"))
        )
        cache = os.path.join(folder, CACHE)
        if os.path.lexists(cache) and (os.path.islink(cache) or not os.path.isdir(cache)):
            continue
        if ACCESS_LIST in os.listxattr(folder):  # which the folder of the volume would not have
            del folders[:]
            continue
        for name in sorted(names):
            path = os.path.join(folder, name)
            if not name.endswith(".py") or path in hidden:
                continue
            status = os.lstat(path)
            if not stat.S_ISREG(status.st_mode) or not EARLIEST < status.st_mtime < latest or status.st_size > LARGEST:
                continue
            size += status.st_size
            if len(found) >= MOST_FILES or size > MOST_BYTES:
                return found
            found.append((path, status))
    return found


def list_files(job, compiler, modules):
    """Return the files to write: path and status of the module, and the path of its bytecode below the root."""
    names, found = set(job["names"]), []
    for path, status in modules:
        folder = os.path.relpath(os.path.join(os.path.dirname(path), CACHE), job["root"])
        places = [os.path.join(folder, name) for name in compiler.list_names(path)]
        found += [(path, status, place) for place in places if place in names]
    return found


def write(job, compiler, files, spare):
    """Write some files of bytecode; return how many were compiled.

    :param spare: a file name on the volume that no other process uses.
    """
    compiled = 0
    for path, status, place in files:
        old = os.path.join(job["old"], place)
        if job["old"] and compiler.is_kept(path, status, old):
            shutil.copyfile(old, spare)
        else:
            content = compiler.compile(path, place)
            if content is None:
                continue
            compiled += 1
            with open(spare, "wb") as file:
                file.write(content)
        os.chown(spare, status.st_uid, status.st_gid)
        os.chmod(spare, stat.S_IMODE(status.st_mode) & 0o666)
        target = os.path.join(job["target"], place)
        make_folders(os.path.dirname(target))
        os.rename(spare, target)
    return compiled


def make_folders(path):
    try:
        os.makedirs(path)
    except OSError:
        if not os.path.isdir(path):
            raise


def write_all(job, compiler, files):
    """Write all files of bytecode, in as many processes as there are CPUs; return how many were compiled."""
    processes, count = [], min(len(os.sched_getaffinity(0)), max(len(files), 1))
    for number in range(count):
        process = os.fork()
        if not process:
            compiled = 0
            try:
                import signal

                signal.alarm(CHILD_SECONDS)
                compiled = write(job, compiler, files[number::count], "%s.%d" % (job["target"], number))
            finally:
                os._exit(min(compiled, MOST_COUNTED))
        processes.append(process)
    # A process that a file has killed leaves the others' bytecode.
    return sum(os.waitpid(process, 0)[1] >> 8 for process in processes)


def complete_folders(job):
    """Give the folders of the target owner, mode and time of the source's, which they cover; return their paths."""
    found = []
    for folder, _, _ in os.walk(job["target"], topdown=False):
        path = os.path.relpath(folder, job["target"])
        source = os.path.join(job["root"], path)
        if os.path.basename(folder) != CACHE:
            found.append("" if path == "." else path)
        elif not os.path.isdir(source):
            source = os.path.dirname(source)
        status = os.stat(source)
        os.chown(folder, status.st_uid, status.st_gid)
        os.chmod(folder, stat.S_IMODE(status.st_mode))
        os.utime(folder, (status.st_atime, status.st_mtime))
    return found


def find_timed(target):
    """Return whether a file is timed."""
    found = (os.path.join(folder, name) for folder, _, names in os.walk(target) for name in names)
    return any(is_timed(path) for path in found)


def main():
    job = json.loads(sys.stdin.readline())
    add_packages()
    from _pytest.assertion import rewrite

    os.mkdir(job["target"])
    compiler = Compiler(rewrite)
    compiled = write_all(job, compiler, list_files(job, compiler, find_modules(job)))
    found = {"folders": complete_folders(job), "compiled": compiled, "is_timed": find_timed(job["target"])}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
