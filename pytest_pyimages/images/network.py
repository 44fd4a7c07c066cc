"""How this host reaches package indexes, for the installer inside a build and for nothing else."""

from __future__ import annotations

import configparser
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

# Index, proxy and resolution settings of pip and uv (their documentation's environment variable tables).
PASSED = (
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "PIP_TRUSTED_HOST",
    "PIP_RETRIES",
    "PIP_DEFAULT_TIMEOUT",
    "UV_INDEX",
    "UV_DEFAULT_INDEX",
    "UV_INDEX_URL",
    "UV_EXTRA_INDEX_URL",
    "UV_INDEX_STRATEGY",
    "UV_HTTP_TIMEOUT",
    "UV_INSECURE_HOST",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
)
BUNDLES = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
SYSTEM_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")


@dataclass(frozen=True, slots=True, kw_only=True)
class HostNetwork:
    """What the installer needs to reach the indexes that this host reaches. May hold credentials: never stored."""

    environment: Mapping[str, str]
    certificates: str  # a PEM bundle, or empty


def host_network(environ: Mapping[str, str]) -> HostNetwork:
    """Return this host's settings: the environment first, then pip's configuration files (pip's documented order)."""
    passed = {name: environ[name] for name in PASSED if environ.get(name)}
    configured = _pip_configuration(environ)
    for key, name in (
        ("index-url", "PIP_INDEX_URL"),
        ("extra-index-url", "PIP_EXTRA_INDEX_URL"),
        ("proxy", "HTTPS_PROXY"),
    ):
        if key in configured:
            passed.setdefault(name, configured[key])
    # uv does not read pip's variables.
    for pip_name, uv_name in (("PIP_INDEX_URL", "UV_DEFAULT_INDEX"), ("PIP_EXTRA_INDEX_URL", "UV_INDEX")):
        if pip_name in passed and uv_name not in passed:
            passed[uv_name] = passed[pip_name]
    for name in (
        "PIP_INDEX_URL",
        "PIP_EXTRA_INDEX_URL",
        "UV_INDEX",
        "UV_DEFAULT_INDEX",
        "UV_INDEX_URL",
        "UV_EXTRA_INDEX_URL",
    ):
        if name in passed:
            # A file: index exists on this host only.
            remote = [
                url
                for url in passed[name].split()
                if not url.partition("=")[2].startswith("file:") and not url.startswith("file:")
            ]
            if remote:
                passed[name] = " ".join(remote)
            else:
                del passed[name]
    return HostNetwork(environment=passed, certificates=_certificates(environ, configured))


def _pip_configuration(environ: Mapping[str, str]) -> Mapping[str, str]:
    home = Path.home()
    config_home = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    files = [Path("/etc/pip.conf"), home / ".pip" / "pip.conf", config_home / "pip" / "pip.conf"]
    if environ.get("PIP_CONFIG_FILE"):
        files.append(Path(environ["PIP_CONFIG_FILE"]))
    parser = configparser.RawConfigParser()
    try:
        parser.read(files, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError):
        return {}  # pip itself reports a broken file, and better
    found: dict[str, str] = {}
    for section in ("global", "install"):
        if parser.has_section(section):
            found.update(parser.items(section))
    return found


def _certificates(environ: Mapping[str, str], configured: Mapping[str, str]) -> str:
    named = [environ[name] for name in BUNDLES if environ.get(name)]
    if configured.get("cert"):
        named.append(configured["cert"])
    import ssl  # only a build needs it

    default = ssl.get_default_verify_paths().cafile
    for candidate in (*named, default, *SYSTEM_BUNDLES):
        if candidate and Path(candidate).is_file():
            return Path(candidate).read_text(encoding="utf-8", errors="replace")
    return ""
