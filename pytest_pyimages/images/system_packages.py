"""Debian's packages for what builds of distributions look for: headers, programs and libraries.

Each is the package that contains the file, as packages.debian.org lists it.
"""

from __future__ import annotations

from collections.abc import Iterable

_PACKAGES = {
    "default-libmysqlclient-dev": "mysql.h mysql_config mysqlclient libmysqlclient mariadb_config mariadb libmariadb",
    "gfortran": "gfortran",
    "libcairo2-dev": "cairo.h cairo",
    "libcurl4-openssl-dev": "curl/curl.h curl-config libcurl",
    "libdbus-1-dev": "dbus/dbus.h dbus-1",
    "libffi-dev": "ffi.h libffi",
    "libgirepository1.0-dev": "gobject-introspection-1.0 girepository-1.0",
    "libglib2.0-dev": "glib.h glib-2.0",
    "libgmp-dev": "gmp.h gmp",
    "libjpeg-dev": "jpeglib.h libjpeg jpeg",
    "libkrb5-dev": "krb5.h gssapi.h gssapi/gssapi.h krb5-config",
    "libldap-dev": "ldap.h lber.h",
    "libpcap-dev": "pcap.h pcap.h",
    "libpq-dev": "libpq-fe.h pg_config libpq",
    "libsasl2-dev": "sasl/sasl.h sasl.h",
    "libsqlite3-dev": "sqlite3.h sqlite3",
    "libssl-dev": "openssl/ssl.h openssl/opensslv.h openssl",
    "libsystemd-dev": "systemd/sd-daemon.h systemd/sd-journal.h libsystemd",
    "libxml2-dev": "libxml/xmlversion.h libxml/parser.h xml2-config libxml-2.0 libxml2",
    "libxslt1-dev": "libxslt/xslt.h libxslt/xsltconfig.h xslt-config libxslt",
    "libyaml-dev": "yaml.h yaml-0.1",
    "unixodbc-dev": "sql.h sqlext.h",
    "zlib1g-dev": "zlib.h zlib",
    **{name: name for name in ("cmake", "git", "make", "ninja-build", "pkg-config", "swig")},
}
_BY_FILE = {file: package for package, files in _PACKAGES.items() for file in files.split()}


def find_packages(files: Iterable[str]) -> tuple[str, ...]:
    """Return the packages that contain these headers, programs or libraries, without those that are not known."""
    return tuple(dict.fromkeys(_BY_FILE[file] for file in files if file in _BY_FILE))
