"""Find the engine's address: explicit, DOCKER_HOST, the Docker CLI's context, or the first existing socket."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.text import flatten

DEFAULT_SOCKET = "/var/run/docker.sock"
PODMAN_SOCKET = "/run/podman/podman.sock"
SCHEMES = ("unix://", "tcp://", "http://", "https://", "ssh://", "npipe://")
NAME_ONE = "name one with --py-images-engine or DOCKER_HOST"
_PASSWORD = re.compile(r"(//[^/@]*?):[^/@]*@")


class Endpoint(NamedTuple):
    """The address of an engine, and for TLS the folder with ca.pem, cert.pem and key.pem."""

    url: str
    certificates: Path | None = None
    verify: bool = True


def find_endpoint(explicit: str, environ: Mapping[str, str]) -> Endpoint:
    """Return the engine's address.

    DOCKER_HOST takes precedence over DOCKER_CONTEXT, as in the Docker CLI.

    :raises ConfigurationError: if the configured address is invalid.
    """
    if explicit:
        return _with_tls(_check(explicit, "--py-images-engine"), environ)
    if environ.get("DOCKER_HOST"):
        return _with_tls(_check(environ["DOCKER_HOST"], "DOCKER_HOST"), environ)
    folder = _config_folder(environ)
    name = environ.get("DOCKER_CONTEXT") or _current_context(folder / "config.json")
    if name and name != "default":
        return _read_context(folder, name)
    return Endpoint(url=f"unix://{_find_socket(environ)}")


def invalid_address(url: str, origin: str, why: str = "") -> ConfigurationError:
    """Return the error for an invalid address; a password in it is not shown."""
    shown = flatten(_PASSWORD.sub(r"\1:...@", url))
    return ConfigurationError(
        f'--py-images: {origin}: "{shown}" is not an engine address{why and f" ({why})"}',
        "examples: unix:///var/run/docker.sock, tcp://127.0.0.1:2375",
    )


def _check(url: str, origin: str) -> str:
    if not url.startswith(SCHEMES) or not url.partition("://")[2] or not url.isprintable() or " " in url:
        raise invalid_address(url, origin)
    if _PASSWORD.search(url):
        raise invalid_address(url, origin, "it contains a password")
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


def _find_socket(environ: Mapping[str, str]) -> str:
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    candidates = [DEFAULT_SOCKET]
    if runtime:
        candidates += [f"{runtime}/docker.sock", f"{runtime}/podman/podman.sock"]
    candidates.append(PODMAN_SOCKET)
    return next((path for path in candidates if os.access(path, os.F_OK)), DEFAULT_SOCKET)
