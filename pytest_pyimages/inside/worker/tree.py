"""The source tree in the container: whether it is the host's, and its generated files. Imports no other module."""

from __future__ import absolute_import, print_function

import os

GITCONFIG = "/etc/gitconfig"


def find_missing_file(witness):
    """Return the path of a file, [path, size, seconds], if none of them is here as on the host; else None.

    One unchanged file is proof enough; others may have changed since, such as a log of the run itself.
    """
    for path, size, seconds in witness:
        try:
            stat = os.stat(path)
        except OSError:
            continue
        if stat.st_size == size and int(stat.st_mtime) == seconds:
            return None
    return witness[0][0] if witness else None


def hash_worker(folder):
    """Return the SHA-256 of the worker's modules as hex digits; a damaged file may still be bytecode that runs."""
    import hashlib

    digest = hashlib.sha256()
    for name in sorted(os.listdir(folder)):
        if name.endswith(".pyc"):
            with open(os.path.join(folder, name), "rb") as file:
                digest.update(file.read())
    return digest.hexdigest()


def put_in_place(kept, root):
    """Copy the generated files of the image's build into the source tree; files of the host stay unchanged."""
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


def is_container():
    """Return whether this program runs in a container, where it may change the source: only its copy or upper layer."""
    return os.path.abspath(__file__).startswith(("/opt/pyimages/", "/run/pyimages/"))


def restore_owner(source):
    """Give the root of the source its owner and mode on the host; an overlay has those of its upper layer.

    :param source: ``root``, and its ``owner`` on the host: user, group and mode; pairs of both for ``others``.
    """
    for path, (uid, gid, mode) in [(source["root"], source["owner"])] + source["others"]:
        uid, gid = find_identifier(uid, "/proc/self/uid_map"), find_identifier(gid, "/proc/self/gid_map")
        if uid is not None and gid is not None and is_container():
            try:
                os.chown(path, uid, gid)
                os.chmod(path, mode)
            except OSError:  # the engine could only mount it read-only
                pass


def find_identifier(number, path):
    """Return what a user or group of the host is in this container (user_namespaces(7)); None if it is not known."""
    try:
        with open(path) as file:
            ranges = [tuple(map(int, line.split())) for line in file]
    except (IOError, OSError):
        return number
    return next((number - host + here for here, host, count in ranges if host <= number < host + count), None)


def explain_foreign_owner(source, users="/proc/self/uid_map"):
    """Return a message if the source belongs to a user that is none in this container; empty if it can be written.

    :param source: as for ``restore_owner``.
    """
    root, owner = source["root"], source["owner"][0]
    if find_identifier(owner, users) is not None:
        return ""
    # The root itself belongs to the upper layer, and all of a copy to this container's root.
    paths = (os.path.join(root, name) for name in sorted(os.listdir(root)))
    path = next((path for path in paths if not os.access(path, os.W_OK)), None)
    if path is None:
        return ""
    return "%s cannot be written: the engine maps its owner, user %d, to none here (userns-remap)" % (path, owner)


def trust_source(root, uid):
    """Let git accept the source if it belongs to the host's user, and the suite runs as another one (moby#44938)."""
    try:
        owners = {os.lstat(os.path.join(root, name)).st_uid for name in [""] + os.listdir(root)}
    except OSError:  # it cannot be read, or a file was just removed
        owners = set()
    if owners == {uid}:
        return
    try:
        if not is_container():
            raise OSError("this is no container")
        with open(GITCONFIG, "a") as file:
            file.write("[safe]\n\tdirectory = *\n")
    except (IOError, OSError):  # this user may not
        os.environ.update(GIT_CONFIG_COUNT="1", GIT_CONFIG_KEY_0="safe.directory", GIT_CONFIG_VALUE_0="*")


def hide(source):
    """Remove what containers must not see from the source: in an overlay, the upper layer gets a whiteout."""
    for path in source["hidden"] if is_container() else ():
        full = os.path.join(source["root"], path)
        try:
            if os.path.isdir(full) and not os.path.islink(full):
                if not os.path.ismount(full):  # an empty one hides a folder of many files
                    import shutil  # slow to import, and seldom needed

                    shutil.rmtree(full, ignore_errors=True)
            else:
                os.remove(full)
        except OSError:  # it is not in a copy
            pass


def complete_source(root):
    """Copy the files that set-up and build generated into the source tree; return a message if that fails."""
    kept = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "made")
    try:
        for part in ("setup", "build"):
            put_in_place(os.path.join(kept, part), root)
    except (IOError, OSError) as error:
        return "files generated by the build of the image cannot be copied into the source tree: %s" % (error,)
    return ""
