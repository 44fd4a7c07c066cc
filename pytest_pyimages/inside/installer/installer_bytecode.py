"""The bytecode of what was installed: compiled once per ABI, and kept in the cache volume for all later images.

Part of the install step, in the syntax that Python 2.7 to 3.15 have in common; run where uv is, from Python 3.8 on.
Installers compile everything for each image anew, a third of the work. Here only the first image of an ABI does: others
of the same Python, what is built again for a newer base image, and other projects find it.
"""

from __future__ import print_function

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
    packs = os.path.join(store, abi())
    os.makedirs(packs, exist_ok=True)
    places = {os.path.realpath(path): path for path in reversed(paths)}  # some have lib64, a link to lib, as well
    folders = [folder for path in places.values() for folder in folders_to_compile(path)]
    children = [start(share, packs, temporary) for share in divided(folders, os.cpu_count() or 1)]
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
    """Return all that makes other bytecode of the same text: "cpython-312-cb0d0d0a-0"."""
    magic = "".join("%02x" % byte for byte in bytearray(importlib.util.MAGIC_NUMBER))
    lacks_columns = "-nodebugranges" if os.environ.get("PYTHONNODEBUGRANGES") else ""
    return "%s-%s-%s%s" % (sys.implementation.cache_tag, magic, sys.flags.optimize, lacks_columns)


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
    except OSError:
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


def start(share, packs, temporary):
    """Compile a share of the folders in a process of its own; return its id and the pipe on which it tells numbers."""
    read, write = os.pipe()
    child = os.fork()
    if child:
        os.close(write)
        return child, read
    status = 1  # whatever happens: what the parent has still to do is not done twice
    try:
        warnings.simplefilter("ignore")  # about the text of others; as an error it would be kept for other images, too
        compiled = kept = 0
        for folder, modules in share:
            texts = read_texts(folder, modules)
            pack = os.path.join(packs, digest_of(folder, texts))
            if restore(folder, modules, pack):
                kept += len(modules)
            else:
                compile_folder(folder, modules, texts, pack, temporary)
                compiled += len(modules)
        os.write(write, ("%d %d" % (compiled, kept)).encode("ascii"))
        status = 0
    except Exception:  # the parent tells, and Python compiles what it imports
        traceback.print_exc()
    finally:
        os._exit(status)


def forget_unused(store):
    """Remove old packs, also those of an ABI that no image has any more."""
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


def digest_of(folder, texts):
    """Return by what the bytecode of a folder's modules is known: their text, and their place, which it names."""
    digest = hashlib.sha256(repr(folder).encode("utf-8"))
    for name, text in texts.items():
        digest.update(("\n%r %d\n" % (name, len(text))).encode("utf-8"))
        digest.update(text)
    return digest.hexdigest()


def restore(folder, modules, pack):
    """Write the bytecode that is kept; return whether there was any."""
    try:
        with open(pack, "rb") as file:
            digest, data = file.read(DIGEST), file.read()
        os.utime(pack, None)
    except OSError:  # there is none, or another build has just removed it
        return False
    if hashlib.sha256(data).digest() != digest:  # the machine went down as it was written
        return False
    write_bytecode(folder, modules, marshal.loads(data))  # noqa: S302 - to be trusted as far as the bytecode in it
    return True


def compile_folder(folder, modules, texts, pack, temporary):
    """Compile modules and keep what comes of it; what cannot be compiled, such as a template, fails as it is run."""
    codes = {}
    for name, text in texts.items():
        try:
            codes[name] = marshal.dumps(compile(text, os.path.join(folder, name), "exec", dont_inherit=True))
        except Exception:  # noqa: S112 - it says so where it is imported
            continue
    write_bytecode(folder, modules, codes)
    data = marshal.dumps(codes)
    fresh = os.path.join(temporary, os.path.basename(pack))
    with open(fresh, "wb") as file:
        file.write(hashlib.sha256(data).digest() + data)
    os.rename(fresh, pack)


def write_bytecode(folder, modules, codes):
    """Write a .pyc for each module that has code, whole or not at all: an import fails over half of one."""
    for name, seconds, size in modules:
        if name in codes:
            path = importlib.util.cache_from_source(os.path.join(folder, name))
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path + ".new", "wb") as file:
                file.write(header(seconds, size) + codes[name])
            os.rename(path + ".new", path)
