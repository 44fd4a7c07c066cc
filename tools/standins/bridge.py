"""A network bridge for an engine beside another one, which owns ``docker0`` and the machine's DOCKER chains."""

from __future__ import annotations

import hashlib
import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tools.standins.state import run_logged

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tools.standins.state import State

COMMAND_SECONDS = 30


@dataclass(slots=True, kw_only=True, frozen=True)
class Bridge:
    """A bridge's name and the network on it."""

    name: str
    address: str
    network: str

    @property
    def exists(self) -> bool:
        """Whether the machine has the bridge now."""
        return Path("/sys/class/net", self.name).exists()

    @property
    def rules(self) -> tuple[tuple[str, ...], ...]:
        """The packet filter's rules that let containers on the bridge reach the outside: table, chain, rule."""
        return (
            ("nat", "POSTROUTING", "-s", self.network, "!", "-o", self.name, "-j", "MASQUERADE"),
            ("filter", "FORWARD", "-i", self.name, "-j", "ACCEPT"),
            ("filter", "FORWARD", "-o", self.name, "-j", "ACCEPT"),
        )


def bridge_of(home: Path) -> Bridge:
    """Return the bridge that belongs to a state folder, unlike that of any other folder."""
    digest = hashlib.sha256(os.fsencode(home)).digest()
    third = digest[4]
    # Interface names have at most 15 characters.
    return Bridge(name=f"pyimg{digest[:4].hex()}", address=f"172.31.{third}.1/24", network=f"172.31.{third}.0/24")


def ensure_bridge(bridge: Bridge, state: State, environ: Mapping[str, str]) -> None:
    """Make the bridge and its rules where they are missing."""

    def run(*command: str) -> None:
        what = "making a network bridge beside another engine's"
        run_logged(command, state, what=what, environ=environ, seconds=COMMAND_SECONDS)

    if not bridge.exists:
        run("ip", "link", "add", bridge.name, "type", "bridge")
        run("ip", "address", "add", bridge.address, "dev", bridge.name)
    run("ip", "link", "set", bridge.name, "up")
    for table, chain, *rule in bridge.rules:
        text = shlex.join(rule)
        # -C asks whether the rule is there; -I puts it before the other engine's, whose policy is to drop.
        run("sh", "-c", f"iptables -w -t {table} -C {chain} {text} || iptables -w -t {table} -I {chain} {text}")


def remove_bridge(bridge: Bridge, state: State, environ: Mapping[str, str]) -> None:
    """Take the bridge and its rules away again."""
    what = "removing the network bridge"
    for table, chain, *rule in bridge.rules:
        command = ("iptables", "-w", "-t", table, "-D", chain, *rule)
        run_logged(command, state, what=what, environ=environ, seconds=COMMAND_SECONDS)
    if bridge.exists:  # Podman removes it with its last container
        run_logged(("ip", "link", "delete", bridge.name), state, what=what, environ=environ, seconds=COMMAND_SECONDS)
