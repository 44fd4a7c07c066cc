"""What pytest's reports are in JSON, whatever plugins and tests have put into them."""

from __future__ import absolute_import, print_function

from .channel import dumps

MAX_TEXT = 512 * 1024  # characters of one traceback or one captured section
MAX_SECTIONS = 2 * 1024 * 1024
MAX_RECORD = 4 * 1024 * 1024  # bytes of JSON, where a character may take twelve; the host takes twice as much


def clip(text, limit=MAX_TEXT):
    """Return the text, or its two ends when it is too long."""
    if len(text) <= limit:
        return text
    half = limit // 2
    return "%s\n... %d characters left out ...\n%s" % (text[:half], len(text) - 2 * half, text[len(text) - half :])


def as_text(value):
    """Return str(value); a value that cannot be shown is named by its type."""
    try:
        return "%s" % (value,)
    except Exception:  # __str__ of somebody else's object may raise anything
        return "<%s that cannot be shown>" % type(value).__name__


def plain(value, depth=0):
    """Return the value as JSON can carry it, texts clipped; None for what has no such form."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and -(1 << 53) < value < 1 << 53:
        return value
    if isinstance(value, float) and value - value == 0:  # neither infinite nor NaN
        return value
    if isinstance(value, dict) and depth < 20:
        return dict((as_text(key), plain(item, depth + 1)) for key, item in value.items())
    if isinstance(value, (list, tuple)) and depth < 20:
        return [plain(item, depth + 1) for item in value]
    return clip(as_text(value))


def longrepr_of(report):
    """Return how a report's failure looks: {"kind": none | text | skip | tree, ...}."""
    longrepr = report.longrepr
    if longrepr is None:
        return {"kind": "none"}
    if isinstance(longrepr, tuple) and len(longrepr) == 3:
        return {"kind": "skip", "path": as_text(longrepr[0]), "line": longrepr[1], "reason": clip(as_text(longrepr[2]))}
    node = report.__dict__.pop("node", None)  # xdist's: pytest would put a line about its process above the text
    try:
        text = as_text(report.longreprtext)
    except Exception:  # repr of somebody else's object
        text = as_text(longrepr)
    finally:
        if node is not None:
            report.node = node
    crash = getattr(longrepr, "reprcrash", None)
    result = {"kind": "text", "text": clip(text)}
    if crash is not None:
        result["crash"] = [as_text(crash.path), crash.lineno, clip(as_text(crash.message), 4096)]
    if hasattr(longrepr, "reprtraceback"):
        try:
            tree = plain(report._to_json()["longrepr"])
        except Exception:  # experimental in pytest: the text stands for it
            tree = None
        if isinstance(tree, dict):
            result["kind"] = "tree"
            result["tree"] = tree
    return result


def domain_of(nodeid):
    """Return what stands for a test in the title of its failure: "TestIt.test_this[1]"."""
    names, bracket, parameters = nodeid.partition("[")
    return ".".join(names.split("::")[1:]) + bracket + parameters


def location_of(report):
    """Return path, line or None, and name, whatever somebody has put there."""
    try:
        path, line, domain = report.location
    except (TypeError, ValueError):
        path, line, domain = report.nodeid.split("::")[0], None, report.nodeid
    if domain == path:  # xdist's report of a test during which a process died
        domain = domain_of(report.nodeid)
    return [as_text(path), line if isinstance(line, int) else None, as_text(domain)]


def properties_of(report):
    """Return the user properties as pairs of a text and what JSON can carry."""
    found = []
    for pair in report.user_properties:
        if isinstance(pair, (list, tuple)) and len(pair) == 2:
            found.append([as_text(pair[0]), plain(pair[1])])
        else:
            found.append(["property", as_text(pair)])
    return found


def sections_of(report, room=MAX_SECTIONS):
    kept = []
    for name, content in report.sections:
        content = clip(as_text(content), min(room, MAX_TEXT))
        room = max(room - len(content), 0)
        kept.append([as_text(name), content])
    return kept


def fitting(record, report):
    """Return a report's record as JSON; one that is too long without its tree, then with less and less of the rest."""
    text = dumps(record)
    longrepr = record["longrepr"]
    if longrepr["kind"] == "tree":
        longrepr = dict(longrepr, kind="text")
        del longrepr["tree"]
    for limit in (MAX_RECORD // 32, 4096):
        if len(text) <= MAX_RECORD:
            break
        short = dict(record, longrepr=longrepr, sections=sections_of(report, limit)[:100], properties=[])
        for key in ("text", "reason"):
            if key in longrepr:
                longrepr[key] = clip(longrepr[key], limit)
        if short.get("wasxfail"):
            short["wasxfail"] = clip(as_text(short["wasxfail"]), 4096)
        text = dumps(short)
    return text
