"""On a link paid by the megabyte alarms always go, readings nearly always, photos and backlog tomorrow."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from plumbline.clock import ManualClock
from plumbline_edge.uplink import Budget, SpentFile
from plumbline_edge.uplink.budget import Spent

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOON = datetime(2026, 7, 1, 4, tzinfo=UTC)


def budget(clock: ManualClock, daily_mb: float | None = 1.0, spent: Spent | None = None) -> Budget:
    return Budget(daily_mb, zone=SHANGHAI, clock=clock, spent=spent)


@pytest.mark.parametrize(
    ("sent", "live", "backlog", "photo"),
    [(999_999, True, True, True), (1_000_000, True, False, False), (1_200_000, False, False, False)],
)
def test_photos_and_backlog_wait_at_the_budget_and_readings_a_fifth_beyond_it(sent, live, backlog, photo):
    day = budget(ManualClock(NOON))
    day.spend(sent)

    assert day.allows("data", live=True) == live
    assert day.allows("data", live=False) == backlog
    assert day.allows("photo", live=True) == photo
    assert day.allows("status", live=True)
    assert day.allows("status", live=False)


def test_a_new_day_begins_at_the_sites_midnight():
    clock = ManualClock(datetime(2026, 7, 1, 15, 59, tzinfo=UTC))
    day = budget(clock)
    day.spend(2_000_000)
    clock.advance(59)
    before = day.allows("data", live=True)
    clock.advance(1)

    assert not before
    assert day.allows("photo", live=False)
    assert day.gauges() == {"bytes_sent_today": 0.0, "budget_left_mb": 1.0}


def test_without_a_budget_bytes_are_only_counted():
    day = budget(ManualClock(NOON), None)
    day.spend(10**12)

    assert day.allows("photo", live=False)
    assert day.gauges() == {"bytes_sent_today": 1e12}


def test_a_clock_that_was_never_set_begins_no_new_day():
    clock = ManualClock(datetime(1970, 1, 1, tzinfo=UTC), trust="unset")
    day = budget(clock, spent=Spent(day="2026-07-01", sent=5))
    day.spend(1)

    assert day.spent() == Spent(day="2026-07-01", sent=6)


def test_the_count_survives_a_restart(tmp_path):
    file = SpentFile(tmp_path / "sent_today.json")
    day = budget(ManualClock(NOON))
    day.spend(123)
    file.write(day.spent())

    assert budget(ManualClock(NOON), spent=file.read()).spent() == Spent(day="2026-07-01", sent=123)
    assert [path.name for path in tmp_path.iterdir()] == ["sent_today.json"]


@pytest.mark.parametrize("content", [b"", b"\xff", b'{"day": 1}', b"[]"])
def test_a_damaged_file_counts_from_nothing(tmp_path, content):
    path = tmp_path / "sent_today.json"
    path.write_bytes(content)

    assert SpentFile(path).read() is None


def test_a_card_that_takes_no_file_stops_nothing(tmp_path):
    SpentFile(tmp_path / "none" / "sent_today.json").write(Spent(day="2026-07-01", sent=1))

    assert not (tmp_path / "none").exists()
