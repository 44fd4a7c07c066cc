"""Suites that cheat, on the real worker: none of their images passes without a word."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.attack.hosts import Host
from tests.attack.streams import LABELS
from tests.attack.suites import CONFTEST, SUITE, list_cheats
from tests.attack.trials import Battery, Clock

HONEST = LABELS[0]  # its suite does nothing but fail
AT_ONCE = len(LABELS) - 1


def let_suites_cheat(battery: Battery, source: random.Random, clock: Clock, folder: Path) -> None:
    """Run cheating suites, several images in a session, in random order."""
    cheats = list_cheats()
    names = list(cheats)
    source.shuffle(names)
    names = names[: battery.planned]
    host = Host(folder, arguments=("--py-images-report=report.json",))
    for start in range(0, len(names), AT_ONCE):
        if clock.is_up:
            break
        chosen = names[start : start + AT_ONCE]
        faults = list(run_cheats(host, chosen))
        battery.figures["sessions"] += 1
        for name in chosen:
            battery.count(name, [fault for cheat, fault in faults if cheat == name])
        for fault in (fault for cheat, fault in faults if not cheat):
            battery.add_fault(f"{', '.join(chosen)}: {fault}")


def run_cheats(host: Host, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Run one session; yield the names of cheats that have worked, and how; "" for the session itself."""
    cheats, labels = list_cheats(), dict(zip(LABELS[1:], names, strict=False))
    project = host.folder / "project"
    project.joinpath("conftest.py").write_text(
        CONFTEST.format(cheats={label: cheats[name] for label, name in labels.items()})
    )
    project.joinpath("test_a.py").write_text(SUITE)
    report = project / "report.json"
    report.unlink(missing_ok=True)
    host.reset()
    host.images = ",".join((HONEST, *labels))
    ended = host.run()
    if not ended.status:
        yield "", f"exit status {ended.status}\n{ended.out}"
    yield from (("", f"left: {remains}\n{ended.out}") for remains in host.find_remains())
    if not report.exists():
        return
    document = json.loads(report.read_text())
    images = {image["label"]: image for image in document["images"]}
    if (images[HONEST]["outcome"], images[HONEST]["counts"]["passed"]) != ("failed", 4):
        yield "", f"the honest suite: {images[HONEST]}\n{ended.out}"
    for label, name in labels.items():
        if images[label]["outcome"] == "passed" and not _is_noted(ended.out, label):
            yield name, f"{images[label]}\n{ended.out}"


def _is_noted(out: str, label: str) -> bool:
    """Return whether the image's row of the summary says that tests have not run."""
    return any(line.startswith(f" {label} ") and line.endswith(" not run") for line in out.splitlines())
