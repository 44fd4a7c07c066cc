"""Whom this host trusts, and with which certificate it shows itself."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

# pip: "SSL Certificate Verification", with what requests reads; uv: "TLS certificates".
PIP_BUNDLES = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
UV_BUNDLES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
SYSTEM_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
_CERTIFICATE = re.compile(r"-----BEGIN (TRUSTED )?CERTIFICATE-----.*?-----END (TRUSTED )?CERTIFICATE-----", re.DOTALL)


def authorities(environ: Mapping[str, str], pip_cert: str) -> str:
    """Return the authorities that pip or uv trusts on this host, as PEM, each one once; empty if there are none.

    Both get all of them: a tool that has no bundle named trusts the system's here, and so it does inside.

    :param pip_cert: what pip's configuration names, variables included.
    """
    pip = [name for name in (pip_cert, *(environ.get(variable, "") for variable in PIP_BUNDLES)) if name]
    uv = [name for variable in UV_BUNDLES for name in environ.get(variable, "").split(os.pathsep) if name]
    system = [next((name for name in SYSTEM_BUNDLES if Path(name).is_file()), "")] if not pip or not uv else []
    found: dict[str, None] = {}
    for name in (*pip, *uv, *system):
        for text in _texts(Path(name)) if name else ():
            found.update((block[0], None) for block in _CERTIFICATE.finditer(text))
    return "".join(f"{block}\n" for block in found)


def client_certificate(environ: Mapping[str, str], pip_client_cert: str) -> str:
    """Return this host's certificate with its key, as PEM; empty if there is none."""
    for name in (pip_client_cert, environ.get("SSL_CLIENT_CERT", "")):
        texts = tuple(_texts(Path(name))) if name and Path(name).is_file() else ()
        if texts:
            return texts[0]
    return ""


def _texts(path: Path) -> Iterator[str]:
    """Yield what a file holds, or the files of a folder; what cannot be read is no certificate."""
    try:
        paths = sorted(path.iterdir()) if path.is_dir() else [path]
    except OSError:
        return
    for one in paths:
        try:
            yield one.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
