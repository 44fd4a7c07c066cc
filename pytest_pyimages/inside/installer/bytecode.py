"""Bytecode of the installed packages: compiled once per ABI, and kept in the cache volume for all later images.

Runs where uv does, from Python 3.8 on. Installers compile every package again for each image, a third of their time.
Here only the first image of an ABI compiles: other images of that Python, rebuilds for a newer base image, and other
projects use the kept bytecode.
"""

from __future__ import absolute_import, print_function

import hashlib
import importlib.util
import marshal
import os
import struct
import sys
import time
import traceback
import warnings

HEADER = 16  # bytes of a .pyc before the code: magic number, flags, and the source's time and size (PEP 552)
DIGEST = 32  # bytes of SHA-256 before the kept bytecode
UNUSED_SECONDS = 90 * 24 * 3600  # then it is removed
SKIPPED = ("__pycache__", "tests")  # in numpy or pandas half of the code, and not imported


def compile_packages(paths, store, temporary, say):
    """Write the bytecode of all installed modules, on all processors.

    :param paths: ``sys.path``, of which the folders of installed packages are used.
    :param store: folder that outlives the image; created if missing.
    :param temporary: folder of this build alone, on the same file system.
    :param say: called with a line that reports how many modules were compiled.
    """
    packs = os.path.join(store, identify_abi())
    os.makedirs(packs, exist_ok=True)
    places = {os.path.realpath(path): path for path in reversed(paths)}  # some have lib64, a link to lib, as well
    folders = [folder for path in places.values() for folder in find_folders(path)]
    children = [start_compiler(share, packs, temporary) for share in divide(folders, os.cpu_count() or 1)]
    compiled = kept = 0
    for child, pipe in children:
        with os.fdopen(pipe) as answer:
            counts = answer.read().split()
        if os.waitpid(child, 0)[1] or len(counts) != 2:
            say("bytecode: not all modules could be compiled; the rest is compiled when imported")
        else:
            compiled += int(counts[0])
            kept += int(counts[1])
    say("bytecode: %d modules compiled, %d from earlier builds" % (compiled, kept))
    remove_unused(store)


def identify_abi():
    """Return all that the bytecode of a text depends on: "cpython-312-cb0d0d0a-0"."""
    magic = "".join("%02x" % byte for byte in bytearray(importlib.util.MAGIC_NUMBER))
    lacks_columns = "-nodebugranges" if os.environ.get("PYTHONNODEBUGRANGES") else ""
    return "%s-%s-%s%s" % (sys.implementation.cache_tag, magic, sys.flags.optimize, lacks_columns)


def find_folders(path):
    """Return (folder, modules) for each folder of installed packages below; modules are (name, seconds, bytes)."""
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
            return file.read(HEADER) == make_header(seconds, size)
    except OSError:
        return False


def make_header(seconds, size):
    """Return the header of a .pyc for a source with this modification time (seconds since 1970) and size."""
    return importlib.util.MAGIC_NUMBER + struct.pack("<III", 0, seconds & 0xFFFFFFFF, size & 0xFFFFFFFF)


def divide(folders, number):
    """Return shares of about the same size of modules; the largest folders come first, so that no share ends late."""
    shares = [[0, []] for _ in range(number)]
    sizes = [(sum(size for _, _, size in modules), folder, modules) for folder, modules in folders]
    for size, folder, modules in sorted(sizes, reverse=True):
        least = min(shares, key=lambda share: share[0])
        least[0] += size
        least[1].append((folder, modules))
    return [share for _, share in shares]


def start_compiler(share, packs, temporary):
    """Compile a share of the folders in a child; return its process id and the pipe on which it reports counts."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        compile_and_exit(share, packs, temporary, write)
    os.close(write)
    return child, read


def compile_and_exit(share, packs, temporary, pipe):
    """Compile a share of the folders, report counts on a pipe, and end this process."""
    status = 1  # whatever happens: the child must not continue as the parent
    try:
        warnings.simplefilter("ignore")  # of other people's code; as errors they would change the kept bytecode
        compiled = kept = 0
        for folder, modules in share:
            texts = read_texts(folder, modules)
            pack = os.path.join(packs, hash_sources(folder, texts))
            if restore(folder, modules, pack):
                kept += len(modules)
            else:
                compile_folder(folder, modules, texts, pack, temporary)
                compiled += len(modules)
        os.write(pipe, ("%d %d" % (compiled, kept)).encode("ascii"))
        status = 0
    except Exception:  # the parent reports it, and Python compiles what it imports
        traceback.print_exc()
    finally:
        os._exit(status)


def remove_unused(store):
    """Remove old packs, including those of an ABI that no image has any more."""
    for path in [os.path.join(folder, name) for folder, _, names in os.walk(store) for name in names]:
        try:
            if os.stat(path).st_mtime < time.time() - UNUSED_SECONDS:
                os.remove(path)
        except OSError:  # another build did
            pass


def read_texts(folder, modules):
    """Return the modules' sources by name, in their order."""
    texts = {}
    for name, _, _ in modules:
        with open(os.path.join(folder, name), "rb") as file:
            texts[name] = file.read()
    return texts


def hash_sources(folder, texts):
    """Return the key of a folder's bytecode: a digest of the sources, and of the path, which bytecode contains."""
    digest = hashlib.sha256(repr(folder).encode("utf-8"))
    for name, text in texts.items():
        digest.update(("\n%r %d\n" % (name, len(text))).encode("utf-8"))
        digest.update(text)
    return digest.hexdigest()


def restore(folder, modules, pack):
    """Write the kept bytecode into the folder; return False if there is none."""
    try:
        with open(pack, "rb") as file:
            digest, data = file.read(DIGEST), file.read()
        os.utime(pack, None)
    except OSError:  # there is none, or another build has just removed it
        return False
    if hashlib.sha256(data).digest() != digest:  # the machine went down as it was written
        return False
    write_bytecode(folder, modules, marshal.loads(data))  # noqa: S302 - as trusted as the bytecode in it
    return True


def compile_folder(folder, modules, texts, pack, temporary):
    """Compile modules and keep the bytecode; a module that cannot be compiled, such as a template, is left out."""
    codes = {}
    for name, text in texts.items():
        try:
            codes[name] = marshal.dumps(compile(text, os.path.join(folder, name), "exec", dont_inherit=True))
        except Exception:  # noqa: S112 - its import shows the error
            continue
    write_bytecode(folder, modules, codes)
    data = marshal.dumps(codes)
    fresh = os.path.join(temporary, os.path.basename(pack))
    with open(fresh, "wb") as file:
        file.write(hashlib.sha256(data).digest() + data)
    os.rename(fresh, pack)


def write_bytecode(folder, modules, codes):
    """Write a .pyc for each module that has code, each atomically: an import fails over a partial file."""
    for name, seconds, size in modules:
        if name in codes:
            path = importlib.util.cache_from_source(os.path.join(folder, name))
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path + ".new", "wb") as file:
                file.write(make_header(seconds, size) + codes[name])
            os.rename(path + ".new", path)
