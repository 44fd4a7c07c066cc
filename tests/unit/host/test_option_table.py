"""Options, ini keys, environment variables, ``--help`` and documentation are made from one table.

``python -m tests.unit.host.test_option_table`` writes the documentation's table.
"""

from __future__ import annotations

import contextlib
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.host.option import Option
from pytest_pyimages.host.option_table import INI_KEYS, OPTION_NAMES, OPTION_TABLE, OPTIONS, add_options
from pytest_pyimages.host.settings import Settings
from pytest_pyimages.host.values.reading import Values
from tests.support.invocations import make_invocation

ROOT = Path(__file__).parents[3]
START, END = "<!-- options -->", "<!-- /options -->"
RUN_OPTIONS = [option for option in OPTION_TABLE if not option.ini_only]


def table() -> str:
    """Return the table of all options in Markdown."""
    rows = ["| option | ini key | default | meaning |", "|---|---|---|---|"]
    for option in OPTION_TABLE:
        name = "" if option.ini_only else f"`{option.name}={option.metavar}`".replace("=`", "`")
        default = f"`{option.default}`" if option.default in option.choices else option.default
        values = ", ".join(f"`{value}`" for value in option.choices or (option.example,))
        meaning = f"{option.help} ({'choices' if option.choices else 'example'}: {values})"
        meaning = option.help if option.kind == "flag" else meaning
        rows.append(f"| {name} | `{option.ini}` | {default} | {meaning} |")
    return "\n".join(rows)


def documents() -> list[Path]:
    """Return the files that have the table."""
    files = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    return [path for path in files if START in path.read_text(encoding="utf-8")]


def updated(text: str) -> str:
    """Return a document with the table as it has to be."""
    before, _, rest = text.partition(START)
    return f"{before}{START}\n{table()}\n{END}{rest.partition(END)[2]}"


def test_the_documentation_has_the_table() -> None:
    (path,) = documents()
    text = path.read_text(encoding="utf-8")
    assert text == updated(text), "run python -m tests.unit.host.test_option_table"


class Parser:
    """Collects what is added to pytest's parser."""

    def __init__(self) -> None:
        self.options: dict[str, dict[str, Any]] = {}
        self.ini: dict[str, tuple[str, dict[str, Any]]] = {}

    def getgroup(self, name: str, description: str) -> Parser:
        return self

    def addoption(self, name: str, **attributes: Any) -> None:
        self.options[name] = attributes

    def addini(self, name: str, text: str, **attributes: Any) -> None:
        self.ini[name] = text, attributes


@pytest.fixture
def parser() -> Parser:
    parser: Any = Parser()
    add_options(parser)
    return parser  # type: ignore[no-any-return]  # it is what pytest's own would be


@pytest.mark.parametrize("option", OPTION_TABLE, ids=INI_KEYS)
def test_the_parser_has_each_option_and_key(parser: Parser, option: Option) -> None:
    text, attributes = parser.ini[option.ini]
    assert text == (option.full_help if option.ini_only else f"default of {option.name}")
    assert attributes == {"type": "linelist" if option.is_list else "string"}
    assert (option.name in OPTION_NAMES) is not option.ini_only
    if option.kind == "flag":
        expected = {"action": "append_const", "const": "1", "default": [], "help": option.full_help}
        assert parser.options[option.name] == expected
    elif not option.ini_only:
        assert parser.options[option.name] == {
            "action": "append",
            "default": [],
            "metavar": option.metavar,
            "help": option.full_help,
        }


@pytest.mark.parametrize("option", OPTION_TABLE, ids=INI_KEYS)
def test_the_help_is_complete(option: Option) -> None:
    assert all(text in option.full_help for text in (option.default, option.example, *option.choices))
    assert option.default in option.choices or not option.choices or option.ini_only or not option.default
    assert option.example or option.choices or option.kind == "flag"
    assert option.metavar or option.ini_only or option.kind == "flag"
    assert re.fullmatch("py_images(_[a-z]+)*", option.ini)


def test_nothing_else_is_added(parser: Parser) -> None:
    assert tuple(parser.ini) == INI_KEYS
    assert tuple(parser.options) == OPTION_NAMES


VALUES = {
    "flag": ("1", "false", "yes"),
    "count": ("1", "2", "3"),
    "seconds": ("1", "2.5", "3"),
    "user": ("1", "2:3", "host"),
    "shard": ("1/9", "2/9", "3/9"),
    "files": ("a.json", "b.json", "c.json"),
}


CONTAINER_VALUES = {
    "py_images_add_host": ("a:10.0.0.1", "b:10.0.0.1", "c:10.0.0.1"),
    "py_images_mount": ("a:/a", "b:/b", "c:/c"),
    "py_images_device": ("/dev/a", "/dev/b", "/dev/c"),
    "py_images_gpus": ("1", "2", "3"),
    "py_images_cache_from": ("localhost:1/a", "localhost:1/b", "localhost:1/c"),
    "py_images_cache_to": ("localhost:1/a", "localhost:1/b", "localhost:1/c"),
}


def values_of(option: Option) -> tuple[str, str, str]:
    """Return three values that the option may have."""
    if option.choices:
        return (*option.choices, *option.choices)[:3]  # type: ignore[return-value]  # there are two at least
    if option.ini in CONTAINER_VALUES:
        return CONTAINER_VALUES[option.ini]
    return VALUES.get(option.kind, ("3.11", "3.12", "3.13"))


class Config:
    """What of pytest's configuration is read."""

    class pluginmanager:  # noqa: N801 - as pytest calls it
        @staticmethod
        def hasplugin(name: str) -> bool:
            return False

    def __init__(self, typed: dict[str, list[str]]) -> None:
        self.typed = typed

    def getoption(self, name: str, default: object = None) -> object:
        return self.typed.get(name, default)


@pytest.mark.parametrize("option", RUN_OPTIONS, ids=OPTION_NAMES)
@pytest.mark.parametrize("source", ["command line", "environment variable", "ini key", "default"])
def test_the_first_source_counts(option: Option, source: str) -> None:
    typed, variable, key = values_of(option)
    sources = ("command line", "environment variable", "ini key", "default")
    given = sources[sources.index(source) :]
    invocation = make_invocation(
        ini={option.ini: key} if "ini key" in given else {},
        inipath=Path("/src/tox.ini"),
        variables={option.environment: variable} if "environment variable" in given else {},
    )
    config: Any = Config({option.name: [typed]} if "command line" in given else {})
    value = Values(config, invocation).read(option.ini)
    assert (value.text, value.origin) == {
        "command line": (typed, option.name),
        "environment variable": (variable, option.environment),
        "ini key": (key, f"{option.ini} in tox.ini"),
        "default": ("", f"{option.ini} in tox.ini"),
    }[source]
    # Projects name no registries and no cluster.
    is_refused = source == "ini key" and option.ini.startswith(("py_images_cache_", "py_images_cluster"))
    with pytest.raises(ConfigurationError) if is_refused else contextlib.nullcontext():
        Settings.from_config(config, invocation)


@pytest.mark.parametrize(
    ("typed", "addopts", "variable", "ini", "expected"),
    [
        pytest.param("", "", "", "", ("",), id="none: the engine's own rules"),
        pytest.param("--E=a --E=ssh://b --E=a", "", "", "", ("a", "ssh://b"), id="repeated"),
        pytest.param("--E=a", "--E=b --E=c", "d", "e", ("a",), id="a typed one replaces those of addopts"),
        pytest.param("", "--E=b --E=c", "d", "e", ("b", "c"), id="addopts"),
        pytest.param("--E=", "--E=b", "d\ne", "", ("d", "e"), id="an empty one leaves it to the variable"),
        pytest.param("", "", "", ["a", "tcp://b:1"], ("a", "tcp://b:1"), id="a list"),
        pytest.param("", "", "", "\na\ntcp://b:1\n", ("a", "tcp://b:1"), id="lines"),
    ],
)
def test_engines(typed: str, addopts: str, variable: str, ini: str | list[str], expected: tuple[str, ...]) -> None:
    name = "--py-images-engine"
    invocation = make_invocation(
        typed.replace("--E", name),
        addopts=addopts.replace("--E", name),
        ini={"py_images_engine": ini} if ini else {},
        variables={"PY_IMAGES_ENGINE": variable} if variable else {},
    )
    config: Any = Config({name: [*invocation.command_line.values(name)]})
    assert Settings.from_config(config, invocation).engines == expected


@pytest.mark.parametrize("option", [option for option in OPTION_TABLE if option.ini_only], ids=lambda each: each.ini)
def test_keys_that_describe_the_project_have_no_variable(option: Option) -> None:
    config: Any = Config({})
    assert Values(config, make_invocation(variables={option.environment: "x"})).read(option.ini).text == ""


@pytest.mark.parametrize(
    ("key", "text", "message"),
    [
        ("py_images_pull", "sometimes", 'invalid value "sometimes" · choose missing, always or never'),
        (
            "py_images_pull",
            "allways",
            'invalid value "allways" (did you mean always?) · choose missing, always or never',
        ),
        ("py_images_github", "on", 'invalid value "on" · choose auto or no'),
        ("py_images_jobs", "two", 'invalid value "two" · must be 1 or more'),
        ("py_images_jobs", "0", 'invalid value "0" · must be 1 or more'),
        ("py_images_shard", "2", 'invalid value "2" · must be K/N, such as 1/3 for the first of three parts'),
        ("py_images_timeout", "0", 'invalid value "0" · must be a number of seconds'),
        ("py_images_silence", "2m", 'invalid value "2m" · must be a number of seconds'),
        ("py_images_shard", "1/0", 'invalid value "1/0" · the number of parts must be 1 or more'),
        ("py_images_shard", "4/3", 'invalid value "4/3" · must be from 1/3 to 3/3'),
        ("py_images_report", "a.txt", 'unknown format "a.txt" · must end in .json, .html or .md'),
    ],
)
def test_an_invalid_value_names_its_source(key: str, text: str, message: str) -> None:
    sources: tuple[tuple[str, dict[str, list[str]], dict[str, str], dict[str, Any]], ...] = (
        (OPTIONS[key].name, {OPTIONS[key].name: [text]}, {}, {}),
        (OPTIONS[key].environment, {}, {OPTIONS[key].environment: text}, {}),
        (f"{key} in tox.ini", {}, {}, {key: text}),
    )
    for origin, typed, variables, ini in sources:
        config: Any = Config(typed)
        invocation = make_invocation(ini={**ini}, inipath=Path("/src/tox.ini"), variables=variables)
        with pytest.raises(ConfigurationError) as caught:
            Settings.from_config(config, invocation)
        assert str(caught.value) == f"{origin}: {message}"


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("py_images", [3.1], 'py_images: 3.1 is not a string · quote it: py_images = ["3.12,3.14-slim,3.16-rc?"]'),
        ("py_images_registry", ["a", "b"], "py_images_registry: must be one string · remove the brackets"),
        ("py_images_baseline", 3.1, 'py_images_baseline: 3.1 is not a string · quote it: py_images_baseline = "3.1"'),
    ],
)
def test_an_ini_value_of_another_type(key: str, value: Any, message: str) -> None:
    config: Any = Config({})
    with pytest.raises(ConfigurationError) as caught:
        Settings.from_config(config, make_invocation(ini={key: value}))
    assert str(caught.value) == message


def test_a_number_needs_no_quotes() -> None:
    config: Any = Config({})
    ini: Any = {"py_images_jobs": 3}
    assert Settings.from_config(config, make_invocation(ini=ini)).jobs == 3


def test_reports_of_all_sources_are_lists() -> None:
    config: Any = Config({})
    variable = make_invocation(variables={"PY_IMAGES_REPORT": "a.json\nb.html"}, cwd=Path("/src"))
    key = make_invocation(ini={"py_images_report": ["a.json", "b.html"]}, cwd=Path("/src"))
    for invocation in (variable, key):
        assert Settings.from_config(config, invocation).reports == (Path("/src/a.json"), Path("/src/b.html"))
    typed: Any = Config({"--py-images-report": ["c.md", "", "d.md", "d.md"]})
    assert Settings.from_config(typed, key).reports == (Path("/src/d.md"),)
    none: Any = Config({"--py-images-report": [""]})
    assert Settings.from_config(none, key).reports == ()


if __name__ == "__main__":
    for path in documents():
        path.write_text(updated(path.read_text(encoding="utf-8")), encoding="utf-8")
    sys.exit(0)
