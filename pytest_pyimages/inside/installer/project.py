"""The project's own build: its version from git, and the files that it generates in the source tree.

The source tree is a layer of the container, removed with it; but a suite may need generated files: a ``_version.py``, a
parser, an extension module where tests import the package from the source. They are kept in the image, and the worker
copies them into the tree of each run.
"""

from __future__ import absolute_import, print_function

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys

try:
    from urllib.parse import unquote
except ImportError:  # pragma: no cover - Python 2
    from urllib import unquote

MOST_BYTES = 128 * 1024 * 1024
# Suffixes of intermediate files of a build.
INTERMEDIATE_SUFFIXES = (".pyc", ".pyo", ".o", ".obj", ".a", ".d", ".log", ".lock", ".tmp")
HAS_UV = sys.version_info >= (3, 8)


class BuildOutput(object):
    """Finds generated files in a source tree, and keeps them.

    :param folder: where they are kept, each kind in a folder of its own.
    :param skipped: the names of folders that hold no source: {"anywhere": [...], "top": [...]}.
    """

    def __init__(self, root, folder, skipped):
        self.root = root
        self.folder = folder
        self.skipped = skipped
        self.before = {}
        self.note = ""  # for the user
        self.has_uv = HAS_UV  # whether uv installs

    def begin(self):
        self.before = self.list_files()

    def list_files(self):
        """Return size and time of every file that a build may generate, by relative path."""
        found = {}
        for folder, folders, names in os.walk(self.root):
            relative = os.path.relpath(folder, self.root)
            is_top = relative == os.curdir
            if not is_top and "pyvenv.cfg" in names:
                folders[:] = []
                continue
            links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
            folders[:] = [name for name in folders if name not in links and self.may_hold_output(name, is_top)]
            for name in names + links:
                if not name.endswith(INTERMEDIATE_SUFFIXES):
                    try:
                        status = os.lstat(os.path.join(folder, name))
                    except OSError:  # the host removed it a moment ago
                        continue
                    found[name if is_top else os.path.join(relative, name)] = (status.st_size, status.st_mtime)
        return found

    def may_hold_output(self, name, is_top):
        if name in self.skipped["anywhere"] or (
            is_top and (name in self.skipped["top"] or name.startswith(".mesonpy"))
        ):
            return False
        # pip's "setup.py develop" has the installed metadata there.
        return not (self.has_uv and name.endswith(".egg-info"))

    def keep(self, kind, compiled=False):
        """Keep the files that are new or different since ``begin``, and remove those that were kept before.

        :param compiled: whether the project is installed as a copy rather than a link to its source.
        """
        after = self.list_files()
        pairs = [
            (path, os.path.join(self.root, path)) for path in sorted(after) if self.before.get(path) != after[path]
        ]
        if compiled:
            pairs += self.find_installed_only(after)
        shutil.rmtree(os.path.join(self.folder, kind), ignore_errors=True)
        left = MOST_BYTES
        for path, origin in pairs:
            size = os.lstat(origin).st_size
            if size > left:
                self.note = "%s is too large to be kept for the runs" % path
                continue
            left -= size
            copy(origin, os.path.join(self.folder, kind, path))

    def find_installed_only(self, present):
        """Return the project's installed files that are not in the source: pairs of path in the source and origin.

        Tests that import the package from the source look for its extension modules there.
        """
        if not HAS_UV:  # nor has it importlib.metadata
            return []
        from importlib.metadata import distributions

        # "Recording the Direct URL Origin of installed distributions" (PEP 610)
        installed = [found for found in distributions() if is_origin(self.root, found.read_text("direct_url.json"))]
        pairs = []
        for file in [file for found in installed for file in found.files or []]:
            package = file.parts[0]
            if len(file.parts) < 2 or package == os.pardir or package.endswith((".dist-info", ".data")):
                continue
            for source in ("", "src", "python", "lib"):
                path = os.path.join(source, str(file))
                if os.path.isdir(os.path.join(self.root, source, package)):
                    if path not in present and not path.endswith(INTERMEDIATE_SUFFIXES):
                        pairs.append((path, str(file.locate())))
                    break
        return pairs


def is_origin(root, direct_url):
    """Return whether a distribution was installed from the folder."""
    url = json.loads(direct_url).get("url", "") if direct_url else ""
    return url.startswith("file://") and os.path.abspath(unquote(url[len("file://") :])) == root


def find_installed_from_addresses(root):
    """Return the names of distributions that were installed from an address or a folder, without the project itself.

    uv keeps such a distribution for a requirement that has become a plain name, --upgrade or not; a new installation
    would take it from an index.
    """
    if not HAS_UV:
        return []
    from importlib.metadata import distributions

    return sorted(
        found.metadata["Name"]
        for found in distributions()
        if found.read_text("direct_url.json") and not is_origin(root, found.read_text("direct_url.json"))
    )


def find_built_extra(root, names):
    """Return the first of some extras that the project's built metadata has; empty if it has none of them."""
    if not HAS_UV:
        return ""
    from importlib.metadata import distributions

    for found in distributions():
        if is_origin(root, found.read_text("direct_url.json")):
            listed = found.metadata.get_all("Provides-Extra") or []
            declared = {name.lower().replace("_", "-").replace(".", "-"): name for name in listed}
            return next((declared[name] for name in names if name in declared), "")
    return ""


def remove_credentials(checkouts):
    """Remove names and passwords from the addresses that git has kept in checkouts, which are part of the image."""
    for folder, _, names in os.walk(checkouts):
        if "config" in names and ".git" in folder.split(os.sep):
            path = os.path.join(folder, "config")
            with open(path, "rb") as file:
                text = file.read()
            with open(path, "wb") as file:
                file.write(re.sub(b"(://)(?!git@)[^\\s/@]+@", b"\\1", text))  # not rb, for Python 2.7


def copy(origin, target):
    if not os.path.isdir(os.path.dirname(target)):
        os.makedirs(os.path.dirname(target))
    if os.path.islink(origin):
        os.symlink(os.readlink(origin), target)
    else:
        shutil.copy2(origin, target)
        os.chmod(target, os.stat(target).st_mode | 0o444)  # the suite may run as another user


def prepare_build(job, environment, has_uv):
    """Set the project's version for the tool that takes it from git: slim images have no git.

    :param environment: of the install commands; it is changed.
    :param has_uv: whether uv installs.
    :return: what the user should know, if neither the host nor git knows the version; else an empty text.
    """
    with open(environment["HOME"] + "/.gitconfig", "w") as file:
        file.write("[safe]\n\tdirectory = *\n")  # the tree belongs to the host's user, this process to root
    version = job["version"]
    variables, note = {}, ""
    if version is not None and (version["is_certain"] or not is_git_usable(environment)):
        variables = version["variables"]
        note = "" if variables else version["note"]
    job["variables"] = variables
    packages = dict(job["packages"])
    if job["kind"] != "none":
        packages[job["distribution"]] = variables
    is_nameless = "" in packages
    packages.pop("", None)
    if has_uv:
        set_build_variables(packages, job["build"], environment)
    if not has_uv or is_nameless:
        environment.update((str(name), str(value)) for name, value in variables.items())
    if has_uv and is_nameless:
        # Then one build after the other: uv would use the unfinished build of another container.
        root = hashlib.sha256(job["root"].encode("utf-8")).hexdigest()[:16]
        job["turn"] = open("%s/%s.lock" % (os.path.dirname(environment["UV_CACHE_DIR"]), root), "w")
        fcntl.flock(job["turn"], fcntl.LOCK_EX)  # until this process ends
    return note


def set_build_variables(packages, build, environment):
    """Set variables for the builds of some distributions alone ("extra-build-variables" in uv's reference).

    With a value of this build alone, uv uses neither the unfinished wheel of another build nor an older one.

    :param packages: variables by name of the distribution.
    :param build: the name of this build: mostly of this container, see images/install_job.py.
    """
    if not packages:
        return
    path = environment.setdefault("UV_CONFIG_FILE", os.path.dirname(environment["HOME"]) + "/uv.toml")
    environment.pop("UV_NO_CONFIG", None)
    lines = ["", "[extra-build-variables]"]
    for name, variables in sorted(packages.items()):
        # For a distribution alone: a variable for all would set the version of every other one that is built.
        own = sorted(dict(variables, PYIMAGES_BUILD=build).items())
        pairs = ", ".join("%s = %s" % (json.dumps(key), json.dumps(value)) for key, value in own)
        lines.append("%s = {%s}" % (json.dumps(name), pairs))
    with open(path, "ab") as file:
        file.write("\n".join(lines + [""]).encode("utf-8"))


def is_git_usable(environment):
    with open(os.devnull, "wb") as null:
        try:
            command = ["git", "rev-parse", "HEAD"]
            return subprocess.call(command, env=environment, stdout=null, stderr=null) == 0
        except OSError:
            return False
