"""Parse a matrix into labels and references."""

from __future__ import annotations

import pytest

from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.matrix import ImageTag, ProjectPythons, parse_matrix, read_label

HEX = "0123456789abcdef" * 4


def labels(*specs: str, registry: str = "") -> list[str]:
    """Labels, with the "?" of those that are allowed to fail."""
    return [tag.label + "?" * tag.allowed_to_fail for tag in parse_matrix(specs, registry=registry)]


@pytest.mark.parametrize(
    ("spec", "reference", "interpreter"),
    [
        ("3.14t", "python:3.14", "3.14t"),
        ("3.14t-slim", "python:3.14-slim", "3.14t"),
        ("3.16t-rc-slim", "python:3.16-rc-slim", "3.16t"),
        ("3.13t-alpine3.22", "python:3.13-alpine3.22", "3.13t"),
        (f"3.14t@sha256:{HEX}", f"python:3.14@sha256:{HEX}", "3.14t"),
    ],
)
def test_free_threaded_pythons_are_added_to_the_plain_image(spec: str, reference: str, interpreter: str) -> None:
    (tag,) = parse_matrix([spec])
    assert (tag.reference, tag.interpreter) == (reference, interpreter)
    assert tag == read_label(tag.label, reference)


def test_free_threaded_pythons_are_images_of_their_own() -> None:
    assert labels("3.{13,14}{,t}{,-slim?}", "3.14t+lowest,3.14t@linux/arm64") == [
        *("3.13", "3.13-slim?", "3.13t", "3.13t-slim?", "3.14", "3.14-slim?", "3.14t", "3.14t-slim?"),
        *("3.14t+lowest", "3.14t@linux/arm64"),
    ]
    assert labels("3.13t..3.15t-slim?") == ["3.13t-slim?", "3.14t-slim?", "3.15t-slim?"]


PLAIN = [
    "3",
    "3.12",
    "3.10",
    "3.5",
    "2.7",
    "3.13.5",
    "3.13.99",
    "3.14-slim",
    "3.13.5-slim-bookworm",
    "3.13.5-slim-trixie",
    "3.12-bookworm",
    "3.12-alpine",
    "3.12-alpine3.22",
    "3.15-rc",
    "3.16-rc",
    "3.15-rc-slim-bookworm",
    "3.16-rc-slim",
    "3.15.0rc2-slim",
    "3.16.0a3",
    "3.16.0b1-alpine3.24",
    "3-slim",
    "2-slim",
    "latest",
    "slim",
    "bookworm",
    "slim-trixie",
    "alpine",
    "alpine3.22",
    "2.7.18-slim-buster",
    "3.12-windowsservercore",
    "3.12-windowsservercore-ltsc2022",
    "3.6-windowsservercore-1809",
    "3.15-slim-forky",
]


@pytest.mark.parametrize("tag", PLAIN)
def test_a_plain_tag_is_its_own_label(tag: str) -> None:
    assert (ImageTag(label=tag, reference=f"python:{tag}", allowed_to_fail=False),) == parse_matrix([tag])


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param("3.12,3.14-slim,3.15-rc?", ["3.12", "3.14-slim", "3.15-rc?"], id="list"),
        pytest.param("3.10..3.14", ["3.10", "3.11", "3.12", "3.13", "3.14"], id="range"),
        pytest.param("3.9..3.11-slim", ["3.9-slim", "3.10-slim", "3.11-slim"], id="range-suffix"),
        pytest.param("3.12..3.13-slim-bookworm?", ["3.12-slim-bookworm?", "3.13-slim-bookworm?"], id="range-allowed"),
        pytest.param("3.12..3.12", ["3.12"], id="range-of-one"),
        pytest.param("2.7..3.6", ["2.7", "3.6"], id="range-over-majors"),
        pytest.param("3.{13..14}{,-slim}", ["3.13", "3.13-slim", "3.14", "3.14-slim"], id="braces"),
        pytest.param("{3.12,3.14-slim}", ["3.12", "3.14-slim"], id="comma-inside-braces"),
        pytest.param("3.11,{3.12,3.14-slim},3.15", ["3.11", "3.12", "3.14-slim", "3.15"], id="braces-in-a-list"),
        pytest.param("{3.12,3.{13,14}-slim}", ["3.12", "3.13-slim", "3.14-slim"], id="nested"),
        pytest.param("3.{10..11,14}", ["3.10", "3.11", "3.14"], id="numbers-and-words"),
        pytest.param("3.{12}", ["3.12"], id="one-alternative"),
        pytest.param("{3.10..3.11,3.14}-slim", ["3.10-slim", "3.11-slim", "3.14-slim"], id="range-in-braces"),
        pytest.param("3.12..3.1{3,4}-slim", ["3.12-slim", "3.13-slim", "3.14-slim"], id="braces-in-a-range"),
        pytest.param("{3.12,3.14}-slim?", ["3.12-slim?", "3.14-slim?"], id="allowed-all"),
        pytest.param("{3.12,3.16-rc?}", ["3.12", "3.16-rc?"], id="allowed-one"),
        pytest.param("ghcr.io/x/py:{3.12,3.13}", ["ghcr.io/x/py:3.12", "ghcr.io/x/py:3.13"], id="reference-braces"),
        pytest.param("rc,next,rc-slim?", ["3.16-rc", "3.16-rc-slim?"], id="prerelease"),
        pytest.param("{oldest,latest,next}-slim", ["3.11-slim", "slim", "3.16-rc-slim"], id="words-in-braces"),
        pytest.param("latest", ["latest"], id="latest"),
        pytest.param("supported", ["3.11", "3.12", "3.13", "3.14", "3.15"], id="supported"),
        pytest.param("supported-alpine?", [f"3.{minor}-alpine?" for minor in range(11, 16)], id="supported-alpine"),
        pytest.param("auto-slim", [f"3.{minor}-slim" for minor in range(11, 16)], id="auto-suffix"),
        pytest.param(" 3.12 ,\t3.13 ", ["3.12", "3.13"], id="space-around"),
        pytest.param("\n3.12\n  3.13\r\n\n3.14-slim?\n", ["3.12", "3.13", "3.14-slim?"], id="lines"),
        pytest.param("3.12,\n3.13 ,\n3.14,\n", ["3.12", "3.13", "3.14"], id="comma-at-line-end"),
        pytest.param("3.12\n3.13,3.14", ["3.12", "3.13", "3.14"], id="lines-and-commas"),
    ],
)
def test_entries_expand_in_order(spec: str, expected: list[str]) -> None:
    assert expected == labels(spec)


def test_specs_are_concatenated() -> None:
    assert ["3.12", "3.14", "3.13?"] == labels("3.12,3.14", "3.13?")


def test_no_specs_give_no_images() -> None:
    assert () == parse_matrix([])


@pytest.mark.parametrize(
    ("spec", "label", "reference"),
    [
        ("pypy:3.11-slim", "pypy:3.11-slim", "pypy:3.11-slim"),
        ("registry.example/python:3.12", "registry.example/python:3.12", "registry.example/python:3.12"),
        ("localhost:5000/python", "localhost:5000/python", "localhost:5000/python:latest"),
        ("demisto/python3", "demisto/python3", "demisto/python3:latest"),
        ("python:3.17", "python:3.17", "python:3.17"),
        ("python:3.12-slimm", "python:3.12-slimm", "python:3.12-slimm"),
        (
            "Registry.Example/a__b/c--d.e:V_1.0",
            "Registry.Example/a__b/c--d.e:V_1.0",
            "Registry.Example/a__b/c--d.e:V_1.0",
        ),
        (f"x/y@sha256:{HEX}", "x/y@sha256:0123456789ab", f"x/y@sha256:{HEX}"),
        (f"python:3.12@sha256:{HEX}", "python:3.12@sha256:0123456789ab", f"python:3.12@sha256:{HEX}"),
        (f"3.12-slim@sha256:{HEX}", "3.12-slim@sha256:0123456789ab", f"python:3.12-slim@sha256:{HEX}"),
        (f"3@sha256:{HEX}", "3@sha256:0123456789ab", f"python:3@sha256:{HEX}"),
        (f"latest@sha256:{HEX}", "latest@sha256:0123456789ab", f"python:latest@sha256:{HEX}"),
        (f"pypy@sha256:{HEX}", "pypy@sha256:0123456789ab", f"pypy@sha256:{HEX}"),
        ("4f5e6a7b8c9d", "4f5e6a7b8c9d", "4f5e6a7b8c9d"),
        ("123456789012", "123456789012", "123456789012"),
        (HEX, HEX[:12], HEX),
        (f"sha256:{HEX}", HEX[:12], f"sha256:{HEX}"),
        ("[::1]:5000/python:3.12", "ip6-1:5000/python:3.12", "[::1]:5000/python:3.12"),
        ("[2001:db8::1]/python:3.12", "ip6-2001-db8--1/python:3.12", "[2001:db8::1]/python:3.12"),
        (f"x:{'t' * 128}", f"x:{'t' * 128}", f"x:{'t' * 128}"),
    ],
)
def test_a_reference_is_unchanged(spec: str, label: str, reference: str) -> None:
    assert (ImageTag(label=label, reference=reference, allowed_to_fail=True),) == parse_matrix([f"{spec}?"])


@pytest.mark.parametrize(
    ("specs", "expected"),
    [
        pytest.param(["3.12,3.13,3.12"], ["3.12", "3.13"], id="first-place"),
        pytest.param(["3.12?", "3.13,3.12"], ["3.12", "3.13"], id="required-wins-later"),
        pytest.param(["3.12,3.12?"], ["3.12"], id="required-wins-earlier"),
        pytest.param(["3.12?,3.12?"], ["3.12?"], id="both-allowed"),
        pytest.param(
            ["3.12,python:3.12,docker.io/library/python:3.12,library/python:3.12"], ["3.12"], id="other-spellings"
        ),
        pytest.param(["x/y,x/y:latest"], ["x/y"], id="implied-latest"),
        pytest.param(["python:3.12,3.12"], ["python:3.12"], id="label-of-the-first"),
        pytest.param(["3.13..3.14,3.{14,15}"], ["3.13", "3.14", "3.15"], id="overlap"),
    ],
)
def test_an_image_that_is_named_twice_is_kept_once(specs: list[str], expected: list[str]) -> None:
    assert expected == labels(*specs)


def test_different_references_get_different_labels() -> None:
    alike = f"x/y@sha256:{HEX[:16]}{'f' * 48}"
    tags = parse_matrix([f"x/y@sha256:{HEX}", alike, "[::1]/y:1", "[1::]/y:1"])
    assert [
        ("x/y@sha256:0123456789ab", f"x/y@sha256:{HEX}"),
        ("x/y@sha256:0123456789abcdefffffffff", alike),
        ("ip6-1/y:1", "[::1]/y:1"),
        ("ip6-1/y:1~2", "[1::]/y:1"),
    ] == [(tag.label, tag.reference) for tag in tags]


@pytest.mark.parametrize("registry", ["localhost:5000/library", "localhost:5000/library/", " localhost:5000/library\n"])
def test_the_registry_is_the_prefix_of_plain_tags_only(registry: str) -> None:
    tags = parse_matrix(["3.12,3.13..3.13-slim,pypy:3.11,python:3.12"], registry=registry)
    assert [
        ("3.12", "localhost:5000/library/python:3.12"),
        ("3.13-slim", "localhost:5000/library/python:3.13-slim"),
        ("pypy:3.11", "pypy:3.11"),
        ("python:3.12", "python:3.12"),
    ] == [(tag.label, tag.reference) for tag in tags]


@pytest.mark.parametrize(
    "registry", ["localhost:5000", "docker.io/library", "mirror.example/a/b", "myorg", "[::1]:5000"]
)
def test_the_registry_is_a_host_or_folders(registry: str) -> None:
    assert [f"{registry}/python:3.12"] == [tag.reference for tag in parse_matrix(["3.12"], registry=registry)]


def test_auto_follows_the_project_and_joins_the_list() -> None:
    project = ProjectPythons(requires_python=">=3.13")
    tags = parse_matrix(["auto,3.16-rc?,3.14?"], project=project, registry="localhost:5000")
    assert ["3.13", "3.14", "3.15", "3.16-rc"] == [tag.label for tag in tags]
    assert [False, False, False, True] == [tag.allowed_to_fail for tag in tags]
    assert "localhost:5000/python:3.13" == tags[0].reference


def test_auto_can_be_allowed_to_fail_and_used_in_braces() -> None:
    project = ProjectPythons(requires_python=">=3.14")
    assert [True, True] == [tag.allowed_to_fail for tag in parse_matrix(["auto?"], project=project)]
    assert ["3.14", "3.15", "3.12"] == [tag.label for tag in parse_matrix(["{auto,3.12}"], project=project)]


def test_an_error_of_auto_names_its_entry() -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_matrix(["3.12,auto?"], project=ProjectPythons(requires_python=">=3.x"))
    assert caught.value.message.startswith(
        '--py-images: "auto?" cannot be determined: requires-python, ">=3.x", is not'
    )


def test_a_plain_tag_with_a_digest_is_of_the_registry() -> None:
    (tag,) = parse_matrix([f"3.12-slim@sha256:{HEX}"], registry="localhost:5000/library")
    assert tag.reference == f"localhost:5000/library/python:3.12-slim@sha256:{HEX}"


def test_all_spellings_of_an_image_id_are_one_image() -> None:
    assert [HEX[:12]] == labels(HEX[:12], HEX, f"sha256:{HEX}", f"sha256:{HEX[:12]}")


def test_oldest_is_the_oldest_that_the_project_supports() -> None:
    for requires_python, expected in ((">=3.9", "3.9"), (">=3.13", "3.13"), ("", "3.11")):
        (tag,) = parse_matrix(["oldest"], project=ProjectPythons(requires_python=requires_python))
        assert tag.label == expected
    with pytest.raises(ConfigurationError, match='"oldest" stands for no released Python'):
        parse_matrix(["oldest"], project=ProjectPythons(requires_python=">=3.99"))
