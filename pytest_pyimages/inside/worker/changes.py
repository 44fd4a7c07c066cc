"""The files that the suite has changed in the source tree: their names, and the content of those that the host wants.

With an overlay they lie in its upper layer, which is mounted read-only for this purpose; a folder that was renamed has
its old files in the lower layer only (redirect_dir). In a copied source they are
the files whose status has changed (st_ctime) since the suite began; nothing but the kernel sets that time.
"""

from __future__ import absolute_import, print_function

import os
import re
import stat

MOST_ROWS = 10000  # changes that are named
ROWS = 200  # in one record
MOST_NAMES = 20000  # entries of a folder
MOST_HASHED = 256 * 1024 * 1024  # bytes in all
MAX_CONTENT = 64 * 1024 * 1024  # bytes of one file
MAX_CONTENTS = 512 * 1024 * 1024  # bytes in all
PART = 192 * 1024  # bytes in one record


def list_folders(wanted):
    """Return the paths below the root of all folders that are looked at."""
    found, start = {""}, len(wanted["root"]) + 1
    for folder, names, _ in os.walk(wanted["root"]):
        names[:] = [name for name in names if name not in wanted["skip"]]
        found.update(os.path.join(folder, name)[start:] for name in names)
    return found


def send_changes(record, wanted, since):
    """Send the changes, and the content of those files that the host wants.

    :param record: sends a record with these fields.
    :param wanted: ``root`` of the source, its ``upper`` layer or None, names to ``skip``, and the regular expressions
        of the paths below the root whose content to ``send``.
    :param since: st_ctime of something that was made when the suite began.
    """
    scan = Scan(wanted, since)
    rows, files, more = [], [], 0
    patterns = [re.compile(pattern) for pattern in wanted["send"]]
    # An upper layer of a folder above the root lacks the root if nothing in it was changed.
    for path, kind, status in scan.entries() if scan.upper is None or os.path.isdir(scan.upper) else ():
        if kind == "listed":
            record(t="listed", path=path, names=status)
            continue
        if more or len(rows) >= MOST_ROWS:
            more += 1
            continue
        rows.append(scan.describe(path, kind, status))
        if kind == "file" and any(pattern.match(path) for pattern in patterns):
            files.append(path)
    for start in range(0, len(rows), ROWS):
        record(t="changed", rows=rows[start : start + ROWS])
    left = MAX_CONTENTS
    for path in files:
        left -= send_content(record, scan.find(path), path, min(left, MAX_CONTENT))
    record(t="scanned", more=more, problem=scan.problem)


def send_content(record, file_path, path, limit):
    """Send a file unless it is larger than the limit; return its size in bytes."""
    import binascii  # seldom needed

    try:
        with open(file_path, "rb") as file:
            left = size = os.fstat(file.fileno()).st_size
            if size > limit:
                return 0
            record(t="content", path=path, size=size)
            while left:
                data = file.read(min(left, PART))
                if not data:  # it was truncated meanwhile, which the host sees
                    break
                left -= len(data)
                record(t="part", data=binascii.b2a_base64(data).decode("ascii").strip())
            return size
    except (IOError, OSError):
        return 0


class Scan(object):
    """A walk over the changed files; paths are relative to the root, and separated by slashes."""

    def __init__(self, wanted, since):
        self.root = wanted["root"]
        self.upper = wanted["upper"]
        self.skipped = frozenset(wanted["skip"])
        self.since = since
        self.folders = wanted.get("folders")  # those that were there when the suite began
        self.hidden = frozenset(wanted.get("hidden", ()))  # paths that the worker has removed
        self.problem = ""  # the first folder that could not be read
        self.unhashed = MOST_HASHED

    def find(self, path):
        """Return where a file can be read: in the overlay, whose upper layer may have incomplete files (metacopy)."""
        merged = os.path.join(self.root, path)
        return merged if self.upper is None or os.path.lexists(merged) else os.path.join(self.upper, path)

    def describe(self, path, kind, status):
        """Return path, kind, size, whether a file is executable, and its SHA-256, which is empty for large files."""
        digest = ""
        if kind == "file" and status.st_size <= self.unhashed:
            import hashlib  # slow to import, and most runs change nothing

            self.unhashed -= status.st_size
            try:
                with open(self.find(path), "rb") as file:
                    hashed = hashlib.sha256()
                    for data in iter(lambda: file.read(PART), b""):
                        hashed.update(data)
                    digest = hashed.hexdigest()
            except (IOError, OSError):
                pass  # the host does not get its content either
        return [path, kind, status.st_size, bool(status.st_mode & stat.S_IXUSR), digest]

    def entries(self):
        """Yield paths, kinds and status of what has changed; for a folder that lost entries, "listed" and its names."""
        folders = [""]
        while folders:
            folder = folders.pop()
            is_new = self.folders is not None and folder not in self.folders
            here = os.path.join(self.root if is_new else self.upper or self.root, folder)
            try:
                names = sorted(set(os.listdir(here)) - self.skipped)
            except (IOError, OSError) as error:
                self.problem = self.problem or "%s: %s" % (folder or ".", error.strerror)
                continue
            if self.has_lost_entries(folder, here) and len(names) <= MOST_NAMES:
                yield folder, "listed", self.add_hidden(folder, names)
            for name in names:
                path = folder + "/" + name if folder else name
                status = None if path in self.hidden else self.read_status(here, name)
                if status is None:
                    continue
                if stat.S_ISDIR(status.st_mode):
                    folders.append(path)
                elif is_new:
                    yield path, self.classify(status), status  # also if the folder was moved, which no file shows
                elif self.upper is not None and stat.S_ISCHR(status.st_mode) and not status.st_rdev:
                    yield path, "removed", status  # a whiteout of the overlay
                elif status.st_ctime > self.since:
                    yield path, self.classify(status), status

    def add_hidden(self, folder, names):
        """Return the names in a folder and those that the worker has removed: no test did so."""
        return sorted(names + [path.rpartition("/")[2] for path in self.hidden if path.rpartition("/")[0] == folder])

    @staticmethod
    def read_status(folder, name):
        try:
            return os.lstat(os.path.join(folder, name))
        except (IOError, OSError):  # a process of the suite has just removed it
            return None

    def has_lost_entries(self, folder, here):
        """Return whether entries of a folder may have been removed without a trace but their absence."""
        try:
            status = os.lstat(here)
            if status.st_ctime <= self.since:
                return False
            # The kernel gives folders with a lower layer one link (ovl_getattr); others hide what is below them.
            return self.upper is None or status.st_nlink < 2 or os.lstat(os.path.join(self.root, folder)).st_nlink > 1
        except (IOError, OSError):
            return False

    @staticmethod
    def classify(status):
        if stat.S_ISREG(status.st_mode):
            return "file"
        return "link" if stat.S_ISLNK(status.st_mode) else "other"
