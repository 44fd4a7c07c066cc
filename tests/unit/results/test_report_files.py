"""Report files, in which names and output of a suite are never markup."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pytest_pyimages.results.outcome import Failure
from pytest_pyimages.results.output.html_report import render_html
from pytest_pyimages.results.output.json_report import make_document, render_json
from pytest_pyimages.results.output.markdown_report import render_markdown
from pytest_pyimages.results.output.report_files import write_reports
from tests.support.results import make_result, make_run

HOSTILE = "</script><img src=x onerror=alert(1)>|`*[a](b) \u2028\u202e<!--DATA-->"


def document() -> dict[str, Any]:
    old = make_run("3.12", ended=True, exit_status=0)
    new = make_run("3.14", allowed_to_fail=True, ended=True, exit_status=1, problem=HOSTILE)
    for image, outcome in ((old, "passed"), (new, "failed")):
        image.count("test_a.py::test_same", "passed")
        image.count(f"test_a.py::test_x[{HOSTILE}]", outcome)
        image.durations[f"test_a.py::test_x[{HOSTILE}]"] = 0.25
    new.failures[f"test_a.py::test_x[{HOSTILE}]"] = Failure(
        phase="call", message=HOSTILE, text=f"E   {HOSTILE}", sections=(("stdout", HOSTILE),)
    )
    return make_document(
        {"3.12": old.result, "3.14": new.result}, exit_status=1, started=1_800_000_000.0, ended=1_800_000_002.5
    )


def schema() -> Mapping[str, Any]:
    text = files("pytest_pyimages.results").joinpath("report.schema.json").read_text("utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def test_document_matches_the_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    jsonschema.validate(json.loads("".join(render_json(document()))), schema(), cls=jsonschema.Draft202012Validator)


@pytest.mark.parametrize("missing", ["schema", "exit_status", "images", "tests"])
def test_schema_refuses_missing_keys(missing: str) -> None:
    broken = document()
    del broken[missing]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, schema(), cls=jsonschema.Draft202012Validator)


def test_differences_are_marked() -> None:
    assert [test["differs"] for test in document()["tests"]] == [False, True]
    assert document()["seconds"] == 2.5


def test_page_has_no_markup_of_a_suite() -> None:
    page = "".join(render_html(document()))
    assert "<img" not in page
    assert page.count("<script") == page.count("</script>") == 2
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert data is not None
    loaded = json.loads(data[1])
    assert loaded["tests"][1][0] == f"test_a.py::test_x[{HOSTILE}]"
    assert loaded["tests"][1][4][0][0][1]["text"] == f"E   {HOSTILE}"


def test_page_runs_only_its_own_script() -> None:
    page = "".join(render_html(document()))
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    script = re.search(r"<script>(.*?)</script>", page, re.DOTALL)
    assert policy is not None
    assert script is not None
    digest = base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}';" in policy[1]
    assert "default-src 'none'" in policy[1]
    assert "http" not in page.replace("http-equiv", "").replace("http://www.w3.org/2000/svg", "").replace("https?", "")


def test_markdown() -> None:
    lines = render_markdown(document()).split("\n")
    assert lines[0] == "| image | python | passed | failed | skipped | build | run | |"
    assert lines[2].startswith("| ✅ 3.12 |")
    assert lines[3].startswith("| ⚠️ 3.14 |")
    assert "| **fails only on 3.14?** | | |" in lines
    for line in lines:
        assert "<img" not in line
        assert line.startswith("<pre>") or "[a]" not in line
    table = [line for line in lines if line.startswith("|")]
    assert [line.count("|") for line in table] == [9, 9, 9, 9, 4, 4, 4, 4]


def test_failure_of_several_images_in_markdown() -> None:
    images = [make_run(label, ended=True, exit_status=1) for label in ("3.12", "3.14")]
    for image in images:
        image.count("test_it.py::test_x", "failed")
        text = f">   assert {image.label}\nE   assert {image.label} < 3"
        image.failures["test_it.py::test_x"] = Failure(phase="call", message="assert 3", text=text)
    results = {image.label: image.result for image in images}
    text = render_markdown(make_document(results, exit_status=1, started=0, ended=1))
    assert text[text.index("<details>") :] == (
        "<details><summary><code>test&#95;it.py::test&#95;x</code> on 3.12, 3.14: assert 3</summary>\n\n"
        "<pre>&gt;   assert 3.12&#10;<b>E   assert 3.12 &lt; 3</b></pre>\n"
        "<pre>3.12  E   assert 3.12 &lt; 3&#10;3.14  E   assert 3.14 &lt; 3</pre>\n</details>\n"
    )


def test_agreement_in_markdown() -> None:
    image = make_result("3.12", {"test_a": "passed"}, ended=True, exit_status=0)
    found = make_document({"3.12": image, "3.13": image}, exit_status=0, started=0, ended=1)
    found["images"][1]["label"] = "3.13"
    assert "1 test agrees on 2 images." in render_markdown(found)


def test_files_are_written_atomically(tmp_path: Path) -> None:
    (tmp_path / "no").write_text("a file, no folder")
    paths = [tmp_path / "a" / "r.json", tmp_path / "r.md", tmp_path / "r.html", tmp_path / "no" / "r.json"]
    (problem,) = write_reports(paths, document())
    assert problem.startswith(f"--py-images-report: {paths[-1]} cannot be written (")
    assert json.loads(paths[0].read_text()) == json.loads("".join(render_json(document())))
    assert paths[1].read_text().startswith("| image")
    assert paths[2].read_text().startswith("<!doctype html>")
    assert {path.name for path in tmp_path.iterdir()} == {"a", "no", "r.md", "r.html"}
