"""Options of other plugins that draw on the terminal or write files.

If the plugin is installed on the host, they are the host's alone: it handles the reports of all containers. If it is
not, the containers would obey them and their results would be lost, so they are refused. In the project's own settings
they are left alone, with a note about what is lost: the host need not have every plugin that the project uses.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from pytest_pyimages.project import KNOWN_PLUGINS, Plugin

# By option: the distribution that has to be on the host (empty if none helps), and what is known about it.
FOREIGN_OPTIONS: dict[str, tuple[str, Plugin]] = {
    option: (name if plugin.works_on_host else "", plugin)
    for name, plugin in KNOWN_PLUGINS.items()
    for option in plugin.host_options
}
SHARED = frozenset(option for plugin in KNOWN_PLUGINS.values() for option in plugin.shared.split())


def find_refused(names: Iterable[str], available: Collection[str]) -> tuple[str, str] | None:
    """Return the first option whose result would stay in the containers, and the reason.

    :param names: options on the command line.
    :param available: options of plugins that are installed on the host.
    """
    for name, plugin, advice in _missing(names, available):
        loss = f"{plugin.lost} would stay in the containers" if plugin.lost else "it has an effect on the host only"
        return name, f"{loss} · {advice}"
    return None


def describe_losses(names: Iterable[str], available: Collection[str]) -> Iterator[str]:
    """Yield a note for each plugin whose files the project's settings request, and which stay in the containers."""
    noted = []
    for name, plugin, advice in _missing(names, available):
        if plugin.lost and plugin not in noted:
            noted.append(plugin)
            yield f"{name}: {plugin.lost} stayed in the containers · {advice}"


def _missing(names: Iterable[str], available: Collection[str]) -> Iterator[tuple[str, Plugin, str]]:
    """Yield the options that the host's plugins do not handle, with what to do instead."""
    for name in names:
        distribution, plugin = FOREIGN_OPTIONS.get(name, ("", None))
        if plugin is not None and not (distribution and name in available):
            install = f"install {distribution} here" if distribution else ""
            yield name, plugin, ", or use ".join(filter(None, (install, plugin.instead)))
