"""The project of a pytest plugin, whose settings and metadata the host's pytest cannot satisfy, in a real container."""

from __future__ import annotations

from textwrap import dedent

from tests.support.jobs import Job, counts

FILES = {
    "setup.cfg": """
        [metadata]
        name = pytest-its
        version = 1.0
        [options]
        py_modules = its_plugin, its_named
        install_requires = pytest; six
        [options.entry_points]
        pytest11 = its = its_plugin
    """,
    "setup.py": "import setuptools; setuptools.setup()",
    "its_plugin.py": """
        import six

        class ItsWarning(UserWarning): pass

        def pytest_addoption(parser):
            parser.addoption("--its-option")
            parser.addini("its_key", "known to this plugin")
    """,
    "its_named.py": """
        import six

        def pytest_addoption(parser): parser.addoption("--its-other-option")
    """,
    # What an sdist has, and what `python -m pytest` finds in the current folder.
    "pytest_its.egg-info/PKG-INFO": "Metadata-Version: 2.1\nName: pytest-its\nVersion: 1.0",
    "pytest_its.egg-info/entry_points.txt": "[pytest11]\nits = its_plugin",
    "pytest.ini": """
        [pytest]
        required_plugins = pytest-its>=1
        addopts = -p its_named --its-option=1 --its-other-option=2 --strict-config
        filterwarnings =
            error
            ignore::its_plugin.ItsWarning
        its_key = 1
    """,
    "test_it.py": "def test_a(pytestconfig): assert pytestconfig.getini('its_key') == '1'",
}


def test_a_project_that_the_host_cannot_satisfy(job: Job) -> None:
    for name, text in FILES.items():
        path = job.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"{dedent(text).strip()}\n")
    done = job.run(images="3.12-slim")
    assert done.returncode == 0, done.stdout + done.stderr
    assert counts(job.images["3.12-slim"], "passed", "failed", "error") == (1, 0, 0)
