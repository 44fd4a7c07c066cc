"""Map modules to the distributions that contain them, for hints about failed imports."""

from __future__ import annotations

import re
import sys
from importlib import metadata

from packaging.utils import canonicalize_name

from pytest_pyimages.project.known_plugins import KNOWN_PLUGINS

# Pairs of a module and its distribution where the names differ; many other distributions are named as their module.
_PAIRS = """
    _cffi_backend cffi  _pytest pytest  _yaml PyYAML  attr attrs  barcode python-barcode  Bio biopython
    box python-box  bs4 beautifulsoup4  bson pymongo  can python-can  community python-louvain
    corsheaders django-cors-headers  crontab python-crontab  Crypto pycryptodome  Cryptodome pycryptodomex
    cv2 opencv-python  dateutil python-dateutil  debug_toolbar django-debug-toolbar  decouple python-decouple
    discord discord.py  django_filters django-filter  dns dnspython  docx python-docx  dotenv python-dotenv
    engineio python-engineio  environ django-environ  faiss faiss-cpu  ffmpeg ffmpeg-python  fitz PyMuPDF
    frontmatter python-frontmatter  gi PyGObject  git GitPython  github PyGithub  gitlab python-gitlab
    google.api_core google-api-core  google.auth google-auth  google.oauth2 google-auth  google.protobuf protobuf
    google.rpc googleapis-common-protos  googleapiclient google-api-python-client  gridfs pymongo  grpc grpcio
    grpc_health grpcio-health-checking  grpc_status grpcio-status  grpc_tools grpcio-tools  hcl2 python-hcl2
    impala impyla  jenkins python-jenkins  jose python-jose  jwt PyJWT  kafka kafka-python  keycloak python-keycloak
    ldap python-ldap  magic python-magic  memcache python-memcached  mpl_toolkits matplotlib
    multipart python-multipart  MySQLdb mysqlclient  nacl PyNaCl  nmap python-nmap  OpenGL PyOpenGL
    OpenSSL pyOpenSSL  opentelemetry opentelemetry-api  opentelemetry.sdk opentelemetry-sdk  osgeo GDAL
    pam python-pam  PIL pillow  pkg_resources setuptools<81  playhouse peewee  polymorphic django-polymorphic
    pptx python-pptx  psycopg2 psycopg2-binary  pwiz peewee  pylab matplotlib  pythonjsonlogger python-json-logger
    pywt PyWavelets  rapidjson python-rapidjson  rest_framework djangorestframework  ruamel ruamel.yaml
    saml2 pysaml2  serial pyserial  shapefile pyshp  skimage scikit-image  sklearn scikit-learn
    skopt scikit-optimize  slugify python-slugify  snappy python-snappy  socketio python-socketio  socks PySocks
    sockshandler PySocks  speech_recognition SpeechRecognition  stdnum python-stdnum  telegram python-telegram-bot
    tlz toolz  umap umap-learn  usb pyusb  websocket websocket-client  wx wxPython  xdist pytest-xdist
    Xlib python-xlib  xprocess pytest-xprocess  yaml PyYAML  zmq pyzmq
"""
# Well-known distributions that are named as their module. Others are not recommended: anybody could register the name.
_SAME_NAMES = frozenset(
    """
    aiohttp aiosqlite alembic anyio arrow babel boto3 botocore cattrs celery certifi cffi chardet click colorama
    coverage cryptography cython dask defusedxml dill django docker docutils fastapi filelock flask freezegun
    greenlet gunicorn h5py html5lib httpx hypothesis idna importlib-metadata importlib-resources jinja2 jsonschema
    jupyter keyring kombu librosa lxml mako mariadb markdown markupsafe marshmallow matplotlib mock moto msgpack mypy
    networkx nltk nose nox numba numpy openpyxl orjson packaging pandas paramiko parameterized passlib peewee pexpect
    pip platformdirs plotly pluggy polars portalocker psutil psycopg py pyarrow pydantic pygments pyparsing pyperclip
    pyramid pytest pytz rdflib redis regex requests requests-mock responses respx rich ruff scipy seaborn selenium
    setuptools shapely simplejson six sphinx sqlalchemy starlette statsmodels structlog sympy tabulate tenacity
    testfixtures time-machine toml tomli tomli-w tomlkit toolz torch tornado tox tqdm trio twisted typeguard typer
    typing-extensions tzdata tzlocal ujson urllib3 uvicorn uvloop vcrpy virtualenv watchdog werkzeug wheel wrapt xarray
    xlrd xlsxwriter xmltodict xxhash yarl
    """.split()
)
_DISTRIBUTIONS: dict[str, str] = dict(re.findall(r"(\S+) (\S+)", _PAIRS))
# Namespace packages, and the distribution that contains a part of one.
_SHARED = {
    "google.cloud": "google-cloud-{}",
    "backports": "backports.{}",
    "jaraco": "jaraco.{}",
    "sphinxcontrib": "sphinxcontrib-{}",
    "zope": "zope.{}",
    "google": "",
    "azure": "",
}
# Removed from the standard library in 3.x, and the distribution that continues it ("What's New in Python" 3.12, 3.13).
_REMOVED = {
    "asynchat": (12, "pyasynchat"),
    "asyncore": (12, "pyasyncore"),
    "distutils": (12, "setuptools"),
    "imp": (12, ""),
    "smtpd": (12, "standard-smtpd"),
    **dict.fromkeys(("cgi", "cgitb"), (13, "legacy-cgi")),
    "audioop": (13, "audioop-lts"),
    **{
        name: (13, f"standard-{name}")
        for name in "aifc chunk imghdr mailcap nntplib pipes sndhdr sunau telnetlib uu xdrlib".split()
    },
    **dict.fromkeys(("crypt", "lib2to3", "msilib", "nis", "ossaudiodev", "spwd"), (13, "")),
}

# Modules of newer standard libraries that the host's may lack ("What's New in Python" 3.11, 3.14 and 3.15).
_ADDED = ("tomllib", "annotationlib", "compression", "profiling")
# The standard library's own tests: sys.stdlib_module_names leaves them out, and so do the official images, whose
# Dockerfile removes the folders with the other names, too (docker-library/python).
_TESTS = ("test", "_testcapi")
_TEST_FOLDERS = frozenset({"test", "tests", "idle_test"})


def find_distribution(module: str) -> str:
    """Return a requirement for the distribution that contains a module; empty if the name does not identify one.

    :param module: with as many dots as are known: "google.protobuf.message".
    """
    parts = module.split(".")
    for end in range(len(parts), 0, -1):
        name = ".".join(parts[:end])
        if name in _DISTRIBUTIONS:
            return _DISTRIBUTIONS[name]
        if name in _SHARED:
            return _SHARED[name].format(parts[end]) if end < len(parts) else ""
    if parts[0] in _REMOVED:
        return _REMOVED[parts[0]][1]
    return "" if parts[0].startswith("_") or is_in_standard_library(module) else canonicalize_name(parts[0])


def is_known(distribution: str) -> bool:
    """Return whether a distribution of this name is known to be what is meant, so that it can be recommended.

    It is one of the tables, or installed on this host.
    """
    if distribution in {*_DISTRIBUTIONS.values(), *KNOWN_PLUGINS, *(name for _, name in _REMOVED.values())}:
        return True
    if canonicalize_name(distribution) in _SAME_NAMES or any(_fills(form, distribution) for form in _SHARED.values()):
        return True
    try:
        metadata.distribution(distribution)
    except (metadata.PackageNotFoundError, ValueError):
        return False
    return True


def _fills(form: str, distribution: str) -> bool:
    start, _, _ = form.partition("{}")
    return bool(start) and distribution.startswith(start)


def is_in_standard_library(module: str) -> bool:
    """Return whether a module is in the standard library of this or another Python."""
    return module.partition(".")[0] in {*sys.stdlib_module_names, *_REMOVED, *_ADDED, *_TESTS}


def is_test_of_standard_library(module: str) -> bool:
    """Return whether a module belongs to the standard library's own tests, such as ``test.support``."""
    return is_in_standard_library(module) and not _TEST_FOLDERS.isdisjoint(module.split("."))


def get_removal_version(module: str) -> str:
    """Return the first Python whose standard library lacks a module; empty for modules that were not removed."""
    removed = _REMOVED.get(module.partition(".")[0])
    return f"3.{removed[0]}" if removed else ""
