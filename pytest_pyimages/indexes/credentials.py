"""Read the host's netrc file, certificate authorities and client certificate."""

from __future__ import annotations

import netrc
import os
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

_ENTRY = re.compile(r"(?<!\S)(?=(?:machine|default|macdef)(?:\s|$))")
_MACHINE = re.compile(r"machine\s+(\S+)")
_PASSWORD = re.compile(r"\b(?:password|passwd|account)\s+(\"(?:[^\"\\]|\\.)*\"|\S+)")
# pip: "SSL Certificate Verification", with what requests reads; uv: "TLS certificates".
PIP_BUNDLES = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
UV_BUNDLES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
SYSTEM_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
_CERTIFICATE = re.compile(r"-----BEGIN (TRUSTED )?CERTIFICATE-----.*?-----END (TRUSTED )?CERTIFICATE-----", re.DOTALL)


def find_netrc(environ: Mapping[str, str], home: Path) -> Path | None:
    """Return the file that NETRC names, or .netrc or _netrc in the home folder; None if there is none."""
    candidates = [Path(environ["NETRC"]).expanduser()] if environ.get("NETRC") else [home / ".netrc", home / "_netrc"]
    return next((path for path in candidates if path.is_file()), None)


def read_netrc(path: Path | None) -> str:
    """Return the text of a netrc file; empty if it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace") if path is not None else ""
    except OSError:
        return ""


def select_logins(text: str, hosts: Collection[str]) -> str:
    """Return those entries of a netrc file's text that are for some hosts, or for all."""
    machines = ((entry, _MACHINE.match(entry)) for entry in _ENTRY.split(text))
    return "".join(
        entry for entry, machine in machines if (machine[1] in hosts if machine else entry.startswith("default"))
    )


def find_passwords(text: str) -> tuple[str, ...]:
    """Return all passwords in a netrc file, even if it is malformed."""
    found = [match[1] for match in _PASSWORD.finditer(text)]
    quoted = [re.sub(r"\\(.)", r"\1", value[1:-1]) for value in found if value.startswith('"')]
    return tuple(dict.fromkeys([*found, *quoted]))


def find_login(path: Path | None, host: str) -> tuple[str, str]:
    """Return name and password for a host; empty if the netrc file has none."""
    parsed = _parse_netrc(path)
    entry = parsed.authenticators(host) if parsed is not None else None
    return (entry[0] or "", entry[2] or "") if entry else ("", "")


def read_logins(path: Path | None) -> tuple[tuple[str, str], ...]:
    """Return all names and passwords of a netrc file."""
    parsed = _parse_netrc(path)
    return tuple((entry[0] or "", entry[2] or "") for entry in parsed.hosts.values()) if parsed is not None else ()


def _parse_netrc(path: Path | None) -> netrc.netrc | None:
    try:
        return netrc.netrc(str(path)) if path is not None else None
    except (OSError, UnicodeDecodeError, netrc.NetrcParseError):
        return None


def read_authorities(environ: Mapping[str, str], pip_cert: str) -> str:
    """Return the certificate authorities that pip or uv trusts on this host, as PEM; empty if there are none.

    Both tools get all of them: a tool without a bundle of its own trusts the system's.

    :param pip_cert: pip's option ``cert``.
    """
    pip = [name for name in (pip_cert, *(environ.get(variable, "") for variable in PIP_BUNDLES)) if name]
    uv = [name for variable in UV_BUNDLES for name in environ.get(variable, "").split(os.pathsep) if name]
    system = [name for name in SYSTEM_BUNDLES if Path(name).is_file()][:1] if not pip or not uv else []
    texts = (text for name in (*pip, *uv, *system) for text in _read_texts(Path(name)))
    found = dict.fromkeys(block[0] for text in texts for block in _CERTIFICATE.finditer(text))
    return "".join(f"{block}\n" for block in found)


def read_client_certificate(environ: Mapping[str, str], pip_client_cert: str) -> str:
    """Return this host's client certificate with its key, as PEM; empty if there is none."""
    files = [Path(name) for name in (pip_client_cert, environ.get("SSL_CLIENT_CERT", "")) if name]
    return next((text for path in files if path.is_file() for text in _read_texts(path)), "")


def _read_texts(path: Path) -> Iterator[str]:
    """Yield the text of a file, or of all files of a folder; skip those that cannot be read."""
    try:
        paths = sorted(path.iterdir()) if path.is_dir() else [path]
    except OSError:
        return
    for file in paths:
        try:
            yield file.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
