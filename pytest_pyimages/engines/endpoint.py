"""Which engine: an explicit address, DOCKER_HOST, the docker command's context, or the first socket that there is."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pytest_pyimages.errors import ConfigurationError

DEFAULT_SOCKET = "/var/run/docker.sock"
SCHEMES = ("unix://", "tcp://", "http://", "https://", "ssh://", "npipe://")
NAME_ONE = "name one with --py-images-engine or DOCKER_HOST"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where an engine is to be asked, and the folder with ca.pem, cert.pem and key.pem if it wants TLS."""

    url: str
    certificates: Path | None = None
    verify: bool = True


def find_endpoint(explicit: str, environ: Mapping[str, str]) -> Endpoint:
    """Return the engine's address; raise ConfigurationError for one that is named and cannot be."""
    if explicit:
        return _checked(explicit, "--py-images-engine", environ)
    if environ.get("DOCKER_HOST"):
        return _checked(environ["DOCKER_HOST"], "DOCKER_HOST", environ)
    folder = Path(environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    name = environ.get("DOCKER_CONTEXT") or _current_context(folder)
    if name and name != "default":
        return _context(folder, name)
    return Endpoint(url=f"unix://{_first_socket(environ)}")


def _checked(url: str, origin: str, environ: Mapping[str, str]) -> Endpoint:
    if not url.startswith(SCHEMES) or len(url.partition("://")[2]) == 0 or not url.isprintable():
        raise ConfigurationError(
            f"--py-images: {origin}={url!r} is not the address of an engine", "write it like unix:///var/run/docker.sock"
        )
    if url.startswith(("tcp://", "https://")) and environ.get("DOCKER_TLS_VERIFY"):
        folder = Path(environ.get("DOCKER_CERT_PATH") or Path.home() / ".docker")
        return Endpoint(url=url, certificates=folder)
    return Endpoint(url=url)


def _current_context(folder: Path) -> str:
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return ""
    except (OSError, ValueError) as error:
        # Another engine than the docker command's must never be taken silently.
        raise ConfigurationError(f"--py-images: {path} cannot be read ({error})", f"mend it, or {NAME_ONE}") from error
    name = config.get("currentContext", "") if isinstance(config, dict) else ""
    return name if isinstance(name, str) else ""


def _context(folder: Path, name: str) -> Endpoint:
    """Read a context as the docker command stores it: folders named by the SHA-256 of its name."""
    digest = hashlib.sha256(name.encode()).hexdigest()
    meta = folder / "contexts" / "meta" / digest / "meta.json"
    try:
        docker = json.loads(meta.read_text(encoding="utf-8"))["Endpoints"]["docker"]
        url = docker["Host"]
    except FileNotFoundError as error:
        raise ConfigurationError(
            f'--py-images: there is no docker context "{name}"', f"see `docker context ls`, or {NAME_ONE}"
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(f"--py-images: docker context {name!r} cannot be read ({meta})", NAME_ONE) from error
    certificates = folder / "contexts" / "tls" / digest / "docker"
    return Endpoint(
        url=str(url),
        certificates=certificates if certificates.is_dir() else None,
        verify=not docker.get("SkipTLSVerify", False),
    )


def _first_socket(environ: Mapping[str, str]) -> str:
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    candidates = [DEFAULT_SOCKET]
    if runtime:
        candidates += [f"{runtime}/docker.sock", f"{runtime}/podman/podman.sock"]
    candidates.append("/run/podman/podman.sock")
    return next((path for path in candidates if os.path.exists(path)), DEFAULT_SOCKET)
