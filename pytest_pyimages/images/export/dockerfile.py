"""Write the Dockerfile that makes the same environment as an environment image, by plain ``docker build``.

In the order that Docker's "Building best practices" recommend: what changes most comes last, and no layer keeps caches.
"""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from pytest_pyimages.containers import NOT_COPIED, VERSION_CONTROL
from pytest_pyimages.engines import ImageInfo
from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.images.dockerfile import ARGUMENT
from pytest_pyimages.images.export.contents import ImageContents, LocalPackage
from pytest_pyimages.images.install_job import describe_version
from pytest_pyimages.images.pins import find_digest
from pytest_pyimages.images.plan import ImagePlan
from pytest_pyimages.immutable import Immutable
from pytest_pyimages.indexes import PublicIndexes
from pytest_pyimages.project import describe_packages

MARK = "# Written by `pyimages export`"  # the first line of each file
APP = PurePosixPath("/app")  # the source's folder in the image
ACCOUNT = "app"  # of a user that the image does not have
NETRC = "--mount=type=secret,id=netrc,target=/root/.netrc "  # of BuildKit
_DIRECTIVES = re.compile(r"(?:#\s*\w+\s*=.*\n)+")  # of a Dockerfile's parser; before anything else
_ARGUMENT = re.compile(rf"(?im)^\s*ARG\s+{ARGUMENT}(?:=.*)?$")


class Export(Immutable):
    """What a Dockerfile is written from."""

    plan: ImagePlan
    base: ImageInfo
    contents: ImageContents
    indexes: PublicIndexes
    root: Path  # the source's, which is the context of the build
    cwd: Path  # in which the tests run
    user: str  # that they run as: a name or "UID:GID"; empty for root
    arguments: tuple[str, ...]  # of pytest
    requirements: Path | None = None  # file with the requirements; None: the Dockerfile has them
    name: str = "Dockerfile"  # how the build refers to it

    @property
    def needs_git(self) -> bool:
        """Whether the build takes the project's version from git."""
        version = describe_version(self.plan)
        return version is not None and not version["variables"]

    @property
    def _where(self) -> PurePosixPath:
        """The project's folder in the image."""
        return self.locate(self.plan.project.root)

    def locate(self, path: Path) -> PurePosixPath:
        """Return where the image has a path of the source."""
        return APP / path.relative_to(self.root).as_posix()

    def write(self) -> str:
        """Return the Dockerfile's text.

        :raises ConfigurationError: if the project has a Dockerfile that copies files from another folder.
        """
        return "\n".join(self._list_lines()) + "\n"

    def write_requirements(self) -> str:
        """Return the text of the file with the requirements."""
        header = f"{MARK} {self.plan.tag.label}: what the environment image has installed."
        return "".join(f"{line}\n" for line in (header, *self.indexes.options, *self.contents.requirements))

    def _list_lines(self) -> Iterator[str]:
        recipe, contents = self.plan.recipe, self.contents
        yield from self._list_start()
        if self.base.user or recipe.dockerfile is not None:
            yield "USER root"
        yield from (f"ENV {name}={_quote(value)}" for name, value in recipe.environment if "\n" not in value)
        yield from self._list_system_packages()
        yield from self._list_account()
        yield f"WORKDIR {self._where}"
        copy_source = f"COPY {self._chown}. {'.' if self._where == APP else f'{APP}/'}"
        if recipe.setup:
            yield from ("", "# Set-up commands run in the source, before anything is installed.", copy_source)
            yield from (_format_run(command) for command in recipe.setup)
        yield ""
        yield from self._list_requirements()
        if not recipe.setup:
            yield copy_source
        if contents.packages:
            yield f"RUN {self._secret}" + " \\\n && ".join(map(self._install_package, contents.packages))
        yield from self._list_installed_only()
        yield ""
        if self.cwd != self.plan.project.root:
            yield f"WORKDIR {self.locate(self.cwd)}"
        if self.user:
            yield f"USER {self.user}"
        yield f"CMD {json.dumps([contents.python, '-m', 'pytest', *self.arguments])}"

    def _list_start(self) -> Iterator[str]:
        tag = self.plan.tag
        secret = " --secret id=netrc,src=$HOME/.netrc" if self._secret else ""
        header: tuple[str, ...] = (
            f"{MARK} {tag.label}: the environment of its tests.",
            f"# Build it in {self.root.name or '/'}: docker build -t tests{secret} -f {shlex.quote(self.name)} .",
            "# Run the tests: docker run --rm tests",
        )
        if self.base.digests:
            digest = find_digest(self.base, tag.reference)
            reference = f"{tag.reference.partition('@')[0]}@{digest}"
        else:
            reference = tag.reference
            header = (*header, f"# {reference} is not from a registry: there is no digest to pin it by.")
        dockerfile = self.plan.recipe.dockerfile
        if dockerfile is None:
            platform = f"--platform={tag.platform} " if tag.platform else ""
            yield from (*header, f"FROM {platform}{reference}", "")
            return
        if dockerfile.files and dockerfile.context != self.root:
            raise ConfigurationError(
                f"{dockerfile.path} copies files, and its folder is not {self.root}, from which an export copies",
                f"move it to {self.root}",
            )
        directives = _DIRECTIVES.match(dockerfile.text)
        head = directives[0] if directives else ""
        text = _ARGUMENT.sub(f"ARG {ARGUMENT}={reference}", dockerfile.text[len(head) :], count=1)
        yield from (*head.splitlines(), *header, *text.strip().splitlines(), "")

    def _list_system_packages(self) -> Iterator[str]:
        packages = " ".join(map(shlex.quote, self.plan.recipe.apt))
        if packages and "apt-get" in self.contents.programs:
            yield (
                f"RUN apt-get update \\\n && apt-get install -y --no-install-recommends {packages} \\\n"
                " && rm -rf /var/lib/apt/lists/*"
            )
        elif packages:
            yield f"RUN apk add --no-cache {packages}"

    def _list_account(self) -> Iterator[str]:
        """Yield the instruction that adds the user and gives it the folder of the source."""
        if not self.user:
            return
        commands = []
        uid, _, gid = self.user.partition(":")
        group = gid or uid
        if uid.isdigit() and int(uid) not in self.contents.users:
            has_group = not group.isdigit() or int(group) in self.contents.groups
            if "useradd" in self.contents.programs:
                commands += [] if has_group else [f"groupadd --gid {group} {ACCOUNT}"]
                commands += [f"useradd --uid {uid} --gid {group} --create-home {ACCOUNT}"]
            else:  # a form that busybox has in all versions, and that needs no name of the group
                commands += [] if has_group else [f"echo '{ACCOUNT}:x:{group}:' >> /etc/group"]
                commands += [f"echo '{ACCOUNT}:x:{uid}:{group}::/home/{ACCOUNT}:/bin/sh' >> /etc/passwd"]
                commands += [f"mkdir -p /home/{ACCOUNT}", f"chown {uid}:{group} /home/{ACCOUNT}"]
        folders = {str(APP), str(self._where)}
        commands += [f"mkdir -p {self._where}", f"chown {self.user} {' '.join(sorted(folders))}"]
        yield "RUN " + " \\\n && ".join(commands)

    @property
    def _chown(self) -> str:
        return f"--chown={self.user} " if self.user else ""

    @property
    def _secret(self) -> str:
        return NETRC if self.indexes.private else ""

    def _pip(self, *arguments: str) -> str:
        system = ("--break-system-packages",) if self.contents.managed else ()
        words = ("-m", "pip", "install", "--no-cache-dir", "--no-deps", *system, *arguments)
        return shlex.join((self.contents.python, *words))

    def _list_requirements(self) -> Iterator[str]:
        if not self.contents.requirements:
            return
        if self.requirements is None:
            words = map(shlex.quote, self.contents.requirements)
            command = self._pip(*self.indexes.options)
            yield f"RUN {self._secret}{command} \\\n    " + " \\\n    ".join(words)
            return
        target = self.locate(self.requirements)
        if not self.plan.recipe.setup:  # else the source is there already
            yield f"COPY {json.dumps([self.requirements.relative_to(self.root).as_posix(), str(target)])}"
        yield f"RUN {self._secret}{self._pip('-r', str(target))}"

    def _install_package(self, package: LocalPackage) -> str:
        """Return the command that installs a package of the source."""
        path = os.path.relpath(self.locate(package.path), self._where)
        path = path if path.startswith(".") else f"./{path}"
        options = ("-e",) if package.editable else ()
        variables = " ".join(f"{name}={shlex.quote(value)}" for name, value in self._set_version(package).items())
        command = self._pip(*self.indexes.options, *options, path)
        return f"{variables} {command}" if variables else command

    def _set_version(self, package: LocalPackage) -> Mapping[str, str]:
        """Return the variables for a package whose version comes from git, which the context lacks."""
        if package.path == self.plan.project.root:
            version = describe_version(self.plan)
            return version["variables"] if version else {}
        return describe_packages(self.plan.project.packages, os.environ).get(package.name, {})

    def _list_installed_only(self) -> Iterator[str]:
        """Yield the instruction that copies extension modules to where tests import the package from the source."""
        pairs = self.contents.installed_only if self.plan.project.kind == "wheel" else ()
        if pairs:
            commands = (shlex.join(("cp", installed, path)) for installed, path in pairs)
            yield "RUN " + " \\\n && ".join(commands)


def list_ignored(hidden: Sequence[str], *, needs_git: bool) -> str:
    """Return the text of the ``.dockerignore``.

    :param hidden: paths that containers do not see either.
    :param needs_git: whether the build takes a version from git.
    """
    # A package may have the name venv; environments are among the hidden paths.
    names = sorted(NOT_COPIED - (VERSION_CONTROL if needs_git else frozenset()) - {"venv"})
    lines = [f"{MARK}: environments, caches, and what was built on this machine."]
    lines += [] if needs_git else ["# Remove the line **/.git if tests use the repository."]
    lines += [f"**/{name}" for name in names]
    lines += [re.sub(r"([*?\[\\])", r"\\\1", path) for path in hidden if path.rpartition("/")[2] not in names]
    return "".join(f"{line}\n" for line in lines)


def _quote(value: str) -> str:
    return '"' + re.sub(r'(["\\$])', r"\\\1", value) + '"'


def _format_run(command: str) -> str:
    """Return the instruction for a shell command; in JSON if a Dockerfile would read it in another way."""
    plain = not re.search(r"[\n\\]|<<|^\s*(\[|--)", command)
    return f"RUN {command}" if plain else f"RUN {json.dumps(['sh', '-c', command])}"
