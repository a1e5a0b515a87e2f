import random
from datetime import timedelta

import pytest

from plumbline_central.deviation import Band, Seen, Watch, step
from plumbline_central.plan import PlanCurve

from .conftest import START, Central

DAYS = 60


def s_curve(day):
    share = min(1.0, max(0.0, day / DAYS))
    return 100 * share * share * (3 - 2 * share)


def story(seed, slip):
    """One photo a day at noon: what was really done, seen with an error and sometimes not at all."""
    chance = random.Random(seed)
    for day in range(1, DAYS):
        truth = s_curve(day - slip(day))
        percent = min(100.0, max(0.0, truth + chance.gauss(0, 1.2)))
        gate = ("fog_rain",) if chance.random() < 0.1 else ()
        yield day, truth, percent, gate


def slip_and_catch_up(day):
    """Six days lost from day 20 on, won back from day 40 on."""
    return min(6.0, max(0.0, day - 20.0), max(0.0, (52.0 - day) / 2))


@pytest.mark.parametrize("seed", range(8))
def test_a_slip_that_is_won_back_is_one_alert_that_begins_and_ends_with_it(tmp_path, seed):
    central = Central(tmp_path / "control.db")
    try:
        central.plan(*(s_curve(day) for day in range(DAYS + 1)))
        for seq, (day, _, percent, gate) in enumerate(story(seed, slip_and_catch_up), start=1):
            for part in range(4):
                central.tick(day - 0.9 + part / 4)
            central.photo(seq, day, percent, gate=gate, half=2.5)

        (alert,) = [a for a in central.book.recent() if a.rule == "deviation"]
    finally:
        central.close()
    off = {day: truth - s_curve(day) for day, truth, _, _ in story(seed, slip_and_catch_up)}
    first = next(day for day in off if off[day] < -5)
    last = max(day for day in off if off[day] < -5)
    assert alert.deviation_pp < -5
    assert -2 <= (alert.raised_at - START) / timedelta(days=1) - first <= 5
    assert alert.cleared_at is not None
    assert -2 <= (alert.cleared_at - START) / timedelta(days=1) - last <= 8


def test_a_site_on_its_plan_is_left_alone():
    alarms = 0
    plan = PlanCurve(points=tuple((START + timedelta(days=day), s_curve(day)) for day in range(DAYS + 1)))
    for seed in range(200):
        watch = Watch()
        for day, _, percent, gate in story(seed, lambda _day: 0.0):
            at = START + timedelta(days=day)
            seen = Seen(
                ref=str(day), at=at, percent=percent, low=percent - 2.5, high=percent + 2.5, gate=gate
            )
            watch, verdict = step(watch, seen, plan.planned_at(at), Band())
            alarms += verdict is not None

    assert alarms == 0
