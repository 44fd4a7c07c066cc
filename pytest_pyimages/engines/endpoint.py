"""Find the engine's address: explicit, DOCKER_HOST, the Docker CLI's context, or the first existing socket."""

from __future__ import annotations

import hashlib
import json
import os
import re
import socket
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.text import flatten

DEFAULT_SOCKET = "/var/run/docker.sock"
PODMAN_SOCKET = "/run/podman/podman.sock"
WINDOWS_PIPE = "npipe:////./pipe/docker_engine"
OPEN_SECONDS = 1.0
SCHEMES = ("unix://", "tcp://", "http://", "https://", "ssh://", "npipe://")
NAME_ONE = "name one with --py-images-engine or DOCKER_HOST"
_HEADER = re.compile(r"[!#-'*+.^-`|~0-9A-Za-z-]+: [\t\x20-\x7e\x80-\xff]*")  # RFC 9110, 5.5 and 5.6.2
_PASSWORD = re.compile(r"(//[^/@]*?):[^/@]*@")
_CONTEXT = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.+-]+")  # docker/cli, cli/context/store/store.go


class Endpoint(NamedTuple):
    """The address of an engine, and for TLS the folder with ca.pem, cert.pem and key.pem."""

    url: str
    certificates: Path | None = None
    verify: bool = True
    is_missing: bool = False  # no address is configured, and no socket of an engine exists
    context: str = ""  # name of the Docker context, if it is given explicitly


def find_endpoint(explicit: str, environ: Mapping[str, str]) -> Endpoint:
    """Return the engine's address.

    DOCKER_HOST takes precedence over DOCKER_CONTEXT, as in the Docker CLI.

    :param explicit: an address, or the name of a Docker context; empty if the user names none.
    :raises ConfigurationError: if the configured address is invalid, or the context does not exist.
    """
    if _CONTEXT.fullmatch(explicit):
        # As in the Docker CLI, "default" is no stored context, and stands for DOCKER_HOST.
        others = {name: value for name, value in environ.items() if name != "DOCKER_HOST" or explicit == "default"}
        return find_endpoint("", {**others, "DOCKER_CONTEXT": explicit})._replace(context=explicit)
    if explicit:
        return _with_tls(_check(explicit, "--py-images-engine"), environ)
    if environ.get("DOCKER_HOST"):
        return _with_tls(_check(environ["DOCKER_HOST"], "DOCKER_HOST"), environ)
    folder = _config_folder(environ)
    name = environ.get("DOCKER_CONTEXT") or _current_context(folder / "config.json")
    if name and name != "default":
        return _read_context(folder, name)
    return Endpoint(url=WINDOWS_PIPE) if sys.platform == "win32" else _find_socket(environ)


def make_address_error(url: str, origin: str, why: str = "") -> ConfigurationError:
    """Return the error for an invalid address; a password in it is not shown."""
    shown = flatten(_PASSWORD.sub(r"\1:...@", url))
    return ConfigurationError(
        f'--py-images: {origin}: "{shown}" is not an engine address{why and f" ({why})"}',
        "examples: unix:///var/run/docker.sock, tcp://127.0.0.1:2375",
    )


def _check(url: str, origin: str) -> str:
    if not url.startswith(SCHEMES) or not url.partition("://")[2] or not url.isprintable() or " " in url:
        raise make_address_error(url, origin)
    if _PASSWORD.search(url):
        raise make_address_error(url, origin, "it contains a password")
    return url


def _with_tls(url: str, environ: Mapping[str, str]) -> Endpoint:
    """Add the certificates of DOCKER_TLS_VERIFY, DOCKER_TLS and DOCKER_CERT_PATH (variables of the Docker CLI)."""
    verify = bool(environ.get("DOCKER_TLS_VERIFY"))
    if not url.startswith(("tcp://", "https://")) or not (verify or environ.get("DOCKER_TLS")):
        return Endpoint(url=url)
    named = environ.get("DOCKER_CERT_PATH")
    folder = Path(named) if named else _config_folder(environ)
    if named and not folder.is_dir():
        raise ConfigurationError(f"--py-images: DOCKER_CERT_PATH: folder {folder} does not exist", "fix or unset it")
    return Endpoint(url=url, certificates=folder, verify=verify)


def _config_folder(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("DOCKER_CONFIG") or Path.home() / ".docker")


def _current_context(path: Path) -> str:
    try:
        name = json.loads(path.read_text(encoding="utf-8")).get("currentContext", "")
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        # Never silently use another engine than the Docker CLI would.
        why = error.strerror if isinstance(error, OSError) else "not a JSON object"
        raise ConfigurationError(f"--py-images: {path} cannot be read ({why})", f"fix it, or {NAME_ONE}") from error
    if not isinstance(name, str):
        raise ConfigurationError(f"--py-images: currentContext in {path} is not a name", f"fix it, or {NAME_ONE}")
    return name


def read_headers(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that the Docker CLI's configuration adds to requests.

    :raises ConfigurationError: for a configuration that is no object, or whose headers or logins are invalid.
    """
    try:
        config = json.loads((_config_folder(environ) / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):  # as docker-py, to which it may be of an older kind
        return {}
    try:
        logins = config.get("auths") or {}
        if not all(isinstance(login, dict) for login in logins.values()):
            raise TypeError("a login is not an object")
        headers = {str(name): str(value) for name, value in (config.get("HttpHeaders") or {}).items()}
    except (AttributeError, TypeError) as error:
        raise make_configuration_error(error) from error
    for name, value in headers.items():
        if not _HEADER.fullmatch(f"{name}: {value}"):
            raise make_configuration_error(f"the header {name!r} is invalid")  # its value may be secret
    return headers


def make_configuration_error(error: Exception | str) -> ConfigurationError:
    folder = os.environ.get("DOCKER_CONFIG") or "~/.docker"
    return ConfigurationError(
        f"--py-images: docker's configuration in {folder} cannot be used ({flatten(error)})",
        "fix its config.json",
    )


def _read_context(folder: Path, name: str) -> Endpoint:
    """Read a context as the Docker CLI stores it: in folders named by the SHA-256 of its name."""
    digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()
    meta, shown = folder / "contexts" / "meta" / digest / "meta.json", flatten(name)
    try:
        docker = json.loads(meta.read_text(encoding="utf-8"))["Endpoints"]["docker"]
        url, verify = str(docker["Host"]), not docker.get("SkipTLSVerify", False)
    except FileNotFoundError as error:
        raise ConfigurationError(
            f'--py-images: docker context "{shown}" does not exist', f"see `docker context ls`, or {NAME_ONE}"
        ) from error
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ConfigurationError(f'--py-images: docker context "{shown}" cannot be read ({meta})', NAME_ONE) from error
    certificates = folder / "contexts" / "tls" / digest / "docker"
    return Endpoint(
        url=_check(url, f'docker context "{shown}"'),
        certificates=certificates if certificates.is_dir() else None,
        verify=verify,
    )


def _find_socket(environ: Mapping[str, str]) -> Endpoint:
    """Return the first socket that an engine listens on; else the first one that exists, or the default."""
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    candidates = [DEFAULT_SOCKET]
    if runtime:
        candidates += [f"{runtime}/docker.sock", f"{runtime}/podman/podman.sock"]
    candidates += [PODMAN_SOCKET, *_list_desktop_sockets(environ)]
    present = [path for path in candidates if os.access(path, os.F_OK)]
    path = next((path for path in present if is_open(path)), (*present, DEFAULT_SOCKET)[0])
    return Endpoint(url=f"unix://{path}", is_missing=not present)


def _list_desktop_sockets(environ: Mapping[str, str]) -> list[str]:
    """Return where engines that run in a virtual machine of this user put their sockets."""
    home = Path.home()
    colima = Path(environ.get("COLIMA_HOME") or home / ".colima")
    configured = Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "colima"  # since Colima 0.6, if it is new
    data = Path(environ.get("XDG_DATA_HOME") or home / ".local/share")
    machines = data / "containers/podman/machine"
    profile = environ.get("COLIMA_PROFILE") or "default"
    sockets = [
        home / ".docker/run/docker.sock",  # Docker Desktop on macOS
        home / ".docker/desktop/docker.sock",  # and on Linux
        home / ".orbstack/run/docker.sock",
        home / ".rd/docker.sock",  # Rancher Desktop
        colima / profile / "docker.sock",
        configured / profile / "docker.sock",
        Path(tempfile.gettempdir()) / "podman/podman-machine-default-api.sock",  # Podman 5 on macOS
        machines / "podman.sock",
        *sorted(machines.glob("*/podman.sock")),
    ]
    return [str(path) for path in sockets]


def is_open(path: str) -> bool:
    """Return whether an engine may listen on a socket: only one without a listener is refused for good."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(OPEN_SECONDS)
        try:
            connection.connect(path)
        except (ConnectionRefusedError, FileNotFoundError, NotADirectoryError):
            return False
        except OSError:  # such as a permission, whose error has a hint of its own
            return True
    return True
