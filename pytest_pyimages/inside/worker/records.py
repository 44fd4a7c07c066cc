"""Convert pytest's reports to JSON, whatever plugins and tests have put into them."""

from __future__ import absolute_import, print_function

from .channel import dumps

MAX_TEXT = 512 * 1024  # characters of one traceback or one captured section
MAX_SECTIONS = 2 * 1024 * 1024
MAX_RECORD = 4 * 1024 * 1024  # bytes of JSON, up to twelve per character; the host accepts twice as many


def clip(text, limit=MAX_TEXT):
    """Return the text, or its two ends if it is too long."""
    if len(text) <= limit:
        return text
    half = limit // 2
    return "%s\n... %d characters left out ...\n%s" % (text[:half], len(text) - 2 * half, text[len(text) - half :])


def to_text(value):
    """Return str(value), or a text with the value's type if that fails."""
    try:
        return "%s" % (value,)
    except Exception:  # __str__ may raise anything
        return "<%s that cannot be shown>" % type(value).__name__


def simplify(value, depth=0):
    """Return the value as JSON can express it, with clipped texts; other objects as texts."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and -(1 << 53) < value < 1 << 53:
        return value
    if isinstance(value, float) and value - value == 0:  # neither infinite nor NaN
        return value
    if isinstance(value, dict) and depth < 20:
        return dict((to_text(key), simplify(item, depth + 1)) for key, item in value.items())
    if isinstance(value, (list, tuple)) and depth < 20:
        return [simplify(item, depth + 1) for item in value]
    return clip(to_text(value))


def describe_longrepr(report):
    """Return how a report's failure is shown: {"kind": none | text | skip | tree, ...}."""
    longrepr = report.longrepr
    if longrepr is None:
        return {"kind": "none"}
    if isinstance(longrepr, tuple) and len(longrepr) == 3:
        line = longrepr[1] if isinstance(longrepr[1], int) else None
        return {"kind": "skip", "path": to_text(longrepr[0]), "line": line, "reason": clip(to_text(longrepr[2]))}
    node = report.__dict__.pop("node", None)  # xdist's: pytest would add a line about its process
    try:
        text = to_text(report.longreprtext)
    except Exception:  # repr may raise anything
        text = to_text(longrepr)
    finally:
        if node is not None:
            report.node = node
    crash = getattr(longrepr, "reprcrash", None)
    result = {"kind": "text", "text": clip(text)}
    if hasattr(report, "pyimages_traceback"):
        result["whole"] = clip(to_text(report.pyimages_traceback))
    if isinstance(getattr(crash, "lineno", None), int):
        result["crash"] = [to_text(crash.path), crash.lineno, clip(to_text(crash.message), 4096)]
    tree = describe_tree(report)
    if tree is not None:
        result["kind"] = "tree"
        result["tree"] = tree
    return result


def describe_tree(report):
    """Return the entries of a traceback, from which pytest on the host draws it; None if the text has to do."""
    if not hasattr(report.longrepr, "reprtraceback"):
        return None
    try:
        tree = dict(simplify(report._to_json()["longrepr"]))
        if len(getattr(report.longrepr, "chain", ())) < 2:  # else pytest 4 leaves the causes out, and the text has them
            tree.setdefault("chain", None)
    except Exception:  # experimental in pytest
        return None
    return tree


def make_domain(nodeid):
    """Return the name of a test in the title of its failure: "TestIt.test_this[1]"."""
    names, bracket, parameters = nodeid.partition("[")
    return ".".join(names.split("::")[1:]) + bracket + parameters


def find_location(report):
    """Return path, line or None, and name of a report, which plugins may have changed."""
    try:
        path, line, domain = report.location
    except (TypeError, ValueError):
        path, line, domain = report.nodeid.split("::")[0], None, report.nodeid
    if domain == path:  # xdist's report of a test during which a process died
        domain = make_domain(report.nodeid)
    return [to_text(path), line if isinstance(line, int) else None, to_text(domain)]


def list_properties(report):
    """Return the user properties as pairs of a text and a JSON value."""
    return [[name, simplify(value)] for name, value in list_pairs(report.user_properties, "property")]


def list_sections(report, room=MAX_SECTIONS):
    kept = []
    for name, content in list_pairs(report.sections, "section"):
        content = clip(to_text(content), min(room, MAX_TEXT))
        room = max(room - len(content), 0)
        kept.append([name, content])
    return kept


def list_pairs(values, name):
    """Return what is meant to be pairs as such, with the name where there is none."""
    values = values if isinstance(values, (list, tuple)) else [values] if values else []
    return [(to_text(v[0]), v[1]) if isinstance(v, (list, tuple)) and len(v) == 2 else (name, v) for v in values]


def to_seconds(value):
    """Return a number of seconds; 0.0 if the value is none."""
    is_number = isinstance(value, (int, float)) and value - value == 0 and abs(value) < 1e15
    return float(value) if is_number else 0.0


def describe_report(nodeid, report, status, with_output):
    """Return the record of a report; hooks of the suite may have put anything into its attributes.

    :param nodeid: of its test, as it was collected.
    :param status: what pytest_report_teststatus returned.
    :param with_output: whether to send the captured output of a phase that passed.
    """
    category, letter, word = status if status else ("", "", "")
    if isinstance(word, tuple):
        word = word[0]
    return {
        "t": "report",
        "id": nodeid,
        "shown": None if report.nodeid == nodeid else clip(to_text(report.nodeid), 4096),
        "location": find_location(report),
        "when": to_text(report.when or "")[:16],
        "outcome": to_text(report.outcome)[:64],
        "status": [clip(to_text(text), 2048) for text in (category, letter, word)],
        "start": to_seconds(getattr(report, "start", 0.0)),
        "duration": to_seconds(getattr(report, "duration", 0.0)),
        "wasxfail": clip(to_text(report.wasxfail or "")) if hasattr(report, "wasxfail") else None,
        "properties": list_properties(report),
        "sections": list_sections(report) if with_output or report.outcome != "passed" else [],
        "longrepr": describe_longrepr(report),
        "subtest": type(report).__name__ == "SubtestReport",
    }


def encode_report(record, report):
    """Return a report's record as JSON; if it is too long, drop its tree, then shorten the rest."""
    text = dumps(record)
    longrepr = record["longrepr"]
    if longrepr["kind"] == "tree":
        longrepr = dict(longrepr, kind="text")
        del longrepr["tree"]
    for limit in (MAX_RECORD // 32, 4096):
        if len(text) <= MAX_RECORD:
            break
        short = dict(record, longrepr=longrepr, sections=list_sections(report, limit)[:100], properties=[])
        for key in ("text", "whole", "reason"):
            if key in longrepr:
                longrepr[key] = clip(longrepr[key], limit)
        if short.get("wasxfail"):
            short["wasxfail"] = clip(to_text(short["wasxfail"]), 4096)
        text = dumps(short)
    return text
