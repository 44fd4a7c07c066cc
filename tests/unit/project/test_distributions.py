"""The distributions that contain modules."""

from __future__ import annotations

import pytest
from packaging.requirements import Requirement

from pytest_pyimages.project import distributions
from pytest_pyimages.project.distributions import (
    find_distribution,
    get_removal_version,
    is_in_standard_library,
    is_known,
)


@pytest.mark.parametrize(
    ("module", "distribution"),
    [
        ("requests", "requests"),
        ("requests.adapters", "requests"),
        ("typing_extensions", "typing-extensions"),
        ("pytest_mock", "pytest-mock"),
        ("xdist", "pytest-xdist"),
        ("yaml", "PyYAML"),
        ("PIL.Image", "pillow"),
        ("cv2", "opencv-python"),
        ("sklearn.svm", "scikit-learn"),
        ("bs4", "beautifulsoup4"),
        ("dateutil.parser", "python-dateutil"),
        ("attr", "attrs"),
        ("OpenSSL", "pyOpenSSL"),
        ("Crypto.Cipher", "pycryptodome"),
        ("google.protobuf.message", "protobuf"),
        ("google.cloud.storage", "google-cloud-storage"),
        ("google.cloud", ""),
        ("google", ""),
        ("zope.interface", "zope.interface"),
        ("backports.zoneinfo", "backports.zoneinfo"),
        ("pkg_resources", "setuptools<81"),
        ("distutils.core", "setuptools"),
        ("telnetlib", "standard-telnetlib"),
        ("imp", ""),
        ("tomllib", ""),
        ("test.support", ""),  # never the distribution of that name
        ("_speedups", ""),
    ],
)
def test_distribution_of_a_module(module: str, distribution: str) -> None:
    assert find_distribution(module) == distribution


def test_distributions_are_valid_requirements() -> None:
    named = {find_distribution(module) for module in (*distributions._DISTRIBUTIONS, *distributions._REMOVED)}
    assert len(named) > 100
    assert {Requirement(name).name for name in named if name}


def test_modules_of_the_standard_library() -> None:
    assert is_in_standard_library("tomllib")
    assert is_in_standard_library("annotationlib")  # whatever Python runs this test
    assert is_in_standard_library("distutils.core")
    assert not is_in_standard_library("requests")
    assert get_removal_version("imp") == "3.12"
    assert get_removal_version("cgi") == "3.13"
    assert get_removal_version("tomllib") == get_removal_version("requests") == ""


@pytest.mark.parametrize("name", ["requests", "PyYAML", "google-cloud-storage", "pytest-xdist", "pluggy"])
def test_known_distributions(name: str) -> None:
    assert is_known(name)


@pytest.mark.parametrize("name", ["vscode-pytest", "my-company-tools", "no such name"])
def test_names_that_nobody_should_be_told_to_install(name: str) -> None:
    assert not is_known(name)
