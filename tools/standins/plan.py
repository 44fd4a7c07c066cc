"""Decides what a stand-in for an official image is made from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tools.standins.state import StandinError

if TYPE_CHECKING:
    from collections.abc import Mapping

Distribution = Literal["debian", "ubuntu"]

REPOSITORY = "python"
BASE_REPOSITORY = "pyimages-standin-base"

# Where a machine without pyenv gets a Python: the release of a distribution that has it as a package.
# An Alpine image's is built with musl from Debian's source.
PACKAGED: Mapping[str, tuple[Distribution, str]] = {
    "2.7": ("debian", "bullseye"),
    "3.6": ("ubuntu", "bionic"),
    "3.8": ("ubuntu", "focal"),
    "3.9": ("debian", "bullseye"),
    "3.10": ("ubuntu", "jammy"),
    "3.11": ("debian", "bookworm"),
    "3.12": ("ubuntu", "noble"),
    "3.13": ("debian", "forky"),
    "3.14": ("debian", "forky"),
    "3.15": ("debian", "forky"),
    "3.11-alpine": ("debian", "bookworm"),
    "pypy:3.11": ("debian", "trixie"),
}
# pyenv's Pythons need a C library at least as new as that of the machine which compiled them.
FALLBACK_BASE: tuple[Distribution, str] = ("debian", "forky")
# Shared libraries of the extension modules in the standard library, all but Tk and NIS.
RUNTIME_LIBRARIES = (
    "libssl3",
    "zlib1g",
    "libbz2-1.0",
    "liblzma5",
    "libffi8",
    "libsqlite3-0",
    "libreadline8",
    "libncursesw6",
    "libuuid1",
    "libexpat1",
)

_TAG = re.compile(
    r"((?P<repository>pypy):)?(?P<minor>\d+\.\d+)(?P<patch>\.\d+((a|b|rc)\d+)?)?(?P<prerelease>-rc)?(?P<slim>-slim)?(-(?P<suite>[a-z]+))?"
)
_RELEASE = re.compile(r"(?P<minor>\d+\.\d+)\.(?P<patch>\d+)((?P<stage>a|b|rc)(?P<number>\d+))?")


@dataclass(slots=True, kw_only=True, frozen=True)
class Base:
    """A distribution's release that stand-ins are made on."""

    distribution: Distribution
    suite: str

    def reference(self, *, slim: bool) -> str:
        """Return the name of its image, with or without a compiler in it."""
        return f"{BASE_REPOSITORY}:{self.suite}{'' if slim else '-compilers'}"


@dataclass(slots=True, kw_only=True, frozen=True)
class Plan:
    """How one stand-in is made.

    :param reference: the image name, ``python:3.12-slim``.
    :param minor: ``3.12``.
    :param version: the exact version that the tag demands, or an empty string.
    :param pyenv: the folder of the pyenv version to copy; None: the distribution's package.
    :param musl: whether the package's source is built with musl.
    """

    reference: str
    minor: str
    version: str
    slim: bool
    base: Base
    pyenv: Path | None
    musl: bool = False

    @property
    def repository(self) -> str:
        """``python`` or ``pypy``."""
        return self.reference.partition(":")[0]

    @property
    def package(self) -> str:
        """The distribution's package of this Python, whether it is used or not."""
        return "pypy3" if self.repository == "pypy" else f"python{self.minor}"

    @property
    def recipe(self) -> str:
        """What the image is made from, equal for tags that can share one image."""
        kind = "source with musl of" if self.musl else "package"
        source = f"pyenv {self.pyenv.name}" if self.pyenv else f"{kind} {self.package}"
        return f"{source} on {self.base.distribution} {self.base.suite} ({'slim' if self.slim else 'full'})"


def make_reference(tag: str) -> str:
    """Return the image name of a tag: ``python:3.12`` for ``3.12``, and ``pypy:3.11`` as it is."""
    return tag if ":" in tag else f"{REPOSITORY}:{tag}"


def newest(versions: Mapping[str, Path], minor: str) -> str | None:
    """Return the newest of the versions of one minor release, final ones before pre-releases."""

    def age(version: str) -> tuple[bool, int, str, int]:
        match = _RELEASE.fullmatch(version)
        assert match is not None  # only such names are asked for
        return match["stage"] is None, int(match["patch"]), match["stage"] or "", int(match["number"] or 0)

    matching = [version for version in versions if (m := _RELEASE.fullmatch(version)) and m["minor"] == minor]
    return max(matching, key=age, default=None)


def pyenv_versions(environ: Mapping[str, str], user_home: Path) -> dict[str, Path]:
    """Return the CPython versions that pyenv has installed, by version."""
    folder = Path(environ.get("PYENV_ROOT") or user_home / ".pyenv") / "versions"
    if not folder.is_dir():
        return {}
    # A link leads to a virtual environment or to somebody's own build, and cannot be copied on its own.
    found = (entry for entry in sorted(folder.iterdir()) if not entry.is_symlink() and _RELEASE.fullmatch(entry.name))
    return {entry.name: entry for entry in found if (entry / "bin" / "python").exists()}


def machine_base(os_release: str) -> Base:
    """Return the release to put Pythons on that were compiled on this machine.

    :param os_release: the text of ``/etc/os-release`` (os-release(5)).
    """
    fields = dict(line.split("=", 1) for line in os_release.splitlines() if "=" in line)
    distribution, suite = fields.get("ID", "").strip('"'), fields.get("VERSION_CODENAME", "").strip('"')
    if suite and distribution == "debian":
        return Base(distribution="debian", suite=suite)
    if suite and distribution == "ubuntu":
        return Base(distribution="ubuntu", suite=suite)
    return Base(distribution=FALLBACK_BASE[0], suite=FALLBACK_BASE[1])


def plan_for(tag: str, *, pyenv: Mapping[str, Path], machine: Base) -> Plan:
    """Return how to make a stand-in for ``python:<tag>``, or for ``<tag>`` if it names the repository itself.

    :param pyenv: the versions that pyenv has installed.
    :param machine: the release to put those on.
    :raises StandinError: it cannot be made here; the text names the tag and the ways there are.
    """
    name = make_reference(tag)
    match = _TAG.fullmatch(tag)
    if match is None:
        kinds = "3.12, 3.12-slim, 3.15-rc, 3.12.1-slim-bookworm, 3.11-alpine, pypy:3.11-slim"
        message = f"no stand-in for {name}: they are made for tags like {kinds}"
        raise StandinError(message)
    minor, slim, suite = match["minor"], match["slim"] is not None, match["suite"]
    version = f"{minor}{match['patch']}" if match["patch"] else ""
    kind, musl = minor, suite == "alpine"
    if musl:
        kind, suite, pyenv = f"{minor}-alpine", None, {}
    elif match["repository"]:
        kind, pyenv = f"pypy:{minor}", {}
    installed = version if version in pyenv else newest(pyenv, minor) if not version else None
    tried = [f"pyenv has {', '.join(sorted(pyenv)) or 'no versions'}"] if kind == minor else []
    if installed:
        if suite in (None, machine.suite):
            source = pyenv[installed]
            return Plan(reference=name, minor=minor, version=version, slim=slim, base=machine, pyenv=source)
        tried.append(f"its {installed} runs on {machine.suite} only")
    if kind in PACKAGED:
        distribution, release = PACKAGED[kind]
        if suite in (None, release):
            base = Base(distribution=distribution, suite=release)
            return Plan(reference=name, minor=minor, version=version, slim=slim, base=base, pyenv=None, musl=musl)
        tried.append(f"{kind} comes from {distribution} {release} only")
    else:
        tried.append(f"packages are known for {', '.join(PACKAGED)}")
    advice = "install it with pyenv, or give access to a registry"
    message = f"no stand-in for {name}: {'; '.join(tried)} · {advice}"
    raise StandinError(message)
