"""Who hears of what, and when."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from plumbline_central.channels.routing import Hours, Route, Router, hours_of

SHANGHAI = ZoneInfo("Asia/Shanghai")


def told(notice, *routes, always=("mqtt",)):
    return Router(tz=SHANGHAI, always=always, routes=routes).channels(notice)


def test_programs_hear_of_every_step_and_people_not_of_housekeeping(notice):
    everyone = Route(channels=("chat:site",))

    assert told(notice("raised"), everyone) == ("mqtt", "chat:site")
    assert told(notice("suppressed"), everyone) == ("mqtt",)
    assert told(notice("suppressed"), Route(channels=("chat:site",), whats=("suppressed",))) == (
        "mqtt",
        "chat:site",
    )


@pytest.mark.parametrize(
    ("conditions", "fits"),
    [
        ({"sites": ("sch*",)}, True), ({"sites": ("town-hall", "scho?l")}, True), ({"sites": ("town-hall",)}, False),
        ({"severities": ("red",)}, False), ({"severities": ("amber",)}, True),
        ({"rules": ("no_data",)}, False), ({"owners": ("Li",)}, False),
    ],
)  # fmt: skip
def test_every_condition_of_a_route_must_fit(notice, conditions, fits):
    assert (told(notice(), Route(channels=("mail:x",), **conditions)) == ("mqtt", "mail:x")) is fits


def test_an_owner_hears_of_what_was_assigned_to_them(notice):
    assert told(notice(assigned_to="Li"), Route(channels=("mail:li",), owners=("Li",))) == ("mqtt", "mail:li")


def test_a_channel_of_two_routes_is_told_once_and_only_ends_the_search(notice):
    both = (Route(channels=("a", "b"), only=True), Route(channels=("b", "c")))

    assert told(notice(), *both, always=("b",)) == ("b", "a")
    assert told(notice(), both[1], Route(channels=("c", "d")), always=()) == ("b", "c", "d")


def test_hours_are_of_the_sites_clock(notice):
    day = Route(channels=("chat:day",), hours=hours_of("07:30-19:00"))
    morning = datetime(2026, 3, 2, 23, 30, tzinfo=UTC)  # 07:30 in Shanghai

    assert told(notice(at=morning), day) == ("mqtt", "chat:day")
    assert told(notice(at=morning - timedelta(seconds=1)), day) == ("mqtt",)
    assert told(notice(at=morning + timedelta(hours=11, minutes=30)), day) == ("mqtt",)


def test_a_night_belongs_to_the_day_on_which_it_begins():
    friday_night = Hours(start=time(22), until=time(6), weekdays=frozenset({4}))
    saturday = datetime(2026, 3, 7, 0, 0)  # noqa: DTZ001 - local by definition

    assert friday_night.holds(saturday - timedelta(hours=1))
    assert friday_night.holds(saturday + timedelta(hours=5))
    assert not friday_night.holds(saturday + timedelta(hours=6))
    assert not friday_night.holds(saturday + timedelta(hours=23))


def test_a_whole_day_has_no_gap():
    mondays = Hours.all_day(frozenset({0}))
    monday = datetime(2026, 3, 2, 0, 0)  # noqa: DTZ001

    assert [mondays.holds(monday + timedelta(hours=h)) for h in (-1, 0, 12, 23, 24)] == [
        False, True, True, True, False,
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["", "7-19", "07:30", "07:30-24:00", "08:00-08:00", "07:30-19:00 "])
def test_hours_that_are_none(text):
    assert hours_of(text) is None
