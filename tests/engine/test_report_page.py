"""The HTML report in a real browser: what its filter shows."""

from __future__ import annotations

import json
import re
import struct
import subprocess
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_pyimages.cli.program import main
from pytest_pyimages.results.outcome import Failure
from pytest_pyimages.results.output.html_report import render_html
from pytest_pyimages.results.output.json_report import make_document
from pytest_pyimages.results.warning_places import make_place
from tests.support.results import make_result, make_run
from tools.standins.browser import ensure_browser
from tools.standins.state import StandinError

WIDTH, HEIGHT = 1000, 1000
HOTTEST = (221, 125, 132)  # red, green and blue of the map where all tests fail
OLD = ("UserWarning: old",)
NEW = ("DeprecationWarning: new", "DeprecationWarning: removed in 3.16")


@pytest.fixture(scope="module")
def browser() -> str:
    try:
        return ensure_browser()
    except StandinError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty tests on two images; each tenth fails on the newer one, which has a warning."""
    images = [
        make_run(label, python=f"{label}.1", ended=True, exit_status=status)
        for label, status in (("3.12", 0), ("3.14", 1))
    ]
    images[1].warnings[OLD[0]] = 1
    for number in range(60):
        nodeid = f"tests/test_{number % 3}.py::test_{number:02}[</script><b id=injected>]"
        images[0].count(nodeid, "skipped" if number in (7, 8) else "passed")
        images[1].durations[nodeid] = number / 100
        images[1].count(nodeid, "skipped" if number == 7 else "passed" if number % 10 else "failed")
        if not number % 10:
            images[1].failures[nodeid] = Failure(phase="call", message="assert 0", text="E  assert 0")
    document = make_document(
        {image.label: image.result for image in images}, exit_status=1, started=1.8e9, ended=1.8e9 + 5
    )
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text("".join(render_html(document)), encoding="utf-8")
    return path


def look(browser: str, page: Path, tmp_path: Path, address: str, *options: str) -> str:
    """Open the page in a browser of its own that has no network; return what it prints."""
    done = subprocess.run(
        [
            *(browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
            *(f"--user-data-dir={tmp_path / 'profile'}", f"--window-size={WIDTH},{HEIGHT}"),
            *("--proxy-server=127.0.0.1:9", *options, f"file://{page}{address}"),
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def rows(dom: str) -> list[str]:
    """The ids in the table of tests."""
    table = dom[dom.index('<table id="tests"') :]
    return re.findall(r'<tr class="test[^"]*"><td>tests/test_\d\.py::(test_\d\d)\[', table)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        pytest.param("#q=test_1.py", [10, 40, *sorted({*range(1, 60, 3)} - {10, 40})], id="search"),
        pytest.param("#outcome=failed", list(range(0, 60, 10)), id="outcome"),
        pytest.param("#outcome=failed&image=0", [], id="outcome on an image"),
        pytest.param("#differs=1&q=TEST_3", [30], id="differs and search"),
        pytest.param("#differs=fails+only+on+3.14&q=test_20", [20], id="a pattern"),
        pytest.param("#differs=skipped+only+on+3.12", [8], id="another pattern"),
        pytest.param("#outcome=skipped", [8, 7], id="outcome on any image"),
        pytest.param("#outcome=skipped&image=every", [7], id="outcome on every image"),
        pytest.param("", [*range(0, 60, 10), 8], id="what failed comes first, then what differs"),
        pytest.param("#q=no+such+test", [], id="nothing"),
        pytest.param("#q=%5D", sorted(range(60), key=lambda n: (n % 10 > 0) + (n % 10 > 0 and n != 8)), id="all"),
    ],
)
def test_filter(browser: str, page: Path, tmp_path: Path, address: str, expected: list[int]) -> None:
    dom = look(browser, page, tmp_path, address, "--dump-dom")
    assert rows(dom) == [f"test_{number:02}" for number in expected]
    assert f"{len(expected)} of 60 tests" in dom
    assert 'id="injected"' not in dom


def test_sorted_by_time(browser: str, page: Path, tmp_path: Path) -> None:
    slow = [f"test_{number:02}" for number in (59, 58, 57)]
    assert rows(look(browser, page, tmp_path, "#q=%5D&sort=time", "--dump-dom"))[:3] == slow


def test_failures_of_several_images(browser: str, tmp_path: Path) -> None:
    """Those that differ in numbers only are one entry; a big matrix opens with a map of the failures."""
    images = [make_run(f"3.{minor}", python=f"3.{minor}.1", ended=True, exit_status=1) for minor in (12, 13, 14)]
    for number in range(210):
        nodeid = f"tests/test_{number % 3}.py::test_{number:02}"
        for image in images:
            image.count(nodeid, "passed" if number else "failed")
    for image, error in zip(images, ("assert 12 == 1", "assert 13 == 1", "TypeError"), strict=True):
        image.failures["tests/test_0.py::test_00"] = Failure(phase="call", message=error, text=f"E  {error}")
    for image, warnings in zip(images, ((), OLD, (*OLD, *NEW)), strict=True):
        for warning in warnings:
            image.warnings[warning] = 2
            image.warning_places[make_place(warning)._replace(path="t.py", line=7)] = {"": 2}
    for image, reason in zip(images, ("no fork", "no fork", ""), strict=True):
        image.reasons["tests/test_1.py::test_01"] = reason
    path = tmp_path / "report.html"
    results = {image.label: image.result for image in images}
    path.write_text(
        "".join(render_html(make_document(results, exit_status=1, started=1.8e9, ended=1.8e9 + 5))), "utf-8"
    )
    dom = look(browser, path, tmp_path, "", "--dump-dom")
    assert re.findall(r"<summary>(.*?)</summary>", dom) == ["3.12, 3.13: assert 12 == 1", "3.14: TypeError"]
    assert '<p class="reason">' not in dom
    skipped = look(browser, path, tmp_path, "#tab=skipped&q=no+FORK", "--dump-dom")
    assert '<p class="reason">3.12, 3.13: no fork</p>' in skipped
    assert "1 of 210 tests" in skipped
    reasons = re.search(r"<button[^>]*>passed: no fork</button></td>(.*?)</tr>", skipped)
    assert reasons is not None
    assert re.findall(r">(\d*)</td>", reasons[1]) == ["1", "1", ""]
    assert re.findall(r'title="(tests/test_\d.py on 3.12: [^"]*)"', dom) == [
        "tests/test_0.py on 3.12: 1 of 70 tests fail",
        "tests/test_1.py on 3.12: 0 of 70 tests fail",
        "tests/test_2.py on 3.12: 0 of 70 tests fail",
    ]
    assert '<p id="new">new on 3.13: 1 · new on 3.14: 2, of which 1 becomes an error · ' in dom
    table = dom[dom.index('<table id="warnings"') : dom.index('<table id="reasons"')]
    assert "<td>DeprecationWarning: removed in 3.16 <small" in table
    assert '<td>UserWarning: old <small class="place">t.py:7</small></td>' in table
    assert re.findall(r'role="tab" [^>]*>([^<]*)<', dom) == ["Tests (210)", "Warnings (3)", "Skipped, xfailed", "Time"]


def test_history(browser: str, tmp_path: Path) -> None:
    """A tab lists what has changed."""
    runs = []
    for number, outcome in enumerate(("passed", "failed")):
        image = make_run("3.12", python="3.12.1", ended=True, exit_status=number)
        image.count("t.py::test_it", outcome)
        image.failures["t.py::test_it"] = Failure(phase="call", message="assert 0", text="E  assert 0", line=7)
        document = make_document({"3.12": image.result}, exit_status=number, started=1.8e9 + number, ended=1.8e9 + 9)
        document["session"] = {"commit": f"c{number}", "source": "https://forge.example/shop/blob/abc/lib/"}
        (tmp_path / f"{number}.json").write_text(json.dumps(document))
        runs.append(str(tmp_path / f"{number}.json"))
    page = tmp_path / "report.html"
    assert main(["history", *runs, "-o", str(page)]) == 0
    dom = look(browser, page, tmp_path, "#tab=history", "--dump-dom")
    table = dom[dom.index('<table id="changes"') :]
    assert "<td>newly failing</td>" in table
    assert re.findall(r'title="([^"]*)">', table)[:2] == [
        "2027-01-15 (c0): passed",
        "2027-01-15 (c1): failed",
    ]
    assert re.findall(r'id="tab-(\w+)" [^>]*aria-selected="true"', dom) == ["history"]
    assert re.findall(r'class="([^"]*)"[^>]*>', dom[dom.index('<section id="panel-tests"') :])[0] == "away"


def add_script(page: Path, tmp_path: Path, script: str) -> Path:
    """Return a copy of a page that runs a script of the test's at the end."""
    text = re.sub(r"script-src '[^']*'", "script-src 'unsafe-inline'", page.read_text("utf-8"), count=1)
    copy = tmp_path / "scripted.html"
    copy.write_text(text.replace("</body>", f"<script>{script}</script></body>"), "utf-8")
    return copy


@pytest.mark.parametrize(
    ("keys", "selected"),
    [
        ("", "tests"),
        ("ArrowRight", "warnings"),
        ("ArrowRight ArrowRight ArrowRight", "tests"),
        ("ArrowLeft", "time"),
        ("End", "time"),
        ("End Home", "tests"),
        ("Control+End", "tests"),
    ],
)
def test_keys_of_the_tabs(browser: str, page: Path, tmp_path: Path, keys: str, selected: str) -> None:
    """Those of the WAI-ARIA Authoring Practices; only the selected tab is reached with the tab key."""
    script = f"""
        document.getElementById("tab-tests").focus();
        for (const name of "{keys}".split(" ")) {{
            const [key, held] = name.split("+").reverse();
            const event = new KeyboardEvent("keydown", {{ key, ctrlKey: held === "Control", bubbles: true }});
            document.activeElement.dispatchEvent(event);
        }}
        document.title = document.activeElement.id;"""
    dom = look(browser, add_script(page, tmp_path, script), tmp_path, "", "--dump-dom")
    tabs = re.findall(r'<button [^>]*role="tab"[^>]*>', dom)
    assert len(tabs) == 3
    assert f"<title>tab-{selected}</title>" in dom
    assert [tab for tab in tabs if 'aria-selected="true"' in tab] == [tab for tab in tabs if 'tabindex="0"' in tab]
    assert re.findall(r'id="tab-(\w+)" [^>]*aria-selected="true"', dom) == [selected]


def test_opened_failure(browser: str, tmp_path: Path) -> None:
    """Values that the other images have otherwise are marked; the test's line is a link, its command can be copied."""
    images = [make_run(label, python=f"{label}.1", ended=True, exit_status=1) for label in ("3.12", "3.14-slim")]
    for image, value in zip(images, ("12", "14"), strict=True):
        image.count("tests/test_it.py::test_x[a b]", "failed")
        text = f"E  assert minor == {value}"
        image.failures["tests/test_it.py::test_x[a b]"] = Failure(phase="call", message="no", text=text, line=7)
    results = {image.label: image.result for image in images}
    document = make_document(results, exit_status=1, started=1.8e9, ended=1.8e9 + 5)
    document["session"] = {
        "project": "shop",
        "commit": "4f5e6a7",
        "engine": "docker 28.2",
        "command": "pytest -q",
        "source": "https://forge.example/shop/blob/abc/lib/",
    }
    page = tmp_path / "report.html"
    page.write_text("".join(render_html(document)), "utf-8")
    script = 'document.querySelector(".why details").open = true;'
    dom = look(browser, add_script(page, tmp_path, script), tmp_path, "", "--dump-dom", "--virtual-time-budget=2000")
    assert '<p id="session">shop · commit 4f5e6a7 · docker 28.2</p>' in dom
    assert '<code id="command">pytest -q</code>' in dom
    opened = dom[dom.index("<summary>") : dom.index("</details>", dom.index("<summary>"))]
    assert opened.startswith("<summary>3.12, 3.14-slim: no</summary>")
    assert re.findall(r'<mark title="([^"]*)">([^<]*)</mark>', opened) == [("3.14-slim: 14", "12")]
    assert 'href="https://forge.example/shop/blob/abc/lib/tests/test_it.py#L7">tests/test_it.py:7</a>' in opened
    command = "pytest --py-images=3.12,3.14-slim 'tests/test_it.py::test_x[a b]'"
    assert f'title="{command}">copy command</button>' in opened


@pytest.mark.parametrize(("width", "height", "shown"), [(1400, 900, 7), (1000, 900, 5), (500, 900, 1)])
def test_first_screen_of_a_big_matrix(browser: str, tmp_path: Path, width: int, height: int, shown: int) -> None:
    """The map of twelve images leaves room for the first failing tests; a button shows all of it."""
    results = {}
    for label in (f"3.{minor}{variant}" for minor in range(10, 16) for variant in ("", "-slim")):
        outcomes = {f"tests/test_{test % 30}.py::test_{test}": "passed" for test in range(300)}
        outcomes |= dict.fromkeys((f"tests/test_{test}.py::test_{test}" for test in range(0, 30, 2)), "failed")
        results[label] = make_result(label, outcomes, ended=True, exit_status=1)
    page = tmp_path / "report.html"
    page.write_text(
        "".join(render_html(make_document(results, exit_status=1, started=1.8e9, ended=1.8e9 + 5))), "utf-8"
    )
    script = """
        const box = (row) => row.getBoundingClientRect();
        const all = document.querySelector("#overview > button");
        const row = document.getElementById("tests").tBodies[0].rows[0];
        const seen = [Math.round(box(row).bottom), all.textContent];
        all.click();
        const rows = [...document.querySelectorAll("#map tbody tr")].filter((row) => box(row).height > 0).length;
        document.title = [...seen, rows].join("; ");"""
    size = f"--window-size={width},{height}"
    dom = look(browser, add_script(page, tmp_path, script), tmp_path, "", "--dump-dom", size)
    found = re.search(r"<title>(\d+); ([^;]*); (\d+)</title>", dom)
    assert found is not None
    assert int(found[1]) < height
    assert found[2] == f"Show {30 - shown} more, {15 - shown} with failures"
    assert int(found[3]) == 30


def test_failures_are_shown_once(browser: str, page: Path, tmp_path: Path) -> None:
    """Below its test, with the images that say the same."""
    dom = look(browser, page, tmp_path, "#q=test_10", "--dump-dom")
    assert re.findall(r"<summary>(.*?)</summary>", dom) == ["3.14: assert 0"]
    assert '<option value="fails only on 3.14">fails only on 3.14 (6)</option>' in dom


@pytest.mark.parametrize("number", [2, 12])
def test_many_images_leave_room_for_the_ids(browser: str, tmp_path: Path, number: int) -> None:
    """No id is folded to a column of letters: ten tests take little of the picture, whatever stands beside them."""
    results = {}
    for label in (f"registry.example/python:3.{minor}-slim" for minor in range(number)):
        outcomes = {f"tests/test_it.py::TestOfIt::test_some_behaviour[{test}]": "passed" for test in range(10)}
        results[label] = make_result(label, outcomes, ended=True, exit_status=0)
    page = tmp_path / "report.html"
    page.write_text(
        "".join(render_html(make_document(results, exit_status=0, started=1.8e9, ended=1.8e9 + 5))), encoding="utf-8"
    )
    lines = []
    for address in ("#q=test_some", "#q=no+such+test"):
        picture = tmp_path / "page.png"
        look(browser, page, tmp_path, address, f"--screenshot={picture}", f"--window-size={WIDTH},{2 * HEIGHT}")
        lines.append(lines_with_ink(picture.read_bytes(), height=2 * HEIGHT))
    assert 10 * 5 < lines[0] - lines[1] < 10 * 30


def test_filter_screenshot(browser: str, page: Path, tmp_path: Path) -> None:
    """With six rows left, what is below them is empty; with all, there is none."""
    inked = {}
    for name, address in (("all", "#q=%5D"), ("few", "#outcome=failed&image=1&q=test_0"), ("none", "#q=no+such+test")):
        picture = tmp_path / f"{name}.png"
        look(browser, page, tmp_path, address, f"--screenshot={picture}")
        inked[name] = lines_with_ink(picture.read_bytes())
    assert inked["none"] < inked["few"] < inked["all"]
    assert inked["all"] > HEIGHT * 0.5


def test_telephone(browser: str, tmp_path: Path) -> None:
    """Nothing is beside the picture: neither why an image was not tested, nor the columns of a map."""
    lines = {}
    width = 450
    for name, text, number in (("short", "x", 1), ("long", "not installable: " + "word " * 60, 1), ("map", "x", 210)):
        outcomes = {f"tests/{'a_long_folder/' * 9}test_{test}.py::test_it": "failed" for test in range(number)}
        results = {
            label: make_result(label, outcomes, ended=True, exit_status=1, problem=text) for label in ("3.12", "3.14")
        }
        page = tmp_path / f"{name}.html"
        page.write_text(
            "".join(render_html(make_document(results, exit_status=1, started=1.8e9, ended=1.8e9))), "utf-8"
        )
        picture = tmp_path / f"{name}.png"
        size = f"--window-size={width},{HEIGHT}"
        look(browser, page, tmp_path, "#q=no+such+test", f"--screenshot={picture}", size)
        lines[name] = picture.read_bytes()
    inked = {name: lines_with_ink(png, width=width) for name, png in lines.items()}
    assert inked["long"] - inked["short"] > 2 * 10  # pixels of two lines of text or more, for each image
    assert any(bytes(HOTTEST) in line for line, _ in picture_lines(lines["map"], HEIGHT, width))


def lines_with_ink(png: bytes, height: int = HEIGHT, width: int = WIDTH) -> int:
    """Return in how many lines of a picture the pixels are not all alike."""
    return sum(line != line[:size] * width for line, size in picture_lines(png, height, width))


def picture_lines(png: bytes, height: int, width: int) -> Iterator[tuple[bytes, int]]:
    """Yield the lines of a picture (PNG, 8 bits per channel, not interlaced), each with the bytes of a pixel."""
    *size_told, depth, kind, _, _, interlaced = struct.unpack(">IIBBBBB", png[16:29])
    assert (*size_told, depth, interlaced) == (width, height, 8, 0)
    size = {2: 3, 6: 4}[kind]
    data, place = b"", 8
    while place < len(png):
        (length,) = struct.unpack(">I", png[place : place + 4])
        if png[place + 4 : place + 8] == b"IDAT":
            data += png[place + 8 : place + 8 + length]
        place += 12 + length
    raw = zlib.decompress(data)
    above = bytes(width * size)
    for line in range(height):
        start = line * (width * size + 1)
        above = unfiltered(raw[start], raw[start + 1 : start + 1 + width * size], above, size)
        yield above, size


def unfiltered(how: int, line: bytes, above: bytes, size: int) -> bytes:
    found = bytearray(line)
    for place in range(len(found)):
        left = found[place - size] if place >= size else 0
        up, corner = above[place], above[place - size] if place >= size else 0
        if how == 1:
            found[place] = (found[place] + left) & 255
        elif how == 2:
            found[place] = (found[place] + up) & 255
        elif how == 3:
            found[place] = (found[place] + (left + up) // 2) & 255
        elif how == 4:
            found[place] = (found[place] + nearest(left, up, corner)) & 255
    return bytes(found)


def nearest(left: int, up: int, corner: int) -> int:
    """The Paeth predictor (PNG, 9.4)."""
    estimate = left + up - corner
    return min((left, up, corner), key=lambda value: abs(estimate - value))
