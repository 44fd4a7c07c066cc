"""Messages for invalid entries."""

from __future__ import annotations

import re

import pytest

from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.matrix import parse_matrix

HEX = "0123456789abcdef" * 4


def error_of(spec: str, *, registry: str = "") -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        parse_matrix([spec], registry=registry)
    return caught.value


@pytest.mark.parametrize(
    ("registry", "said"),
    [
        ("https://mirror.example/library", "(did you mean mirror.example/library?)"),
        ("localhost:5000/Library", "(did you mean localhost:5000/library?)"),
        ("localhost:5000/library:3", "localhost:5000/library:3"),
        ("localhost:5000/a b", "localhost:5000/a b"),
        ("localhost:5000//", "localhost:5000//"),
        ("/", '"/"'),
        ("host:port/library", '"host:port"'),
        (f"x@sha256:{HEX}", "has an @"),
        ("mirror\x00.example/\u202e", r"mirror\x00.example/\u202e"),
    ],
)
def test_an_invalid_registry_is_refused(registry: str, said: str) -> None:
    error = error_of("pypy:3.11", registry=registry)
    assert str(error).startswith("--py-images-registry: ")
    assert said in str(error)


WRONG = [
    # what was typed, what the message quotes, what it suggests
    ("", '""', ""),
    (" \n ", r'" \n "', ""),
    (",", '","', ""),
    ("3.12,,3.13", '"3.12,,3.13"', "3.12,3.13"),
    ("3.12,", '"3.12,"', "3.12"),
    (",3.12", '",3.12"', "3.12"),
    ("3.12\n,\n3.13", r'"3.12\n,\n3.13"', "3.12,3.13"),
    ("3.12, ,3.13", '"3.12, ,3.13"', "3.12,3.13"),
    ("?", '"?"', ""),
    ("3.12??", '"3.12??"', '"3.12?"'),
    ("3.1?2", '"3.1?2"', '"3.12?"'),
    ("3.12 ?", '"3.12 ?"', '"3.12?"'),
    ("3.12 3.13", '"3.12 3.13"', "3.12,3.13"),
    ("3. 12", '"3. 12"', "3.12"),
    ("3.11,3.12\u00a0", r'"3.12\xa0"', "3.12"),
    ("3.1O", '"3.1O"', "3.10"),
    ("3.1l?", '"3.1l?"', "3.11"),
    ("3.1", '"3.1"', "3.10"),
    ("3.1-slim", '"3.1-slim"', "3.10-slim"),
    ("3.99", '"3.99"', "3.15"),
    ("3.12.3.14-slim", '"3.12.3.14-slim"', "3.12-slim"),
    ("3.12;3.14", '"3.12;3.14"', "3.12,3.14"),
    ("3.12+3.14", '"3.12+3.14"', "3.12,3.14"),
    ("3.17", '"3.17"', "3.16-rc"),
    ("3.18-slim", '"3.18-slim"', "3.16-rc-slim"),
    ("3.16", '"3.16"', "3.16-rc"),
    ("3.16-slim", '"3.16-slim"', "3.16-rc-slim"),
    ("3.16.0", '"3.16.0"', "3.16-rc"),
    ("3.16-rc1", '"3.16-rc1"', "3.16-rc"),
    ("3.4", '"3.4"', "3.5"),
    ("2.6", '"2.6"', "2.7"),
    ("4.0", '"4.0"', "3.15"),
    ("312", '"312"', "3.12"),
    ("3.11,12", '"12"', "3.12"),
    ("3.012", '"3.012"', "3.12"),
    ("3.12.", '"3.12."', "3.12"),
    ("3.12-", '"3.12-"', "3.12"),
    ("v3.12", '"v3.12"', "3.12"),
    ("python3.12-slim", '"python3.12-slim"', "3.12-slim"),
    ("cp312", '"cp312"', "3.12"),
    ("cpython3.12", '"cpython3.12"', "3.12"),
    ("CPython-3.12-slim", '"CPython-3.12-slim"', "3.12-slim"),
    ("Python 3.12", '"Python 3.12"', "3.12"),
    ("[3.12]", '"[3.12]"', "3.12"),
    ("['3.12', '3.14-slim?']", """"['3.12'\"""", "3.12"),
    ('"3.12"', r'"\"3.12\""', "3.12"),
    ("3.12/slim", '"3.12/slim"', "3.12-slim"),
    ("3.12.4/alpine?", '"3.12.4/alpine?"', '"3.12.4-alpine?"'),
    ("rc1", '"rc1"', "rc"),
    ("RC", '"RC"', "rc"),
    ("Next-slim", '"Next-slim"', "next-slim"),
    ("oldset", '"oldset"', "oldest"),
    ("suported-slim", '"suported-slim"', "supported"),
    ("supported-rc", '"supported-rc"', "rc"),
    ("auto-rc-slim", '"auto-rc-slim"', "rc-slim"),
    ("rc-", '"rc-"', "rc"),
    ("rc-slimm", '"3.16-rc-slimm" (from "rc-slimm")', "3.16-rc-slim"),
    ("lates", '"lates"', "latest"),
    ("latest-slimm", '"slimm" (from "latest-slimm")', "slim"),
    ("3.12-slimm", '"3.12-slimm"', "3.12-slim"),
    ("3.13.5-silm", '"3.13.5-silm"', "3.13.5-slim"),
    ("3.12-trixi", '"3.12-trixi"', "3.12-trixie"),
    ("3.12-bookworm-slim", '"3.12-bookworm-slim"', "3.12-slim-bookworm"),
    ("3.12-Slim", '"3.12-Slim"', "3.12-slim"),
    ("3.12slim", '"3.12slim"', "3.12-slim"),
    ("3.12-alpine4.1", '"3.12-alpine4.1"', "3.12-alpine"),
    ("3.14.2t", '"3.14.2t"', "3.14t"),
    ("3.14-nogil-slim", '"3.14-nogil-slim"', "3.14t-slim"),
    ("3.14t-slimm", '"3.14t-slimm"', "3.14t-slim"),
    ("3.12t", '"3.12t"', ""),
    ("3.13..3.14t", '"3.13..3.14t"', "3.13t..3.14t"),
    ("3.13t..3.14-slim", '"3.13t..3.14-slim"', "3.13..3.14-slim"),
    ("3.14t..3.16t", '"3.14t..3.16t"', "3.14t..3.15t"),
    ("3.13t..3.15t-rc", '"3.13t..3.15t-rc"', "3.13t..3.15t"),
    ("3.16t", '"3.16t"', "3.16t-rc"),
    ("pypy", '"pypy"', "pypy:latest"),
    ("pypy3.11-slim", '"pypy3.11-slim"', "pypy:3.11-slim"),
    ("foo", '"foo"', ""),
    ("-slim", '"-slim"', "slim"),
    ("-x", '"-x"', ""),
    ("AUTO", '"AUTO"', "auto"),
    ("auto-slimm", '"3.11-slimm" (from "auto-slimm")', "3.11-slim"),
    ("3.14..3.10", '"3.14..3.10"', "3.10..3.14"),
    ("3.14..3.16-slim", '"3.14..3.16-slim"', "3.14..3.15-slim"),
    ("3.14..3.99", '"3.14..3.99"', "3.14..3.15"),
    ("3.1..3.14", '"3.1..3.14"', "3.10..3.14"),
    ("3.12..3.15-rc", '"3.12..3.15-rc"', "3.12..3.15"),
    ("3.10..14", '"3.10..14"', "3.10..3.14"),
    ("3.10-slim..3.14-slim", '"3.10-slim..3.14-slim"', "3.10..3.14-slim"),
    ("3.10...3.14", '"3.10...3.14"', "3.10..3.14"),
    ("3.10..", '"3.10.."', "3.10..3.15"),
    ("..3.12", '"..3.12"', "3.11..3.12"),
    ("3.10.1..3.12", '"3.10.1..3.12"', "3.10..3.12"),
    ("3.16..3.16", '"3.16..3.16"', "3.15"),
    ("a..b", '"a..b"', ""),
    ("3.10..3.12-slimm", '"3.10-slimm" (from "3.10..3.12-slimm")', "3.10-slim"),
    ("3.{14..16}", '"3.16" (from "3.{14..16}")', "3.16-rc"),
    ("3.{14..10}", '"3.{14..10}"', ""),
    ("3.{10..14", '"3.{10..14"', ""),
    ("3.10}", '"3.10}"', ""),
    ("3.12{}", '"3.12{}"', ""),
    ("{3.12,\n3.13}", '"{3.12"', ""),
    ("{3.12,}", '"{3.12,}"', ""),
    ("{,}", '"{,}"', ""),
    ("{" * 9 + "3.12" + "}" * 9, '"{{{{{{{{{3.12}}}}}}}}}"', ""),
    ("{1,2}" * 8, f'"{"{1,2}" * 8}"', ""),
    ("x/y:{1..120,121..240}", '"x/y:{1..120,121..240}"', ""),
    ("3.{1..900000}", '"3.{1..900000}"', ""),
    ("x/y:{1..201}", '"x/y:{1..201}"', ""),
    ("Python:3.12", '"Python:3.12"', "python:3.12"),
    ("ghcr.io/Me/Py:3.12", '"ghcr.io/Me/Py:3.12"', "ghcr.io/me/py:3.12"),
    ("3.12:", '"3.12:"', "3.12"),
    ("python:", '"python:"', "python:latest"),
    ("3.12:slim", '"3.12:slim"', "3.12-slim"),
    (f"3.99-slim@sha256:{HEX}", '"3.99-slim@sha256:', "3.15-slim"),
    (f"3.12-slimm@sha256:{HEX}", '"3.12-slimm@sha256:', "3.12-slim"),
    ("3.12@sha256:short", '"3.12@sha256:short"', ""),
    ("sha256:4f5e6a7b", '"sha256:4f5e6a7b"', ""),
    ("sha256:4F5E6A7B8C9D", '"sha256:4F5E6A7B8C9D"', "sha256:4f5e6a7b8c9d"),
    ("3.5..3.7", '"3.5..3.7"', "3.6..3.7"),
    ("2.7..3.5-slim", '"2.7..3.5-slim"', "2.7..3.6-slim"),
    ("x/y@sha256:short", '"x/y@sha256:short"', ""),
    ("@sha256:short", '"@sha256:short"', ""),
    (f"x/y@sha256:{HEX.upper()}", '"x/y@sha256:', f"x/y@sha256:{HEX}"),
    (f"x/y@md5:{HEX}", '"x/y@md5:', ""),
    ("x@y", '"x@y"', ""),
    ("https://ghcr.io/x/y:1", '"https://ghcr.io/x/y:1"', "ghcr.io/x/y:1"),
    ("a//b:1", '"a//b:1"', ""),
    ("/python:3.12", '"/python:3.12"', ""),
    ("../python:3.12", '"../python:3.12"', ""),
    ("host:99999999/python", '"host:99999999/python"', ""),
    ("python:-x", '"python:-x"', ""),
    ("ghcr.io/x/y:3.10..3.14-slim", '"ghcr.io/x/y:3.10..3.14-slim"', ""),
    ("3.12;rm", '"3.12;rm"', "3.12"),
    ("$(x)", '"$(x)"', ""),
    ("{x}", '"x" (from "{x}")', ""),
    ('3.12"', r'"3.12\""', "3.12"),
    ("3.12\x00", r'"3.12\x00"', "3.12"),
    ("\u202e3.12", r'"\u202e3.12"', ""),
    ("\x1b[31m3.12", r'"\x1b[31m3.12"', ""),
    ("3.1\udc80", r'"3.1\udc80"', "3.10"),
    ("\uff13.12", r'"\uff13.12"', ""),
    ("3.12\n3.13 rm", '"3.13 rm"', ""),
]


@pytest.mark.parametrize(("spec", "quoted", "suggested"), WRONG, ids=[repr(spec)[:40] for spec, _, _ in WRONG])
def test_an_invalid_entry_is_reported_with_a_suggestion(spec: str, quoted: str, suggested: str) -> None:
    error = error_of(spec)
    assert error.message.startswith(f"--py-images: {quoted}")
    found = re.search(r" \(did you mean (.*)\?\)$", error.message)
    assert suggested == (found[1] if found else "")
    for text in filter(None, suggested.split(" or ")):
        assert parse_matrix([text.strip('"')])


def test_the_message_of_any_entry_is_one_short_line() -> None:
    for spec in ("9" * 200, "3.12-" + "x" * 5000, "\u202e" * 300, "a/" * 3000, "{" * 3000, "x://" * 1000, "x@" * 2000):
        text = str(error_of(spec))
        assert len(text.splitlines()) == 1
        assert len(text) < 900
        assert text.replace("…", "").replace("·", "").isascii()


def test_a_tag_of_200_characters_is_too_long() -> None:
    assert "128" in error_of("3.12-" + "a" * 195).message
    assert "128" in error_of("python:" + "a" * 200).message


def test_an_unquoted_number_in_toml_is_explained() -> None:
    error = error_of("3.1")
    assert '--py-images: "3.1" is not a Python tag (did you mean 3.10?)' == error.message
    assert "TOML" in error.hint
    assert "quote it" in error.hint


@pytest.mark.parametrize("tag", ["3.17", "3.18-slim", "3.16", "3.12-future"])
def test_an_unknown_tag_can_be_used_as_a_full_reference(tag: str) -> None:
    assert f"python:{tag}" in error_of(tag).hint
    assert [f"python:{tag}"] == [image.reference for image in parse_matrix([f"python:{tag}"])]


def test_the_matrix_is_bounded() -> None:
    assert 200 == len(parse_matrix(["x/y:{1..200}"]))
    assert "more than 200" in error_of("x/y:{1..150},x/z:{1..150}").message
    with pytest.raises(ConfigurationError, match="more than 200"):
        parse_matrix(["x/y:{1..150}", "x/z:{1..150}"])


@pytest.mark.parametrize(
    ("spec", "meant"),
    [
        (">=3.10", "3.10..3.15"),
        (">= 3.11, <3.14", "3.11..3.13"),
        (">=3.12,!=3.13", "3.12,3.14,3.15"),
        ("==3.12", "3.12"),
        ("~=3.12", "3.12..3.15"),
        ("^3.12", "3.12..3.15"),
        (">=3.12\n<3.14", "3.12..3.13"),
        ("3.10-3.14", "3.10..3.14"),
        ("3.10 - 3.14?", '"3.10..3.14?"'),
        ("3.10:3.14", "3.10..3.14"),
        ("3.10-14", "3.10..3.14"),
        ("3.10-3.14-slim", "3.10..3.14-slim"),
        ("3.10-slim-3.14-slim", "3.10..3.14-slim"),
        ("3.10 to 3.14", "3.10..3.14"),
        ("3.10\u20133.14", "3.10..3.14"),
        ("3.10...3.14", "3.10..3.14"),
        ("3.12+", "3.12..3.15"),
        ("3.12..", "3.12..3.15"),
        ("all", "auto or 3.11..3.15"),
        ("*", "auto or 3.11..3.15"),
        ("3.x", "auto or 3.11..3.15"),
        ("maintained-slim", "auto or 3.11..3.15-slim"),
        ("3.12, 3.13  # the newest", "3.13"),
    ],
)
def test_notations_of_other_tools(spec: str, meant: str) -> None:
    assert f"(did you mean {meant}?)" in str(error_of(spec))


def test_comment_inside_of_a_value() -> None:
    assert "in TOML, put the comment after the quotation mark" in str(error_of("3.12 # the oldest"))
