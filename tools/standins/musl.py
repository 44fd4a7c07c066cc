"""The steps that build a Python with musl from Debian's source packages, for a root like that of an Alpine image."""

from __future__ import annotations

from tools.standins.apt import PRINT_VERSION, install_step, steps

ROOT_ARCHIVE = "/root.tar"
_ROOT = "/alpine"
_TOOLS = ("musl-tools", "linux-libc-dev", "busybox-static", "bzip2", "perl", "tcl", "xz-utils")
# What pip (zlib, OpenSSL), pytest-cov (SQLite) and many libraries (libffi) cannot do without.
_LIBRARIES = ("libffi", "openssl", "sqlite3", "zlib")
_FOLDERS = "bin dev etc/ssl/certs home lib proc root run sbin sys tmp usr/bin usr/sbin usr/lib usr/share var/tmp"
# musl-gcc is the compiler of glibc's systems, and would name their folders.
_COMPILER = """#!/bin/sh
case "$*" in
  *-print-multiarch) uname -m | sed s/$/-linux-musl/ ;;
  *) exec musl-gcc "$@" ;;
esac
"""
_ACCOUNTS = """cat > etc/passwd <<'END'
root:x:0:0:root:/root:/bin/sh
nobody:x:65534:65534:nobody:/:/sbin/nologin
END
cat > etc/group <<'END'
root:x:0:root
nobody:x:65534:
END"""


def musl_steps(package: str) -> str:
    """Return the shell steps that leave a root at :data:`ROOT_ARCHIVE` of a base system with a compiler.

    :param package: Debian's package of the Python; it is built from the upstream archive, without Debian's changes.
    """
    return steps(
        install_step(*_TOOLS),
        "sed 's/^deb /deb-src /' /etc/apt/sources.list > /etc/apt/sources.list.d/sources.list",
        "apt-get update",
        "mkdir -p /build /musl/include",
        "cd /build",
        f"apt-get source --download-only {package} {' '.join(_LIBRARIES)}",
        "for archive in *.orig.tar.*[z2]; do tar -xf $archive; done",
        # The kernel's headers are those of any C library.
        'ln -s /usr/include/linux /usr/include/asm-generic "/usr/include/$(uname -m)-linux-gnu/asm" /musl/include/',
        f"cat > /usr/bin/musl-cc <<'END'\n{_COMPILER}END",
        "chmod +x /usr/bin/musl-cc",
        'export CC=musl-cc CFLAGS="-O1 -fPIC" OPT=-O1 CPPFLAGS=-I/musl/include LDFLAGS=-L/musl/lib',
        'export MAKEFLAGS="-s -j$(nproc)"',
        *_build("zlib", "./configure --static --prefix=/musl", "install"),
        *_build(
            "libffi",
            "./configure --build=$(uname -m)-linux-musl --disable-shared --disable-multi-os-directory --disable-docs"
            " --prefix=/musl",
            "install",
        ),
        *_build(
            "openssl",
            "./Configure linux-$(uname -m) no-shared no-tests no-async no-engine --libdir=lib --openssldir=/etc/ssl"
            " --prefix=/musl",
            "build_libs install_dev",
        ),
        *_build("sqlite", "./configure --build=$(uname -m)-linux-gnu", "sqlite3.c"),
        "musl-cc $CFLAGS -DSQLITE_ENABLE_FTS5 -c sqlite3.c",
        "ar rcs /musl/lib/libsqlite3.a sqlite3.o",
        "cp sqlite3.h /musl/include/",
        *_build(
            "Python",
            "./configure --build=$(uname -m)-linux-musl --disable-test-modules --without-static-libpython"
            " --with-openssl=/musl --prefix=/usr/local",
            f"install DESTDIR={_ROOT}",
        ),
        *_root_steps(),
    )


def _build(source: str, configure: str, targets: str) -> tuple[str, ...]:
    """Return the steps that configure and make an unpacked source."""
    return f"cd /build/{source}*/", configure, f"nice make {targets}"


def _root_steps() -> tuple[str, ...]:
    """Return the steps that complete the root around the Python, with busybox, and pack it."""
    return (
        f"cd {_ROOT}",
        f"mkdir -p {_FOLDERS}",
        "chmod 1777 tmp var/tmp",
        "cp -L /lib/ld-musl-*.so.1 lib/",
        'ln -s "ld-musl-$(uname -m).so.1" "lib/libc.musl-$(uname -m).so.1"',
        "cp /bin/busybox bin/",
        "chroot . /bin/busybox --install -s",
        "cp /etc/ssl/certs/ca-certificates.crt etc/ssl/certs/",
        "ln -s certs/ca-certificates.crt etc/ssl/cert.pem",
        "cp -r /usr/share/zoneinfo usr/share/",
        _ACCOUNTS,
        "echo 3.23.0 > etc/alpine-release",
        "printf 'ID=alpine\\nNAME=\"Alpine Linux\"\\nVERSION_ID=3.23.0\\n' > etc/os-release",
        "ln -sf python3 usr/local/bin/python",
        "ln -sf pip3 usr/local/bin/pip",
        "find . -name '*.pyc' -delete",
        f"tar -cf {ROOT_ARCHIVE} .",
        f"chroot . /usr/local/bin/python {PRINT_VERSION}",
    )
