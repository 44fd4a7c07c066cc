"""Other plugins' options that only make sense on one side: here, where there is a terminal and files stay.

Where the plugin is installed on the host, its options are the host's alone: what the containers report is replayed for
it. Where it is not, they would be obeyed inside, for nobody to see; so they are refused. In the project's own settings
they are left alone: whoever runs the suite with images need not have all that it may be run with.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Reporter:
    """An option that draws on the terminal or writes files."""

    valued: bool = False
    plugin: str = ""  # what to install here so that it works; empty if nothing makes it
    loss: str = "its report"  # what stays in the containers; empty if there is none
    instead: str = ""


def _of(
    plugin: str, flags: str, values: str = "", *, loss: str = "its report", instead: str = ""
) -> dict[str, Reporter]:
    return {
        name: Reporter(valued=valued, plugin=plugin, loss=loss, instead=instead)
        for names, valued in ((flags, False), (values, True))
        for name in names.split()
    }


_TABLES = "each image's table is shown at the end"
REPORTERS = {
    **_of("pytest-html", "--self-contained-html", "--html --css", instead="--py-images-report=FILE.html"),
    **_of("pytest-reportlog", "--report-log-exclude-logs-on-passed-tests", "--report-log"),
    **_of(
        "pytest-json-report",
        "--json-report --json-report-summary",
        "--json-report-file --json-report-indent --json-report-omit --json-report-verbosity",
        instead="--py-images-report=FILE.json",
    ),
    **_of("pytest-md", "", "--md", instead="--py-images-report=FILE.md"),
    **_of("pytest-instafail", "--instafail", loss=""),
    **_of("pytest-sugar", "--force-sugar --old-summary --sugar-no-trace", "--sugar-trace-dir", loss=""),
    **_of("pytest-github-actions-annotate-failures", "--exclude-warning-annotations", loss=""),
    **_of(
        "",
        "--benchmark-autosave",
        "--benchmark-json --benchmark-save --benchmark-cprofile-dump",
        loss="its files",
        instead=_TABLES,
    ),
    # These may stand alone; a value follows "=" only.
    **_of("", "--benchmark-csv --benchmark-histogram", loss="its files", instead=_TABLES),
    **_of("", "", "--log-file", loss="its file", instead="failures show what was logged; -s --log-cli-level shows all"),
}
# Of plugins that work inside: those options that take a value, whose value is no path or node id.
INSIDE_VALUES = frozenset(
    "--reruns --reruns-delay --only-rerun --rerun-except --timeout --timeout-method --session-timeout --randomly-seed"
    " --count --repeat-scope --asyncio-mode --order-scope --envfile --hypothesis-profile --hypothesis-seed"
    " --hypothesis-verbosity --benchmark-min-time --benchmark-max-time --benchmark-min-rounds --benchmark-timer"
    " --benchmark-calibration-precision --benchmark-sort --benchmark-group-by --benchmark-columns --benchmark-name"
    " --benchmark-storage --benchmark-warmup-iterations --benchmark-compare-fail --benchmark-time-unit".split()
)
# What both sides obey, where the host has the plugin: its header says it.
SHARED = frozenset(("--randomly-seed",))
VALUES = frozenset(name for name, reporter in REPORTERS.items() if reporter.valued) | INSIDE_VALUES


def refusal(names: Iterable[str], known: Collection[str]) -> tuple[str, str] | None:
    """Return the first option that would be obeyed for nobody to see, and why and what to do.

    :param names: of the options on the command line.
    :param known: those that plugins of the host have.
    """
    for name in names:
        reporter = REPORTERS.get(name)
        if reporter is None or (reporter.plugin and name in known):
            continue
        loss = f"{reporter.loss} would stay in the containers" if reporter.loss else "it is of use on this host only"
        return name, f"{loss} · {_advice(reporter)}"
    return None


def losses(names: Iterable[str], known: Collection[str]) -> Iterator[str]:
    """Yield a line for each plugin whose files a suite's own settings ask for, and which nobody gets to see."""
    told = set()
    for name in names:
        reporter = REPORTERS.get(name)
        if reporter is None or not reporter.loss or (reporter.plugin and name in known):
            continue
        if (reporter.plugin, reporter.loss) not in told:
            told.add((reporter.plugin, reporter.loss))
            yield f"{name}: {reporter.loss} stayed in the containers · {_advice(reporter)}"


def _advice(reporter: Reporter) -> str:
    install = f"install {reporter.plugin} here" if reporter.plugin else ""
    return ", or use ".join(part for part in (install, reporter.instead) if part)
