"""What became of a lock file when an image was built: kept as a label of the image, since each session is to say it.

The installer says it: "held"; "excluded", if the file is not for the image's Python; "partly", with the versions that
could not be had; "unmet", with the versions that were found in the way before it was left alone altogether.
"""

from __future__ import annotations

from pytest_pyimages.project.lockfiles.locks import Lock


def fate_note(lock: Lock | None, fate: str, *, label: str, python: str) -> str:
    """Return what people should know of it; empty if all is as they expect."""
    word, *pins = fate.split() or ["held"]
    if lock is None or word == "held":
        return ""
    if word == "excluded":
        meant = f" ({lock.requires_python})" if lock.requires_python else ""
        return f"{label}: {lock.origin} is not for Python {python}{meant}; versions were chosen without it"
    named = ", ".join(pin.replace("==", " ") for pin in pins)
    if word == "partly":
        return f"{label}: not as in {lock.origin}, since it does not work here: {named}"
    culprits = f" ({named})" if named else ""
    return f"{label}: {lock.origin} does not work here{culprits}; versions were chosen without it"
