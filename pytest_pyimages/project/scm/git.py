"""Ask the host's git about a checkout, also one that belongs to another user.

git refuses such a checkout, since its configuration can name programs that git runs (``safe.directory`` in git's
documentation): after ``sudo``, and in a CI's containers. It is then asked about a temporary repository of this user,
which borrows the objects and copies references and index, but nothing else of the other one: no program that a stranger
configured is run.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

GIT_SECONDS = 30
REPOSITORY_VARIABLES = frozenset(
    f"GIT_{name}"
    for name in (
        *("DIR", "WORK_TREE", "INDEX_FILE", "INDEX_VERSION", "OBJECT_DIRECTORY", "COMMON_DIR", "NAMESPACE", "PREFIX"),
        *("ALTERNATE_OBJECT_DIRECTORIES", "CEILING_DIRECTORIES", "SHALLOW_FILE", "GRAFT_FILE"),
    )
)
# The messages of git up to 2.35.2, and since.
_REFUSAL = re.compile(r"fatal: (?:unsafe repository|detected dubious ownership).*")
# What decides whether a file counts as modified, and the format of objects; none of it names a program.
_KEPT_KEYS = (
    "core.filemode",
    "core.autocrlf",
    "core.eol",
    "core.symlinks",
    "core.ignorecase",
    "extensions.objectformat",
)
_PLAIN = re.compile(r"[\w.-]+")


def find_commit(folder: Path, environ: Mapping[str, str]) -> str:
    """Return the short hash of the commit that a folder's checkout is at, with a "+" if files were changed."""
    top = next((path for path in (folder, *folder.parents) if (path / ".git").exists()), None)
    if top is None:
        return ""
    git = Git(top, environ)
    commit = (git.run("rev-parse", "--short", "HEAD") or "").strip()
    return f"{commit}+" if commit and git.is_dirty() else commit


class Git:
    """Runs git's commands on the checkout that a folder is in.

    :param top: the folder that has ``.git``.
    """

    def __init__(self, top: Path, environ: Mapping[str, str]) -> None:
        # A git hook that runs the tests sets variables that name a repository and its index.
        kept = {name: value for name, value in environ.items() if name not in REPOSITORY_VARIABLES}
        self._environment = {**kept, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"}
        self._top = top
        self.refusal = ""  # git's message, if it has refused the checkout for its owner

    def run(self, *arguments: str) -> str | None:
        """Return the output of a command; None if it fails, or there is no git."""
        status, output, errors = self._call(arguments, {})
        refusal = _REFUSAL.search(errors)
        if status and refusal is not None:
            self.refusal = refusal[0]
            try:
                with _borrow(self._top) as variables:
                    status, output, _ = self._call(arguments, variables)
            except OSError:
                return None
        return output.strip() if status == 0 else None

    def is_dirty(self) -> bool:
        """Return whether a file of the last commit is modified."""
        # git would read the configuration of submodules, whoever they belong to.
        ignored = ("--ignore-submodules=all",) if self.refusal else ()
        return bool(self.run("status", "--porcelain", "--untracked-files=no", *ignored))

    def _call(self, arguments: tuple[str, ...], variables: Mapping[str, str]) -> tuple[int | None, str, str]:
        try:
            done = subprocess.run(  # noqa: S603 - "describe" and its like, with tags to match
                ["git", "-C", str(self._top), *arguments],  # noqa: S607 - whichever git the user has
                env={**self._environment, **variables},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=GIT_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None, "", ""
        return done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")


@contextmanager
def _borrow(top: Path) -> Iterator[dict[str, str]]:
    """Yield the variables that make git use a temporary repository with the commits, tags and index of a checkout.

    :raises OSError: if the checkout's own repository cannot be read.
    """
    folder, common = _find_repository(top / ".git")
    with tempfile.TemporaryDirectory(prefix="pyimages-git-") as temporary:
        own = Path(temporary)
        for name in ("objects", "refs"):
            (own / name).mkdir()
        for source, names in ((folder, ("HEAD", "index")), (common, ("packed-refs", "shallow"))):
            for name in (*names, *(path.name for path in source.glob("sharedindex.*"))):
                _copy(source / name, own / name)
        for path in sorted((common / "refs").rglob("*")):
            _copy(path, own / path.relative_to(common))
        (own / "config").write_text("".join(_list_settings(common / "config")), encoding="utf-8")
        yield {"GIT_DIR": temporary, "GIT_WORK_TREE": str(top), "GIT_OBJECT_DIRECTORY": str(common / "objects")}


def _find_repository(path: Path) -> tuple[Path, Path]:
    """Return the repository of a checkout, and the one that it shares with other worktrees (gitrepository-layout)."""
    if path.is_file():  # of a worktree or submodule
        path = path.parent / path.read_text(encoding="utf-8").partition("gitdir:")[2].strip()
    shared = path / "commondir"
    return path, path / shared.read_text(encoding="utf-8").strip() if shared.is_file() else path


def _copy(source: Path, target: Path) -> None:
    if source.is_file() and not source.is_symlink():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def _list_settings(path: Path) -> Iterator[str]:
    """Yield the configuration of the temporary repository."""
    command = ["git", "config", "--file", str(path), "--no-includes", "--list", "-z"]
    done = subprocess.run(command, capture_output=True, timeout=GIT_SECONDS, check=False)  # noqa: S603 - runs nothing
    found = (entry.partition("\n") for entry in done.stdout.decode("utf-8", "replace").split("\0"))
    values = {key: value for key, _, value in found if key in _KEPT_KEYS and _PLAIN.fullmatch(value)}
    yield f"[core]\n\trepositoryformatversion = {int('extensions.objectformat' in values)}\n\tfsmonitor = false\n"
    for key, value in values.items():
        section, _, name = key.partition(".")
        yield f"[{section}]\n\t{name} = {value}\n"
