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
