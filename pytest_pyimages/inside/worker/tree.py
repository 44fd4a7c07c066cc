"""The source tree inside: whether it is the host's, and what a build has made in it. Imports nothing of the worker."""

from __future__ import absolute_import, print_function

import os


def missing_source(witness):
    """Return one of the given files, [path, size, seconds], if none of them is here as the host saw it.

    One is proof enough, and others may have changed since: a log that the run's own output goes to, for example.
    """
    for path, size, seconds in witness:
        try:
            stat = os.stat(path)
        except OSError:
            continue
        if stat.st_size == size and int(stat.st_mtime) == seconds:
            return None
    return witness[0][0] if witness else None


def put_in_place(kept, root):
    """Give the source tree the files that the build of the image made in it; what the host has stays as it is."""
    for folder, folders, names in os.walk(kept):
        target = root + folder[len(kept) :]
        for name in names + [name for name in folders if os.path.islink(folder + "/" + name)]:
            if not os.path.lexists(target + "/" + name):
                import shutil  # slow to import, and seldom needed

                if not os.path.isdir(target):
                    os.makedirs(target)
                if os.path.islink(folder + "/" + name):
                    os.symlink(os.readlink(folder + "/" + name), target + "/" + name)
                else:
                    shutil.copy2(folder + "/" + name, target + "/" + name)


def complete_source(root):
    """Put what set-up and build made into this container's tree; return why that is not possible, or an empty text."""
    kept = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "made")
    try:
        for part in ("setup", "build"):
            put_in_place(os.path.join(kept, part), root)
    except (IOError, OSError) as error:
        return "files that the build of the image made cannot be put into the source tree: %s" % (error,)
    return ""
