"""When polls and photos are due, also when the clock is set or changes to summer time."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline_edge.schedule import Taken, due_capture, next_capture, next_tick

SHANGHAI = ZoneInfo("Asia/Shanghai")
BERLIN = ZoneInfo("Europe/Berlin")
ZONES = [SHANGHAI, BERLIN, ZoneInfo("Africa/Cairo"), ZoneInfo("Australia/Lord_Howe")]
steps = st.sampled_from([0.0, 0.3, -0.3, 3.7, -3.7, 7200.0, -7200.0, 1.77e9, -1.77e9])


def test_the_next_of_several_times_of_day_is_taken():
    now = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)  # 11:00 in Shanghai

    assert next_capture(now, ["10:00", "14:00"], SHANGHAI) == datetime(2026, 3, 1, 6, 0, tzinfo=UTC)
    assert next_capture(now, ["10:00"], SHANGHAI) == datetime(2026, 3, 2, 2, 0, tzinfo=UTC)


@given(st.integers(1_735_700_000, 1_900_000_000).map(lambda s: datetime.fromtimestamp(s, UTC)))
def test_it_is_always_later_and_within_two_days_also_where_clocks_change(now):
    due = next_capture(now, ["02:30"], BERLIN)

    assert 0 < (due - now).total_seconds() <= 49 * 3600


@pytest.mark.parametrize("zone", ZONES, ids=lambda zone: zone.key)
@pytest.mark.parametrize("at", ["00:30", "02:00", "02:30", "10:00", "23:30"])
def test_a_year_of_photos_has_one_a_day(zone, at):
    now, days = datetime(2026, 1, 1, 12, tzinfo=UTC), []
    for _ in range(365):
        now = next_capture(now, [at], zone)
        days.append(now.astimezone(zone).date())

    assert days == [days[0] + timedelta(days=n) for n in range(365)]


@given(
    every_s=st.sampled_from([0.5, 1.0, 10.0, 60.0, 900.0]),
    busy=st.lists(st.tuples(st.floats(0, 3.2), steps), min_size=1, max_size=40),
)
def test_ticks_run_or_are_counted_as_missed_by_the_time_that_truly_passed(every_s, busy):
    """`busy`: how many periods each round took, and by how much the clock was set meanwhile."""
    mono, offset, last, ticks, missed = 100.0, 1.7e9 + 0.123, None, [], 0
    for periods, step in busy:
        due, skipped = next_tick(mono + offset, mono, last, every_s)
        ticks.append(due)
        missed += skipped
        offset += step
        mono, last = due + periods * every_s, due
    gaps = [b - a for a, b in pairwise(ticks)]
    elapsed = ticks[-1] - ticks[0]

    assert all(gap >= every_s / 2 - 1e-6 for gap in gaps)
    assert all(
        gap <= max(periods, 0.5) * every_s + every_s + 1e-6
        for gap, (periods, _) in zip(gaps, busy, strict=False)
    )
    set_at = sum(step != 0 for _, step in busy)
    assert abs(elapsed / every_s - (len(ticks) - 1 + missed)) <= 0.5 * set_at + 1e-3


def test_a_tick_that_came_a_hair_early_is_not_run_twice():
    due, missed = next_tick(wall_s=29.9995, mono_s=9.9995, last_s=10.0, every_s=10.0)

    assert (round(due, 6), missed) == (20.0, 0)


def test_after_a_step_of_two_hours_forward_nothing_was_missed_and_nothing_waits_for_hours():
    due, missed = next_tick(wall_s=1000.0 + 7200, mono_s=0.5, last_s=0.0, every_s=10.0)
    back, _ = next_tick(wall_s=1000.0 - 7200, mono_s=0.5, last_s=0.0, every_s=10.0)

    assert (due, back, missed) == (10.5, 10.5, 0)


class Watch:
    """A camera's days: `live` lets true time pass with the clock off by `error`, photos taken when due."""

    def __init__(self, at=("10:00",), zone=SHANGHAI, start=datetime(2026, 3, 1, 0, 0, tzinfo=UTC)):
        self.at, self.zone, self.start = at, zone, start
        self.mono = self.since = 0.0
        self.error = timedelta(0)
        self.taken: list[Taken] = []
        self.photos: list[datetime] = []
        """The true times."""

    def live(self, hours: float) -> None:
        for _ in range(round(hours * 60)):
            self.mono += 60.0
            wall = self.start + timedelta(seconds=self.mono) + self.error
            due = due_capture(wall, self.mono, self.since, self.taken, self.at, self.zone)
            if due <= wall:
                self.since = self.mono
                self.taken.append(Taken(due=due, mono=self.mono))
                self.photos.append(self.start + timedelta(seconds=self.mono))

    def days(self) -> list[date]:
        return [at.astimezone(self.zone).date() for at in self.photos]


MARCH = [date(2026, 3, day) for day in range(1, 32)]


@pytest.mark.parametrize("hours", [2, -2, 24 * 365 * 56, -24])
@pytest.mark.parametrize("set_at", [1.5, 2.5, 3.99])  # photos are due at 02:00 UTC
@pytest.mark.parametrize("lasts", [0.25, 1.0, 20.0, 30.0])
def test_a_clock_that_is_wrong_for_a_while_neither_repeats_nor_skips_a_days_photo(hours, set_at, lasts):
    """A gateway that has run since the day before; the wrong stretch may swallow 10:00 or bring it again."""
    camera = Watch(start=datetime(2026, 2, 28, 0, 0, tzinfo=UTC))
    camera.live(24 + set_at)
    camera.error = timedelta(hours=hours)
    camera.live(lasts)
    camera.error = timedelta(0)
    camera.live(72 - set_at - lasts)

    days = camera.days()
    assert len(days) == len(set(days))
    assert days == [date(2026, 2, 28), *MARCH[:3]]


def test_a_board_that_boots_in_1970_takes_todays_photo_when_its_time_passed_unseen():
    camera = Watch(start=datetime(2026, 3, 1, 1, 50, tzinfo=UTC))  # 09:50 in Shanghai
    camera.error = datetime(1970, 1, 1, tzinfo=UTC) - camera.start
    camera.live(0.5)
    before = list(camera.photos)
    camera.error = timedelta(0)
    camera.live(48)

    assert before == []
    assert camera.days() == MARCH[:3][: len(camera.photos)]
    assert camera.photos[0] == datetime(2026, 3, 1, 2, 21, tzinfo=UTC)


def test_a_time_of_day_before_the_gateway_started_is_not_made_up_for():
    camera = Watch(start=datetime(2026, 3, 1, 3, 0, tzinfo=UTC))
    camera.error = -timedelta(hours=4)
    camera.live(0.2)
    camera.error = timedelta(0)
    camera.live(2)

    assert camera.photos == []


@given(
    hours=st.lists(st.sampled_from([-2.0, 2.0, -0.5, 0.5]), min_size=1, max_size=6),
    lasts=st.lists(st.floats(0.1, 9.0), min_size=6, max_size=6),
)
def test_whatever_small_steps_come_no_time_of_day_has_two_photos(hours, lasts):
    camera = Watch()
    for step, length in zip(hours, lasts, strict=False):
        camera.live(length)
        camera.error = timedelta(hours=step) if not camera.error else timedelta(0)
    camera.live(12)
    due = [photo.due for photo in camera.taken]

    assert len(due) == len(set(due))
