"""The bytecode of what was installed: compiled once per ABI, and kept in the cache volume for all later images.

Part of the install step, in the syntax that Python 2.7 to 3.15 have in common; run where uv is, from Python 3.8 on.
Installers compile everything for each image anew, a third of the work. Here only the first image of an ABI does: others
of the same Python, what is built again for a newer base image, and other projects find it.
"""

from __future__ import print_function

import compileall
import hashlib
import importlib.util
import marshal
import os
import struct
import sys
import time
import traceback

HEADER = 16  # bytes of a .pyc before the code: magic number, flags, and the source's time and size (PEP 552)
DIGEST = 32  # bytes of SHA-256 before what is kept
UNUSED_SECONDS = 90 * 24 * 3600  # after that it is not kept any longer
SKIPPED = ("__pycache__", "tests")  # installed suites are as large as all else in numpy or pandas, and not imported


def compile_packages(paths, store, temporary, say):
    """Give all modules of some folders their bytecode, on all processors.

    :param paths: of ``sys.path``; those that packages are installed to count.
    :param store: folder that outlives the image; made if it is not there.
    :param temporary: folder of this build alone, on the same file system.
    :param say: called with a line that tells what came from where.
    """
    store = os.path.join(store, "%s-%s" % (abi(), sys.flags.optimize))
    if not os.path.isdir(store):
        os.makedirs(store)
    folders = [folder for path in paths for folder in folders_to_compile(path)]
    children = [start(share, store, temporary) for share in divided(folders, os.cpu_count() or 1)]
    compiled = kept = 0
    for child, pipe in children:
        with os.fdopen(pipe) as answer:
            said = answer.read().split()
        if os.waitpid(child, 0)[1] or len(said) != 2:
            say("bytecode: not all could be compiled; it is compiled as it is imported")
        else:
            compiled += int(said[0])
            kept += int(said[1])
    say("bytecode: %d modules compiled, %d from earlier builds" % (compiled, kept))
    forget_unused(store)


def abi():
    """Return what bytecode is made for: "cpython-312-cb0d0d0a"."""
    magic = "".join("%02x" % byte for byte in bytearray(importlib.util.MAGIC_NUMBER))
    return "%s-%s" % (sys.implementation.cache_tag, magic)


def folders_to_compile(path):
    """Return (folder, modules) for all folders below one of packages; modules are (name, seconds, bytes)."""
    if os.path.basename(path) not in ("site-packages", "dist-packages"):
        return []
    found = []
    for folder, folders, names in os.walk(path):
        folders[:] = [name for name in folders if name not in SKIPPED and (folder, name) != (path, "pip")]
        modules = [(name, os.path.join(folder, name)) for name in sorted(names) if name.endswith(".py")]
        modules = [(name, os.stat(module)) for name, module in modules if os.path.isfile(module)]
        modules = [(name, int(seen.st_mtime), seen.st_size) for name, seen in modules]
        modules = [module for module in modules if not is_compiled(folder, module)]
        if modules:
            found.append((folder, modules))
    return found


def is_compiled(folder, module):
    name, seconds, size = module
    try:
        with open(importlib.util.cache_from_source(os.path.join(folder, name)), "rb") as file:
            return file.read(HEADER) == header(seconds, size)
    except (IOError, OSError):
        return False


def header(seconds, size):
    """Return what stands before the code, for a source of that time (of its last change, since 1970) and size."""
    return importlib.util.MAGIC_NUMBER + struct.pack("<III", 0, seconds & 0xFFFFFFFF, size & 0xFFFFFFFF)


def divided(folders, number):
    """Divide folders by the size of their modules; the largest come first, so that nobody ends late."""
    shares = [[0, []] for _ in range(number)]
    sizes = [(sum(size for _, _, size in modules), folder, modules) for folder, modules in folders]
    for size, folder, modules in sorted(sizes, reverse=True):
        least = min(shares, key=lambda share: share[0])
        least[0] += size
        least[1].append((folder, modules))
    return [share for _, share in shares]


def start(share, store, temporary):
    """Compile a share of the folders in a process of its own; return its id and the pipe on which it tells numbers."""
    read, write = os.pipe()
    child = os.fork()
    if child:
        os.close(write)
        return child, read
    status = 1  # whatever happens: what the parent has still to do is not done twice
    try:
        compiled = kept = 0
        for folder, modules in share:
            pack = pack_path(folder, modules, store)
            if restore(folder, modules, pack):
                kept += len(modules)
            else:
                compile_folder(folder, modules, pack, temporary)
                compiled += len(modules)
        os.write(write, ("%d %d" % (compiled, kept)).encode("ascii"))
        status = 0
    except Exception:  # the parent tells, and Python compiles what it imports
        traceback.print_exc()
    finally:
        os._exit(status)


def forget_unused(store):
    for name in os.listdir(store):
        path = os.path.join(store, name)
        try:
            if os.stat(path).st_mtime < time.time() - UNUSED_SECONDS:
                os.remove(path)
        except OSError:  # another build did
            pass


def pack_path(folder, modules, store):
    """Return where the bytecode of a folder's modules is kept: by their text, and by their place, which it names."""
    digest = hashlib.sha256(repr(folder).encode("utf-8"))
    for name, _, size in modules:
        digest.update(("\n%r %d\n" % (name, size)).encode("utf-8"))
        with open(os.path.join(folder, name), "rb") as file:
            digest.update(file.read())
    return os.path.join(store, digest.hexdigest())


def restore(folder, modules, pack):
    """Write the bytecode that is kept; return whether there was any."""
    try:
        with open(pack, "rb") as file:
            digest, data = file.read(DIGEST), file.read()
    except (IOError, OSError):
        return False
    if hashlib.sha256(data).digest() != digest:  # the machine went down as it was written
        return False
    os.utime(pack, None)
    kept = marshal.loads(data)  # noqa: S302 - to be trusted as far as the bytecode in it
    for name, seconds, size in modules:
        if name in kept:
            path = importlib.util.cache_from_source(os.path.join(folder, name))
            if not os.path.isdir(os.path.dirname(path)):
                os.makedirs(os.path.dirname(path))
            with open(path, "wb") as file:
                file.write(header(seconds, size) + kept[name])
    return True


def compile_folder(folder, modules, pack, temporary):
    """Compile modules and keep what comes of it; what cannot be compiled, such as a template, fails as it is run."""
    kept = {}
    for name, _, _ in modules:
        path = os.path.join(folder, name)
        if compileall.compile_file(path, quiet=2, force=True):
            with open(importlib.util.cache_from_source(path), "rb") as file:
                kept[name] = file.read()[HEADER:]
    data = marshal.dumps(kept)
    fresh = os.path.join(temporary, os.path.basename(pack))
    with open(fresh, "wb") as file:
        file.write(hashlib.sha256(data).digest() + data)
    os.rename(fresh, pack)
