"""Links, commands and code in the documentation are valid, and the modules and functions that it names exist."""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

import pytest_pyimages
from pytest_pyimages.cli.program import COMMANDS
from pytest_pyimages.host.command_line import REFUSED
from pytest_pyimages.host.option_table import INI_KEYS, OPTION_NAMES
from pytest_pyimages.host.pytest_options import ATTENDED
from pytest_pyimages.matrix import parse_matrix
from tests.support.pages import ROOT, commands_of

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PACKAGE = Path(pytest_pyimages.__file__).parent
README = ROOT / "README.md"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "examples").glob("*/README.md")])
HOW_IT_WORKS = (ROOT / "docs" / "how-it-works.md").read_text(encoding="utf-8")
MODULES = sorted(set(re.findall(r"`([\w/]+\.py)(?::[\w.]+)?`", HOW_IT_WORKS)))
NAMES = sorted(set(re.findall(r"`([\w/]+\.py):([\w.]+)`", HOW_IT_WORKS)))


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def links_of(page: Path) -> list[tuple[Path, str]]:
    """Return the files that a page links to, and the headings in them."""
    targets = re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
    local = [target.partition("#") for target in targets if "://" not in target]
    return [(_installed((page.parent / path).resolve()) if path else page, anchor) for path, _, anchor in local]


def _installed(path: Path) -> Path:
    """Return the installed file of a file of the package, whose source need not be next to the tests."""
    source = ROOT / PACKAGE.name
    return PACKAGE / path.relative_to(source) if path.is_relative_to(source) else path


def anchors_of(page: Path) -> list[str]:
    """Return the anchors that GitHub gives to a page's headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings]


def names_in(module: ast.Module) -> Iterator[str]:
    """Yield the names of a module's functions and classes, and of its classes' methods: ``Job``, ``Job.encode``."""
    for node in module.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name
        if isinstance(node, ast.ClassDef):
            yield from (f"{node.name}.{item.name}" for item in node.body if isinstance(item, ast.FunctionDef))


def blocks_of(page: Path, language: str) -> list[str]:
    """Return the blocks of code in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_are_valid(page: Path) -> None:
    for program, *words in commands_of(page):
        if program == "pyimages":
            assert words[0] in COMMANDS, words
        for word in words:
            name, _, value = word.partition("=")
            if name.startswith("--py-images"):
                assert name in OPTION_NAMES, word
            if name == "--py-images" and value not in {"none", "SPEC", "…"}:
                assert parse_matrix([value]), word


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_blocks_of_code_are_valid(page: Path) -> None:
    for block in blocks_of(page, "toml"):
        assert tomllib.loads(block)
    for block in blocks_of(page, "json"):
        assert json.loads(block)
    for block in blocks_of(page, "yaml"):
        jobs = yaml.safe_load(block)
        jobs = jobs.get("jobs", jobs)
        assert all({"script", "steps"} & set(job) for job in jobs.values()), block


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_options_and_keys_exist(page: Path) -> None:
    """Wherever they stand: in sentences, in tables, and in lines that a workflow continues."""
    text = page.read_text(encoding="utf-8")
    assert set(re.findall(r"--py-images(?:-[a-z]+)*\b(?!-)", text)) <= {*OPTION_NAMES}
    assert set(re.findall(r"\bpy_images(?:_[a-z]+)*\b(?!_)", text)) <= {*INI_KEYS}


def test_there_are_commands_and_blocks() -> None:
    """The patterns find them."""
    ci = ROOT / "docs" / "ci.md"
    assert ["pyimages", "merge", "shard-*.json", "-o", "report.html", "-o", "report.json"] in commands_of(ci)
    assert ["pytest", "--py-images=auto", "--junitxml=result.xml"] in commands_of(ci)
    assert len(blocks_of(ci, "yaml")) == 4
    assert len(blocks_of(ROOT / "docs" / "gitlab.md", "yaml")) == 4
    assert blocks_of(ROOT / "docs" / "devcontainer.md", "json")
    assert blocks_of(ROOT / "docs" / "tutorial.md", "toml")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_to_files_and_headings(page: Path) -> None:
    for target, anchor in links_of(page):
        assert target.exists(), target
        assert not anchor or anchor in anchors_of(target), f"{target}#{anchor}"


def test_readme_links_to_every_page() -> None:
    first_page = ROOT / "docs" / "index.md"  # of the documentation site, in place of the README
    assert {page for page in PAGES if page not in {README, first_page}} <= {target for target, _ in links_of(README)}


@pytest.mark.parametrize("module", MODULES)
def test_modules_exist(module: str) -> None:
    assert (PACKAGE / module).is_file()


@pytest.mark.parametrize(("module", "name"), NAMES, ids=lambda value: value)
def test_functions_and_classes_exist(module: str, name: str) -> None:
    assert name in names_in(ast.parse((PACKAGE / module).read_text(encoding="utf-8")))


def test_the_table_of_commands_has_each_command() -> None:
    text = (ROOT / "docs" / "options.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `pyimages ([a-z]+)", text, re.MULTILINE)) == set(COMMANDS)


def test_options_of_pytest_are_handled_as_documented() -> None:
    text = (ROOT / "docs" / "selection.md").read_text(encoding="utf-8")
    sentence = re.search(
        r"^(`--fixtures`.*?) show pytest's own output.*?(`\S+`) is refused", text, re.MULTILINE | re.DOTALL
    )
    assert sentence is not None
    assert set(re.findall(r"`(.+?)`", sentence[1])) <= ATTENDED
    assert sentence[2].strip("`") in REFUSED


def test_how_it_works_follows_what_the_example_has() -> None:
    """One image, one requirement and one test event, each through several modules."""
    sections = re.split(r"^## ", HOW_IT_WORKS, flags=re.MULTILINE)[1:]
    followed = {section.splitlines()[0]: set(re.findall(r"`([\w/]+\.py)", section)) for section in sections}
    titles = [re.fullmatch(r"One (.+): `(.+)`", title) for title in followed]
    image, requirement, event = (title.group(2) for title in titles if title is not None)
    shop = ROOT / "examples" / "shop"
    file, _, test = event.partition("::")
    assert f"--py-images=3.12,{image}`" in HOW_IT_WORKS.replace("\n", " ")
    assert f'"{requirement}"' in (shop / "pyproject.toml").read_text(encoding="utf-8")
    assert f"def {test}(" in (shop / file).read_text(encoding="utf-8")
    assert min(len(modules) for modules in followed.values()) >= 8
