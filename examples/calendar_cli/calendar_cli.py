"""Appointments on the command line: lists, invites to and reminds of them."""

from __future__ import annotations

import argparse
import asyncio
import datetime
import email.message
import email.utils
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Appointment:
    """What is on at a time, which is local to wherever one is."""

    time: datetime.datetime
    title: str


def parse(line: str) -> Appointment:
    """Read ``2024-02-29 18:30 Dinner``."""
    day, hour, title = line.split(maxsplit=2)
    return Appointment(datetime.datetime.fromisoformat(f"{day}T{hour}"), title)


def invitation(appointment: Appointment) -> email.message.EmailMessage:
    """Return the mail that invites to an appointment."""
    message = email.message.EmailMessage()
    message["Subject"] = appointment.title
    message["Date"] = email.utils.localtime(appointment.time, isdst=-1)  # no isdst from Python 3.14 on
    message.set_content(f"{appointment.title}, {appointment.time:%A %d %B at %H:%M}")
    return message


async def _remind(appointments: Sequence[Appointment], seconds: float) -> list[str]:
    said = []
    for appointment in sorted(appointments):
        await asyncio.sleep(seconds)
        said.append(f"{appointment.time:%H:%M} {appointment.title}")
    return said


def remind(appointments: Sequence[Appointment], seconds: float = 0) -> list[str]:
    """Return the reminders, each after so many seconds."""
    loop = asyncio.get_event_loop()  # makes no loop from Python 3.14 on
    return loop.run_until_complete(_remind(appointments, seconds))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the appointments of the given lines in order."""
    parser = argparse.ArgumentParser(prog="calendar-cli", description="List appointments.")
    parser.add_argument("lines", nargs="*", metavar="LINE", help="such as '2024-02-29 18:30 Dinner'")
    for appointment in sorted(map(parse, parser.parse_args(arguments).lines)):
        print(f"{appointment.time:%a %d %b %H:%M}  {appointment.title}")
    return 0
