"""Read which services a suite needs beside it: ``[[tool.pyimages.services]]``, or ``py_images_services``."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any

from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.immutable import Immutable
from pytest_pyimages.project.settings.checks import check_keys, read_strings, read_variables, resolve_variables

TABLE = "[[tool.pyimages.services]]"
READY_SECONDS = 60.0
_KEYS = ("name", "image", "env", "ports", "ready", "tmpfs", "command", "volumes", "timeout")
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")  # a host name: RFC 1123, 2.1


class ServiceFile(Immutable):
    """A file or folder of the project that a service gets as a copy."""

    source: Path  # on the host
    target: str  # absolute path in the service's container


class Service(Immutable):
    """A server that runs beside each image's suite, in the suite's network namespace."""

    name: str  # its host name for the suite
    image: str  # reference
    env: Mapping[str, str | None] = field(default_factory=dict)  # None: the host's value
    ports: tuple[int, ...] = ()  # that it listens on when it is ready; empty for those that its image exposes
    ready: str = ""  # shell command that succeeds in its container when it is ready; empty for the image's HEALTHCHECK
    tmpfs: tuple[str, ...] = ()  # absolute paths
    command: tuple[str, ...] = ()  # replaces the image's
    files: tuple[ServiceFile, ...] = ()
    timeout: float = READY_SECONDS  # seconds until it must be ready

    def environment(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Return the variables with their values, without those of the host that the host does not have."""
        return resolve_variables(self.env, environ)


def parse_short_services(value: object, where: str) -> tuple[Service, ...]:
    """Return the services of ``["redis:7", "db=postgres:17"]``, named after their images unless a name is given.

    :param where: what the user wrote them in.
    :raises ConfigurationError: for an invalid entry.
    """
    found = []
    for entry in (word for text in read_strings(value, where) for word in re.split(r"[,\s]+", text) if word):
        name, equals, image = entry.partition("=") if "=" in entry else (_name_of(entry), "", entry)
        if equals and not image:
            raise ConfigurationError(f'{where}: "{entry}" names no image', "write NAME=IMAGE, or IMAGE")
        found.append(Service(name=_check_name(name, where), image=image))
    return _check_names(found, where)


def read_services(entries: object, rootdir: Path, where: str) -> tuple[Service, ...]:
    """Return the services of a list of tables, or of the short form.

    :param entries: the value of ``services`` in ``[tool.pyimages]`` or in an override.
    :param rootdir: pytest's; paths of files start there.
    :param where: what the user wrote them in.
    :raises ConfigurationError: for an invalid value.
    """
    if isinstance(entries, list) and entries and all(isinstance(entry, Mapping) for entry in entries):
        services = [
            _read_service(entry, rootdir, f"{TABLE} number {number}") for number, entry in enumerate(entries, start=1)
        ]
        return _check_names(services, where)
    return parse_short_services(entries, where)


def _read_service(entry: Mapping[str, Any], rootdir: Path, where: str) -> Service:
    check_keys(entry, _KEYS, where=where)
    image, command = entry.get("image"), entry.get("command", [])
    if not isinstance(image, str) or not image.strip():
        raise ConfigurationError(f"{where} has no image", 'name it: image = "postgres:17"')
    if isinstance(command, str):
        try:
            command = shlex.split(command)
        except ValueError as error:
            raise ConfigurationError(f"{where}: command: {error}", "close the quotation") from error
    name = entry.get("name", _name_of(image))
    if not isinstance(name, str):
        raise ConfigurationError(f"{where}: name is {name!r}, not a string", "quote it")
    ready = entry.get("ready", "")
    if not isinstance(ready, str):
        raise ConfigurationError(f"{where}: ready is {ready!r}, not a string", 'write a command: ready = "pg_isready"')
    return Service(
        name=_check_name(name, where),
        image=image.strip(),
        env=read_variables(entry.get("env"), f"{where}: env"),
        ports=_read_ports(entry.get("ports", []), where),
        ready=ready,
        tmpfs=_check_targets(read_strings(entry.get("tmpfs"), f"{where}: tmpfs"), f"{where}: tmpfs"),
        command=read_strings(command, f"{where}: command"),
        files=tuple(_read_file(text, rootdir, where) for text in read_strings(entry.get("volumes"), where)),
        timeout=_read_timeout(entry.get("timeout", READY_SECONDS), where),
    )


def _name_of(image: str) -> str:
    """Return the last part of an image's repository: "postgres" for ``registry:5000/library/postgres:17``."""
    return re.split(r"[:@]", image.rpartition("/")[2])[0]


def _check_name(name: str, where: str) -> str:
    if not _NAME.fullmatch(name):
        raise ConfigurationError(
            f'{where}: "{name}" cannot be the name of a service',
            "use lower-case letters, digits and hyphens: name=IMAGE",
        )
    return name


def _check_names(services: Sequence[Service], where: str) -> tuple[Service, ...]:
    names = [service.name for service in services]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ConfigurationError(f'{where}: two services are named "{twice}"', "give one of them another name")
    return tuple(services)


def _read_ports(value: object, where: str) -> tuple[int, ...]:
    ports = value if isinstance(value, list) else [value]
    for port in ports:
        if not isinstance(port, int) or isinstance(port, bool) or not 0 < port < 65536:
            raise ConfigurationError(
                f"{where}: {port!r} is not a port", "write the port in the container: ports = [5432]"
            )
    return tuple(ports)


def _read_timeout(value: object, where: str) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < 1e6:
        raise ConfigurationError(f"{where}: timeout is {value!r}", "must be a number of seconds")
    return float(value)


def _read_file(text: str, rootdir: Path, where: str) -> ServiceFile:
    source, colon, target = text.removesuffix(":ro").partition(":")
    path = (rootdir / source).resolve()
    if not colon or not path.exists() or not path.is_relative_to(rootdir.resolve()):
        raise ConfigurationError(
            f'{where}: volumes: "{text}" does not name a file of the project',
            "write PATH:TARGET, with a path relative to the rootdir",
        )
    _check_targets((target,), f"{where}: volumes")
    return ServiceFile(source=path, target=target)


def _check_targets(paths: tuple[str, ...], where: str) -> tuple[str, ...]:
    for path in paths:
        if not path.startswith("/") or ".." in path.split("/"):
            raise ConfigurationError(f'{where}: "{path}" is not an absolute path', "write a path of the container")
    return paths
