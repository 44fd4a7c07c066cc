"""``--py-images-smoke``: the modules of the project, and the tests that are marked."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.plugin.conftest import ImagesRun

Run = Callable[..., ImagesRun]
PROJECT = {
    "src/shop/__init__.py": "",
    "src/shop/good.py": "import json\n",
    "src/shop/old.py": "import no_longer_in_shop.x, shop.gone\n",
    "src/shop/lacks.py": "import no_such_distribution\n",
    "src/shop/bad.py": "def f(:\n",
    "src/shop/__main__.py": "raise SystemExit\n",
    "src/shop/deep/__init__.py": "from shop import good, absent_name\n",
    "src/space/ware/__init__.py": "",
    "src/shop/tests/test_inner.py": "import no_such_distribution\n",
    "setup.py": "raise SystemExit\n",
    "tests/conftest.py": "import no_such_distribution\n",
    "tests/test_lacks.py": "import no_such_distribution\ndef test_x(): pass\n",
    "tests/test_marked.py": (
        "import pytest\n@pytest.mark.smoke\ndef test_marked(): pass\ndef test_other(): assert 0\n"
        "@pytest.mark.smoke\ndef test_broken(): assert 0\n"
    ),
}
EXPECTED = {
    "src/shop/__init__.py::compile": "passed",
    "src/shop/__init__.py::import": "passed",
    "src/shop/good.py::compile": "passed",
    "src/shop/good.py::import": "passed",
    "src/shop/old.py::compile": "passed",
    "src/shop/old.py::import": "skipped",
    "src/shop/lacks.py::compile": "passed",
    "src/shop/lacks.py::import": "skipped",
    "src/shop/bad.py::compile": "failed",
    "src/shop/bad.py::import": "failed",
    "src/shop/__main__.py::compile": "passed",
    "src/shop/deep/__init__.py::compile": "passed",
    "src/shop/deep/__init__.py::import": "failed",
    "src/space/ware/__init__.py::compile": "passed",
    "src/space/ware/__init__.py::import": "passed",
    "tests/test_lacks.py": "skipped",
    "tests/test_marked.py::test_marked": "passed",
    "tests/test_marked.py::test_broken": "failed",
}


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_modules_are_compiled_and_imported_and_marked_tests_run(pytester: pytest.Pytester, run_images: Run) -> None:
    write(pytester.path, PROJECT)
    run = run_images("--py-images-smoke", "tests", "--strict-markers", images="3.15-slim?")
    assert {nodeid: outcomes["3.15-slim"] for nodeid, outcomes in run.tests.items()} == EXPECTED
    assert run.images["3.15-slim"]["smoke"] is True
    run.result.stdout.fnmatch_lines([" 3.15-slim?*smoke*allowed to fail"])
    assert "bad.py:1: SyntaxError" in run.out
    assert "passed although" not in run.out
    assert "importlib" not in run.out


LEFT = """FakeEngine(installer=lambda spec, job: (
    {**installs(spec, job), **({"left": %r} if job["is_partial"] else {})}
))"""


def test_overrides_select_the_images(pytester: pytest.Pytester, run_images: Run) -> None:
    """Of the other images all tests run, and only what both have is compared."""
    write(pytester.path, {"src/shop/__init__.py": "", "tests/test_a.py": PROJECT["tests/test_marked.py"]})
    override = '[[tool.pyimages.overrides]]\nselect = "3.14*"\nsmoke = true\n'
    pytester.path.joinpath("pyproject.toml").write_text(override)
    left = json.dumps({"pandas": "numpy", "numpy": "numpy", "other": ""})
    run = run_images(images="3.12,3.14-slim", engine=LEFT % left)
    assert set(run.tests["tests/test_a.py::test_other"]) == {"3.12"}
    assert set(run.tests["src/shop/__init__.py::import"]) == {"3.14-slim"}
    assert "smoke" not in run.images["3.12"]
    assert "all 3 tests agree" in run.out or "differs" not in run.out
    note = (
        "note: 3.14-slim: not installed: pandas (numpy: no wheel for this Python, and it cannot be built here),"
        " numpy (no wheel for this Python, and it cannot be built here), other · use python:3.14, the full image, which"
        " has compilers"
    )
    assert note in " ".join(run.out.split())


def test_an_override_takes_an_image_out(pytester: pytest.Pytester, run_images: Run) -> None:
    write(pytester.path, {"tests/test_a.py": "def test_a(): pass\n"})
    pytester.path.joinpath("pyproject.toml").write_text(
        '[[tool.pyimages.overrides]]\nselect = "3.12"\nsmoke = false\n[tool.pyimages]\nsmoke = true\n'
    )
    run = run_images(images="3.12,3.14")
    assert set(run.tests["tests/test_a.py::test_a"]) == {"3.12"}


@pytest.mark.parametrize(("value", "status"), [("1", 5), ("off", 0), ("perhaps", 4)])
def test_the_variable_is_a_flag(
    pytester: pytest.Pytester, run_images: Run, monkeypatch: pytest.MonkeyPatch, value: str, status: int
) -> None:
    monkeypatch.setenv("PY_IMAGES_SMOKE", value)
    pytester.makepyfile(test_a="def test_a(): pass\n")
    assert run_images(images="3.14").result.ret == status
