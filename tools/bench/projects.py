"""The projects that are measured: those that run need nothing but pytest, the one that is built needs much."""

from __future__ import annotations

from pathlib import Path

MODULE = 100  # tests
TESTS = 10_000
SLEEPERS = 40
REQUIREMENTS = tuple(
    "pytest pytest-cov pytest-mock hypothesis requests httpx flask click sqlalchemy pydantic attrs rich pyyaml"
    " python-dateutil tomlkit".split()
)
ADDED = tuple("arrow babel cachetools docutils freezegun inflect jsonschema markdown networkx pendulum".split())


def write_many(folder: Path, tests: int = TESTS) -> Path:
    """Write many tests that do next to nothing, a hundred in each module; return the project's folder."""
    modules = {
        f"test_{module:03}.py": "\n\n".join(
            f"def test_{number}():\n    assert {number} + 1 > {number}\n" for number in range(MODULE)
        )
        for module in range(tests // MODULE)
    }
    return _write(folder / f"many-{tests}", modules)


def write_sleeping(folder: Path, seconds: float) -> Path:
    """Write tests that only sleep, for so many seconds in all; return the project's folder."""
    text = f"import time\n\nimport pytest\n\n\n@pytest.mark.parametrize('number', range({SLEEPERS}))\n"
    text += f"def test_sleep(number):\n    time.sleep({seconds / SLEEPERS})\n"
    return _write(folder / "sleeping", {"test_sleep.py": text})


def write_importing(folder: Path) -> Path:
    """Write 200 modules of 50 tests each, and a conftest that imports a package of 100 modules; return the folder."""
    tests = {
        f"test_{module:03}.py": "import pytest\nfrom package import module_000\n\n"
        + "\n\n".join(
            f"@pytest.mark.parametrize('value', [{number}])\ndef test_{number}(value, unit):\n"
            f"    total = module_000.add_{number % 20}(value, unit)\n    assert total == {number} + unit\n"
            for number in range(50)
        )
        for module in range(200)
    }
    imports = "".join(f"from package import module_{number:03}\n" for number in range(100))
    fixture = "\n\n@pytest.fixture\ndef unit():\n    return 1\n"
    project = _write(folder / "importing", {**tests, "conftest.py": f"import pytest\n{imports}{fixture}"})
    (project / "package").mkdir()
    (project / "package" / "__init__.py").touch()
    body = "\n\n".join(
        f'def add_{number}(first, second):\n    """Return the sum of {number} kinds."""\n'
        "    if not isinstance(first, (int, float)):\n        raise TypeError(f'no number: {first!r}')\n"
        "    values = [value for value in (first, second) if value is not None]\n    return sum(values)\n"
        for number in range(60)
    )
    for number in range(100):
        (project / "package" / f"module_{number:03}.py").write_text(body)
    (project / "pytest.ini").write_text("[pytest]\ntestpaths = tests\npythonpath = .\n")
    return project


def write_one(folder: Path) -> Path:
    """Write a single test; return the project's folder."""
    return _write(folder / "one", {"test_one.py": "def test_one():\n    assert True\n"})


def write_requirements(project: Path, further: int = 0) -> None:
    """Write a project's requirements, with some further ones."""
    lines = (*REQUIREMENTS, *ADDED[:further])
    (project / "requirements.txt").write_text("".join(f"{line}\n" for line in lines))


def write_requiring(folder: Path) -> Path:
    """Write a project with one test and fifteen requirements; return its folder."""
    project = _write(
        folder / "requiring", {"test_one.py": "import flask, pydantic, sqlalchemy\ndef test_one(): pass\n"}
    )
    write_requirements(project)
    return project


def _write(root: Path, modules: dict[str, str]) -> Path:
    (root / "tests").mkdir(parents=True)
    (root / "pytest.ini").write_text("[pytest]\ntestpaths = tests\n")
    for name, text in modules.items():
        (root / "tests" / name).write_text(text)
    return root
