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
        return {"kind": "skip", "path": to_text(longrepr[0]), "line": longrepr[1], "reason": clip(to_text(longrepr[2]))}
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
    if crash is not None:
        result["crash"] = [to_text(crash.path), crash.lineno, clip(to_text(crash.message), 4096)]
    if hasattr(longrepr, "reprtraceback"):
        try:
            tree = simplify(report._to_json()["longrepr"])
        except Exception:  # experimental in pytest: the text replaces it
            tree = None
        if isinstance(tree, dict):
            result["kind"] = "tree"
            result["tree"] = tree
    return result


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
    found = []
    for pair in report.user_properties:
        if isinstance(pair, (list, tuple)) and len(pair) == 2:
            found.append([to_text(pair[0]), simplify(pair[1])])
        else:
            found.append(["property", to_text(pair)])
    return found


def list_sections(report, room=MAX_SECTIONS):
    kept = []
    for name, content in report.sections:
        content = clip(to_text(content), min(room, MAX_TEXT))
        room = max(room - len(content), 0)
        kept.append([to_text(name), content])
    return kept


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
        for key in ("text", "reason"):
            if key in longrepr:
                longrepr[key] = clip(longrepr[key], limit)
        if short.get("wasxfail"):
            short["wasxfail"] = clip(to_text(short["wasxfail"]), 4096)
        text = dumps(short)
    return text
