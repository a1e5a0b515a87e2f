import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline_central.plan import SHANGHAI
from plumbline_central.rules import baseline, energy
from plumbline_central.rules.baseline import HOUR, Usual
from plumbline_central.rules.limits import WorkingHours
from plumbline_central.rules.snapshot import Metered, Snapshot

from .conftest import SITE, found

START = datetime(2026, 3, 1, 16, tzinfo=UTC)  # midnight in Shanghai, a Monday begins
WORK = WorkingHours()


def at(hours):
    return START + timedelta(hours=hours)


def counter(*values, every_h=0.25, start=0.0):
    return [(at(start + n * every_h), float(value)) for n, value in enumerate(values)]


def hours_of(readings, hours=4):
    return [
        (round((begin - START) / HOUR), round(kwh, 6))
        for begin, kwh in baseline.hourly(readings, at(0), at(hours))
    ]


def test_hours_are_what_the_counter_grew_by_between_full_hours():
    assert hours_of(counter(*range(17))) == [(0, 4.0), (1, 4.0), (2, 4.0), (3, 4.0)]


def test_readings_that_miss_the_hour_are_joined_by_a_line():
    assert hours_of(counter(*range(18), start=-0.125)) == [(0, 4.0), (1, 4.0), (2, 4.0), (3, 4.0)]


def test_an_outage_costs_the_hours_that_it_touches_and_they_are_not_0():
    readings = counter(*range(17))
    away = [reading for reading in readings if not at(1.2) < reading[0] < at(2.8)]

    assert hours_of(away) == [(0, 4.0), (3, 4.0)]


def test_a_counter_that_begins_anew_costs_the_hour_it_does():
    assert hours_of(counter(*range(100, 107), *range(10))) == [(0, 4.0), (2, 4.0), (3, 4.0)]


def test_a_single_misread_value_costs_nothing():
    spoilt = counter(0, 1, 2, 999_999, 4, 5, 0.5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16)

    assert hours_of(spoilt) == [(0, 4.0), (1, 4.0), (2, 4.0), (3, 4.0)]


def test_no_hour_is_known_before_its_end_has_been_read():
    assert hours_of(counter(*range(7))) == [(0, 4.0)]
    assert hours_of([]) == []


values = st.one_of(st.none(), st.floats(0, 1e7))


@given(st.lists(values, max_size=40))
def test_whatever_a_counter_says_no_hour_is_negative_or_beyond_any_meter(story):
    readings = [(at(n / 4), value) for n, value in enumerate(story) if value is not None]

    assert all(0 <= kwh <= baseline.MOST_KWH for _, kwh in baseline.hourly(readings, at(0), at(12)))


@given(st.lists(st.floats(0, 50), min_size=16, max_size=40))
def test_the_hours_of_a_counter_without_gaps_add_up_to_what_it_grew_by(growth):
    total, readings = 0.0, [(at(0), 0.0)]
    for n, grown in enumerate(growth, start=1):
        total += grown
        readings.append((at(n / 4), total))
    full = len(growth) // 4

    hours = list(baseline.hourly(readings, at(0), at(full)))
    assert len(hours) == full
    assert sum(kwh for _, kwh in hours) == pytest.approx(readings[4 * full][1], abs=1e-6)


def test_what_is_usual_needs_weeks_and_one_wild_night_teaches_nothing():
    weeks = [(at(168 * week + 2), kwh) for week, kwh in enumerate([3.0, 3.2, 2.8, 90.0, 3.1])]

    assert baseline.learn(weeks[:2], SHANGHAI, 3) == {}
    assert baseline.learn(weeks, SHANGHAI, 3)[1, 2].kwh == 3.1


def usage(days, *, day_kwh=20.0, night_kwh=2.0, seed=1):
    """Every hour of so many days, at work by day."""
    rng = random.Random(seed)
    return [
        (
            at(hour),
            rng.gauss(1, 0.1) * (day_kwh if WORK.at_work(at(hour).astimezone(SHANGHAI)) else night_kwh),
        )
        for hour in range(24 * days)
    ]


def learnt(hours):
    return baseline.learn(hours, SHANGHAI, 3)


def night_of(hours):
    return energy.newest_night(hours, WORK, learnt(hours[: 24 * 28]))


def told(hours):
    meter = Metered(site=SITE, device="main", gateway="gw", night=night_of(hours))
    return found(Snapshot(metered=[meter]))


def test_a_night_as_usual_is_no_alert_and_one_with_a_machine_left_on_is():
    hours = usage(30)
    burning = [(begin, kwh + 10 if begin >= at(24 * 29 - 2) else kwh) for begin, kwh in hours]

    assert told(hours) == {}
    one = told(burning)["out_of_hours_energy"]
    assert (one.slot.subject, one.gateway, one.since) == ("main", "gw", at(24 * 30 - 2))
    assert one.facts["start"] == "03-31 22:00"


def test_the_same_night_is_the_same_evidence_and_lasts_until_the_next_one():
    burning = [(begin, kwh + 10 if begin >= at(24 * 29 - 2) else kwh) for begin, kwh in usage(31)]
    first = told(burning[: 24 * 29 + 1])["out_of_hours_energy"]
    morning = told(burning[: 24 * 29 + 12])["out_of_hours_energy"]

    assert first.evidence == morning.evidence
    assert first.since == morning.since == at(24 * 29 - 2)
    assert morning.facts["energy_kwh"] > first.facts["energy_kwh"]


def test_without_weeks_to_learn_from_nothing_is_said():
    hours = usage(14)
    assert energy.newest_night(hours, WORK, learnt(hours)) is None
    assert energy.whole_days(hours, learnt(hours)) == ()


def test_hours_that_nobody_knows_are_in_neither_sum():
    hours = usage(30)
    gappy = [hour for hour in hours if not at(24 * 29 + 1) <= hour[0] < at(24 * 29 + 4)]
    whole, part = night_of(hours[: 24 * 29 + 6]), night_of(gappy[: 24 * 29 + 3])

    assert part.usual_kwh == pytest.approx(whole.usual_kwh * 5 / 8, rel=0.1)
    assert part.energy_kwh == pytest.approx(whole.energy_kwh * 5 / 8, rel=0.2)


def test_a_day_counts_when_it_is_over_and_nearly_all_of_it_is_known():
    hours = usage(30)
    usual = learnt(hours)

    assert [day.on.day for day in energy.whole_days(hours[24 * 26 : 24 * 29 + 5], usual)] == [28, 29, 30]
    gappy = [hour for n, hour in enumerate(hours[24 * 28 :]) if not 3 <= n < 9]
    assert [day.on.day for day in energy.whole_days(gappy, usual)] == [31]


@given(st.floats(0, 1e4), st.floats(0, 1e4), st.floats(0, 100))
def test_a_night_below_what_is_usual_is_never_told(used, usual, spread):
    night = energy.Night(
        start=at(22), until=at(30), energy_kwh=min(used, usual), usual_kwh=usual, spread_kwh=spread
    )

    assert found(Snapshot(metered=[Metered(site=SITE, device="m", gateway="g", night=night)])) == {}


def test_a_spread_is_never_less_than_a_twentieth_of_what_is_usual():
    assert baseline.learn([(at(168 * week), 40.0) for week in range(4)], SHANGHAI, 3)[1, 0] == Usual(
        40.0, 2.0
    )
