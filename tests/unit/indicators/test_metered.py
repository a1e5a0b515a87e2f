"""What meters add to an indicator: nothing is counted twice, and what nobody measured is not 0."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.errors import Unreachable
from plumbline_central.indicators.counting import Count, consumed, hours_at_work, share_outside, steps
from plumbline_central.indicators.metered import Meterer
from plumbline_central.stores.port import Reading

from .conftest import SITE, START, day

SHANGHAI = ZoneInfo("Asia/Shanghai")
HOUR = timedelta(hours=1)


class Meters:
    """A telemetry store of lists."""

    def __init__(self):
        self.readings = {}
        self.away = False

    def add(self, device, at, value):
        self.readings.setdefault(device, []).append((at, value))

    def latest(self, site):
        return [
            Reading(
                site=site, gateway="g", device=device, metric="energy_import_total", unit="kWh", value=1.0, flaw=None,
                at=START,
            )
            for device in self.readings
        ]  # fmt: skip

    def series(self, site, device, metric, start, end, step_s=None):
        if self.away:
            raise Unreachable("away")
        return [(at, value) for at, value in self.readings.get(device, []) if start <= at < end]


@pytest.fixture
def meters():
    return Meters()


def count(measured, meters, now):
    return Meterer(measured.db, measured.book.indicators, measured.book.plans, meters).catch_up(now)


def values(measured, indicator="energy"):
    return [
        (point.at, point.value, point.flags)
        for point in measured.book.points.indicator_points(SITE, indicator).points
    ]


@given(st.lists(st.floats(0, 1000), min_size=1, max_size=30), st.integers(0, 30))
def test_counting_in_two_goes_is_counting_in_one(grown, cut):
    counter, readings = 5.0, []
    for i, more in enumerate(grown):
        counter += more
        readings.append((START + i * HOUR, counter))
    begin = Count(at=START)
    first, _ = consumed(begin, readings[:cut], outside=(6, 22), tz=SHANGHAI)
    second, _ = consumed(first, readings[cut:], outside=(6, 22), tz=SHANGHAI)
    whole, _ = consumed(begin, readings, outside=(6, 22), tz=SHANGHAI)

    assert second == whole
    assert 0 <= whole.total <= readings[-1][1] - readings[0][1] + 1e-6


def test_a_counter_that_falls_was_replaced_and_counts_on():
    found, flags = consumed(
        Count(at=START), [(START, 100.0), (START + HOUR, 110.0), (START + 2 * HOUR, 3.0), (START + 3 * HOUR, 5.0)],
        outside=None, tz=SHANGHAI,
    )  # fmt: skip

    assert (found.total, flags) == (12.0, {"counter_fell"})


@pytest.mark.parametrize(
    ("hour", "length_h", "share"), [(8, 2, 0.0), (23, 2, 1.0), (21, 2, 0.5), (5, 4, 0.25), (0, 48, 1 / 3)]
)
def test_the_night_is_told_by_the_local_clock(hour, length_h, share):
    start = datetime(2026, 3, 1, hour, tzinfo=SHANGHAI).astimezone(UTC)

    assert share_outside(start, start + length_h * HOUR, (6, 22), SHANGHAI) == pytest.approx(share)


def test_an_hour_counts_when_all_devices_together_work_and_an_hour_without_a_reading_is_a_gap():
    one = [(START, 1500.0), (START + HOUR, 1500.0)]
    other = [(START, 1000.0)]

    assert hours_at_work([one, other], 2000.0, expected=2) == (1, frozenset())
    assert hours_at_work([one, other], 2000.0, expected=6) == (1, {"gap"})
    assert hours_at_work([[], []], 2000.0, expected=6) == (0, {"silent"})


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_steps_leave_nothing_out_and_end_on_the_clock(start_s, length_s):
    start = START + timedelta(seconds=start_s)
    found = steps(start, start + timedelta(seconds=length_s), 6 * HOUR)

    assert all(left[1] == right[0] for left, right in pairwise(found))
    assert not found or found[0][0] == start
    assert all(end.hour % 6 == 0 and (end.minute, end.second) == (0, 0) for _, end in found)
    assert not found or start + timedelta(seconds=length_s) - found[-1][1] < 6 * HOUR


def test_energy_is_counted_from_the_plans_start_and_never_twice(measured, meters):
    measured.add("energy")
    for hour in range(-3, 20):
        meters.add("main", START + hour * HOUR, 1000.0 + 10 * hour)
    assert count(measured, meters, day(0.6)) == 0
    measured.plan("energy", (0, 0), (10, 2400), kind="quantity")

    assert count(measured, meters, day(0.6)) == 2
    assert count(measured, meters, day(0.6)) == 0
    assert values(measured) == [(day(0.25), 50.0, ()), (day(0.5), 110.0, ())]
    assert count(measured, meters, day(0.77)) == 1
    assert values(measured)[-1] == (day(0.75), 170.0, ())


def test_a_silent_meter_makes_the_sum_unknown_until_it_speaks_again(measured, meters):
    measured.add("energy")
    measured.plan("energy", (0, 0), (10, 2400), kind="quantity")
    for hour in range(24):
        meters.add("main", START + hour * HOUR, 10.0 * hour)
        if not 6 <= hour < 18:
            meters.add("crane", START + hour * HOUR, 1.0 * hour)

    count(measured, meters, day(1.02))
    assert values(measured) == [
        (day(0.25), 55.0, ()),
        (day(0.5), None, ("silent",)),
        (day(0.75), None, ("silent",)),
        (day(1), 253.0, ()),
    ]


def test_a_store_that_is_away_costs_nothing(measured, meters):
    measured.add("energy")
    measured.plan("energy", (0, 0), (10, 2400), kind="quantity")
    for hour in range(24):
        meters.add("main", START + hour * HOUR, 10.0 * hour)
    count(measured, meters, day(0.3))
    meters.away = True
    with pytest.raises(Unreachable):
        count(measured, meters, day(1.02))
    meters.away = False
    count(measured, meters, day(1.02))

    assert [value for _, value, _ in values(measured)] == [50.0, 110.0, 170.0, 230.0]


def test_a_long_past_is_caught_up_a_week_at_a_time(measured, meters):
    measured.add("work_hours")
    measured.plan("work_hours", (0, 0), (100, 1000), kind="quantity")
    meters.add("main", START, 5000.0)

    assert [count(measured, meters, day(10.1)) for _ in range(3)] == [28, 12, 0]
