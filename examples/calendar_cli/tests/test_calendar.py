from __future__ import annotations

import datetime
import sys

import pytest

from calendar_cli import Appointment, invitation, main, parse, remind

DINNER = Appointment(datetime.datetime(2024, 2, 29, 18, 30), "Dinner")
LUNCH = Appointment(datetime.datetime(2024, 2, 29, 12, 0), "Lunch with Ada")


@pytest.mark.parametrize(
    ("line", "appointment"),
    [("2024-02-29 18:30 Dinner", DINNER), ("2024-02-29 12:00 Lunch with Ada", LUNCH)],
    ids=["one-word", "several-words"],
)
def test_a_line_is_read(line: str, appointment: Appointment) -> None:
    assert parse(line) == appointment


def test_a_day_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="day"):
        parse("2023-02-29 18:30 Dinner")


def test_appointments_are_printed_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["2024-02-29 18:30 Dinner", "2024-02-29 12:00 Lunch with Ada"]) == 0
    assert capsys.readouterr().out == "Thu 29 Feb 12:00  Lunch with Ada\nThu 29 Feb 18:30  Dinner\n"


def test_help_names_the_program(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "calendar-cli" in capsys.readouterr().out


def test_reminders_come_in_order() -> None:
    assert remind([DINNER, LUNCH]) == ["12:00 Lunch with Ada", "18:30 Dinner"]


def test_an_invitation_says_when() -> None:
    message = invitation(DINNER)
    assert message["Subject"] == "Dinner"
    assert "Thursday 29 February at 18:30" in message.get_content()


@pytest.mark.skipif(sys.version_info < (3, 14), reason="date.strptime is new in Python 3.14")
def test_the_day_can_be_read_alone() -> None:
    assert datetime.date.strptime("29.02.2024", "%d.%m.%Y") == DINNER.time.date()
