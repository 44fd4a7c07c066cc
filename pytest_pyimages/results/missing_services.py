"""Find out that tests could not connect to a server, and offer the line that declares it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from pytest_pyimages.project import find_declared_services
from pytest_pyimages.results.missing_modules import IniFile

KEY = "py_images_services"
# The words of the C library and of clients; a name is what cannot be resolved.
_REFUSED = re.compile(
    r"Connection refused|ECONNREFUSED|could not translate host name|Name or service not known"
    r"|Temporary failure in name resolution|getaddrinfo failed"
)
# Registered ports (IANA), and the image that people run on them.
_IMAGES = {
    "5432": "postgres",
    "6379": "redis",
    "3306": "mysql",
    "27017": "mongo",
    "5672": "rabbitmq",
    "9200": "elasticsearch",
    "11211": "memcached",
    "9092": "apache/kafka",
}
_PORT = re.compile(rf"(?<!\d)({'|'.join(_IMAGES)})(?!\d)")


def describe_missing_services(failures: Iterable[str], file: IniFile, project: Path) -> str:
    """Return a note if tests could not connect to a server; empty if they could, or if nothing can be offered.

    :param failures: the texts of failures of images that have no services.
    :param file: where the line is to be written.
    :param project: the project's folder, whose other tools may name the servers.
    """
    refused = [text for text in failures if _REFUSED.search(text)]
    if not refused:
        return ""
    tests = "1 test" if len(refused) == 1 else f"{len(refused)} tests"
    declared = find_declared_services(project)
    if declared:
        names = [f"{service.name}={service.image}" if service.name else service.image for service in declared]
        origin = f"{declared[0].file} starts some"
    else:
        ports = dict.fromkeys(port for text in refused for port in _PORT.findall(text))
        names = [_IMAGES[port] for port in ports]
        origin = f"port {' and '.join(ports)}"
    if not names:
        return ""
    return (
        f"{tests} could not connect to a server ({origin}); add to {file.place}: {file.format_assignment(KEY, names)}"
    )
