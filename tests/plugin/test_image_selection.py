"""Node ids and expressions that name an image select it; other images are not started."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.plugin.conftest import ImagesRun
from tests.support.golden import message

Run = Callable[..., ImagesRun]

IMAGES = "3.12,3.14-slim?,python:3.13"
SUITE = """
    import pytest

    def test_py(): pass
    @pytest.mark.parametrize("number", [1, 2])
    def test_two(number): pass
"""


@pytest.fixture(autouse=True)
def _suite(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_hello=SUITE)


def run_on(run: ImagesRun) -> dict[str, set[str]]:
    """What ran, by image."""
    found: dict[str, set[str]] = {label: set() for label in run.images}
    for nodeid, outcomes in run.tests.items():
        for label in outcomes:
            found[label].add(nodeid.partition("::")[2])
    return found


def started(run: ImagesRun) -> set[str]:
    return {call.removeprefix("find ") for call in run.calls if call.startswith("find python:")}


@pytest.mark.parametrize("way", ["option", "ini"])
def test_a_pasted_id(pytester: pytest.Pytester, run_images: Run, way: str) -> None:
    if way == "ini":
        pytester.makeini("[pytest]\npy_images =\n    3.12\n    3.14-slim?\n    python:3.13\n")
    run = run_images("test_hello.py::test_py[3.14-slim]", images=IMAGES if way == "option" else None)
    assert (run.result.ret, run.result.parseoutcomes()) == (0, {"passed": 1})
    assert run_on(run) == {"3.14-slim": {"test_py"}}
    assert started(run) == {"python:3.14-slim"}
    run.result.stdout.fnmatch_lines(
        ["py-images: 3.14-slim? (3.12: nothing selected) (python:3.13: nothing selected) · *"]
    )


def test_ids_of_several_images(run_images: Run) -> None:
    ids = ("test_py[3.12]", "test_two[1][3.12]", "test_two[2][python:3.13]")
    run = run_images(*(f"test_hello.py::{nodeid}" for nodeid in ids), images=IMAGES)
    assert run.result.ret == 0
    assert run_on(run) == {"3.12": {"test_py", "test_two[1]"}, "python:3.13": {"test_two[2]"}}


def test_id_of_one_image_beside_id_of_all(run_images: Run) -> None:
    run = run_images("test_hello.py::test_py[3.12]", "test_hello.py::test_two[1]", images=IMAGES)
    assert run.result.ret == 0
    own = {"test_two[1]"}
    assert run_on(run) == {"3.12": {"test_py", *own}, "3.14-slim": own, "python:3.13": own}


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        pytest.param(["-k", "3.12 and two"], {"3.12": {"test_two[1]", "test_two[2]"}}, id="-k"),
        pytest.param(["-k", "test_py[3.12]"], {"3.12": {"test_py"}}, id="-k with a name"),
        pytest.param(
            ["--deselect", "test_hello.py::test_two[3.12]", "--deselect", "[3.14-slim]", "-k", "not python:3.13"],
            {"3.12": {"test_py"}},
            id="deselect",
        ),
    ],
)
def test_expressions_and_deselected_ids(run_images: Run, args: list[str], expected: dict[str, set[str]]) -> None:
    run = run_images(*args, images=IMAGES)
    assert run.result.ret == 0
    assert run_on(run) == expected


@pytest.mark.parametrize(
    ("args", "status", "said"),
    [
        pytest.param(["test_hello.py::no_such[3.12]"], 4, "*not found: *test_hello.py::no_such*", id="no such test"),
        pytest.param(
            ["test_hello.py::test_py[3.9]"],
            4,
            "*not found: *::test_py*; " + message("results", "not-in-matrix", images="3.9 is", labels="3.12, 3.13"),
            id="no such image",
        ),
        pytest.param(["-k", "3.12 and no_such"], 5, "*nothing collected*", id="-k selects no test"),
    ],
)
def test_selecting_nothing_is_an_error(run_images: Run, args: list[str], status: int, said: str) -> None:
    run = run_images(*args, images="3.12,3.13")
    assert run.result.ret == status
    run.result.stdout.fnmatch_lines([said])


def test_expression_without_matching_image(run_images: Run) -> None:
    run = run_images("-k", "3.12 and 3.13", images="3.12,3.13")
    assert run.result.ret == 4
    run.result.stderr.fnmatch_lines(["ERROR: --py-images: the node ids or -k select none of the images 3.12, 3.13 · *"])
    assert not any(call.startswith("create") for call in run.calls)


TAGS = """
    import pytest

    VERSIONS = ["3.12", "3.13", "x"]
    @pytest.mark.parametrize("v", VERSIONS)
    def test_v(v): pass
    class TestV:
        @pytest.mark.parametrize("v", VERSIONS)
        def test_v(self, v): pass
    def test_py(): pass
"""
BOTH = "3.12,3.13"


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        pytest.param(["test_tags.py::test_v[3.12]"], [{"test_v[3.12]"}, {"test_v[3.12]"}], id="id"),
        pytest.param(
            ["test_tags.py::test_v[x]", "test_tags.py::test_v[3.12]", "-v"],
            [{"test_v[3.12]", "test_v[x]"}, {"test_v[3.12]", "test_v[x]"}],
            id="ids",
        ),
        pytest.param(
            ["test_tags.py::test_v[3.12]", "test_tags.py::test_v[3.13]"],
            [{"test_v[3.12]", "test_v[3.13]"}, {"test_v[3.12]", "test_v[3.13]"}],
            id="two",
        ),
        pytest.param(["test_tags.py::test_v[3.12][3.13]"], [set(), {"test_v[3.12]"}], id="on one image"),
        pytest.param(
            ["test_tags.py::test_py[3.12]", "test_tags.py::TestV::test_v[3.12]"],
            [{"test_py", "TestV::test_v[3.12]"}, {"TestV::test_v[3.12]"}],
            id="an image and a parameter",
        ),
        pytest.param(["-n2", "test_tags.py::test_v[3.12]"], [{"test_v[3.12]"}, {"test_v[3.12]"}], id="xdist"),
        pytest.param(["--flag", "test_tags.py::test_v[3.12]"], [{"test_v[3.12]"}, {"test_v[3.12]"}], id="flag"),
        pytest.param(["--flag", "test_tags.py::test_py[3.12]"], [{"test_py"}, set()], id="flag and image"),
        pytest.param(
            ["-k", "3.12 and not TestV"],
            [{"test_v[3.12]"}, {"test_v[3.12]"}],
            id="-k",
        ),
        pytest.param(
            ["-k", "test_py[3.12]"],
            [{"test_py"}, set()],
            id="-k of an image",
        ),
        pytest.param(
            ["--deselect=test_tags.py::test_v[3.12]", "--deselect", "test_tags.py::test_py[3.13]", "-k", "not TestV"],
            [{"test_v[3.13]", "test_v[x]", "test_py"}, {"test_v[3.13]", "test_v[x]"}],
            id="deselect",
        ),
    ],
)
def test_parameters_that_are_named_like_images(
    pytester: pytest.Pytester, run_images: Run, args: list[str], expected: list[set[str]]
) -> None:
    """They are selected as by pytest, on all images, and a note says so."""
    pytester.makepyfile(test_tags=TAGS)
    (pytester.path / "conftest.py").write_text(
        "NAME = '--flag'\ndef pytest_addoption(parser): parser.addoption(NAME, action='store_true')\n"
    )
    (pytester.path / "test_hello.py").unlink()
    run = run_images(*args, images=BOTH)
    assert run.result.ret == 0
    assert [run_on(run).get(label, set()) for label in BOTH.split(",")] == expected
    is_parameter = any(arg.endswith("test_v[3.12]") for arg in args if arg.startswith("test_"))
    assert ("is a test with this parameter" in run.out) == is_parameter


def test_configured_arguments_name_no_images(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile(test_hello=TAGS)
    pytester.makeini("[pytest]\naddopts = --deselect test_hello.py::test_v[3.12] -k 'not TestV and not x'\n")
    run = run_images("test_hello.py", images=BOTH)
    assert [run_on(run)[label] for label in BOTH.split(",")] == [{"test_v[3.13]", "test_py"}] * 2


@pytest.mark.parametrize("args", [["test_hello.py::test_v[3.12]"], ["-k", "3.12"]])
def test_a_parameter_that_the_source_does_not_show(pytester: pytest.Pytester, run_images: Run, args: list[str]) -> None:
    """The other images are not started, so the run cannot pass."""
    pytester.makepyfile(
        test_hello="""
        import pytest

        @pytest.fixture(params=[f"3.{minor}" for minor in (11, 12)])
        def v(request): pass
        def test_v(v): pass
        """
    )
    run = run_images(*args, images=BOTH)
    assert run.result.ret == 4
    assert "too; " in run.out
    assert {outcome for outcomes in run.tests.values() for outcome in outcomes.values()} == {"not run"}
