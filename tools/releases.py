"""Refresh ``releases.json``, the table of Python's releases, from the release cycle that python.org publishes.

python -m tools.releases              # from https://peps.python.org/api/release-cycle.json
python -m tools.releases FILE         # from a copy of that document
"""

from __future__ import annotations

import argparse
import json
import sys
import urllib.request
from collections.abc import Mapping
from datetime import date, datetime, timezone
from pathlib import Path
from typing import Any

from pytest_pyimages.matrix.releases import TABLE

SOURCE = "https://peps.python.org/api/release-cycle.json"
OLDEST = {2: 7, 3: 5}  # minors by major; the worker runs on nothing older


def make_table(cycle: Mapping[str, Mapping[str, Any]], today: date) -> str:
    """Return the text of ``releases.json``.

    :param cycle: the document, https://peps.python.org/api/#release-cycle-json.
    """
    names = [tuple(map(int, name.split("."))) for name in cycle]
    kept = sorted(name for name in names if name[1] >= OLDEST.get(name[0], 0 if name[0] > max(OLDEST) else name[1] + 1))
    lines = []
    for major, minor in kept:
        dates = cycle[f"{major}.{minor}"]
        row = {key: dates[key] for key in ("first_release", "end_of_life")}
        lines.append(f'    "{major}.{minor}": {json.dumps(row)}')
    head = f'{{\n  "source": "{SOURCE}",\n  "date": "{today.isoformat()}",\n  "releases": {{\n'
    return head + ",\n".join(lines) + "\n  }\n}\n"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.releases", description="refresh releases.json")
    parser.add_argument("file", metavar="FILE", nargs="?", type=Path, help=f"a copy of {SOURCE}")
    file = parser.parse_args(arguments).file
    if file is None:
        with urllib.request.urlopen(SOURCE, timeout=30) as response:
            data = response.read()
    else:
        data = file.read_bytes()
    TABLE.write_text(make_table(json.loads(data), datetime.now(timezone.utc).date()), encoding="utf-8")
    sys.stdout.write(f"{TABLE} is written; look at its changes\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
