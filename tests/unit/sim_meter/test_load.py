from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plumbline.metrics import BY_NAME
from plumbline_edge.meters.profiles.file import find_profile, shipped
from plumbline_edge.meters.profiles.profile import PLAUSIBLE
from plumbline_sim.meter.load import ROLES, SiteLoad

SINCE = date(2026, 3, 2)  # a Monday
BEGIN_S = datetime(2026, 3, 2, tzinfo=ZoneInfo("Asia/Shanghai")).timestamp()
LOADS = {role: SiteLoad(role, seed=5, since=SINCE, start_kwh=100.0) for role in ROLES}

times = st.floats(BEGIN_S, BEGIN_S + 9 * 86_400)


@pytest.mark.parametrize("role", ROLES)
def test_energy_is_the_integral_of_power(role):
    load = LOADS[role]
    begin_s, seconds = BEGIN_S + 6.5 * 3600, 6 * 3600

    summed_kwh = (
        sum(load.at(begin_s + 0.5 * i + 0.25)["power_active_total"] * 0.5 for i in range(2 * seconds)) / 3.6e6
    )

    counted_kwh = load.energy_kwh(begin_s + seconds) - load.energy_kwh(begin_s)
    assert counted_kwh == pytest.approx(summed_kwh, rel=0.005)
    assert counted_kwh > 1


@settings(deadline=None)
@given(st.sampled_from(ROLES), times, times)
def test_counters_never_run_backwards_in_whatever_order_they_are_asked(role, one_s, other_s):
    early, late = sorted((one_s, other_s))
    after, before = LOADS[role].at(late), LOADS[role].at(early)

    for name in after:
        if BY_NAME[name].kind == "counter":
            assert after[name] >= before[name]


@settings(deadline=None)
@given(st.sampled_from(ROLES), times)
def test_every_value_is_what_physics_allows(role, when_s):
    values = LOADS[role].at(when_s)

    for name, value in values.items():
        low, high = PLAUSIBLE[BY_NAME[name].unit]
        assert low <= value <= high
    for stem in ("power_active", "power_reactive"):
        phases = sum(values[f"{stem}_l{i}"] for i in (1, 2, 3))
        assert values[f"{stem}_total"] == pytest.approx(phases, abs=1e-6)
    for i in (1, 2, 3):
        assert 200 < values[f"voltage_l{i}"] < 245
        apparent = values[f"voltage_l{i}"] * values[f"current_l{i}"]
        assert values[f"power_active_l{i}"] == pytest.approx(
            apparent * values[f"power_factor_l{i}"], abs=0.01
        )
    assert values["energy_import_total"] == pytest.approx(
        sum(values[f"energy_import_l{i}"] for i in (1, 2, 3))
    )


@settings(deadline=None)
@given(times)
def test_the_main_meter_sees_at_least_what_the_others_see_together(when_s):
    parts = sum(LOADS[role].at(when_s)["power_active_total"] for role in ROLES if role != "main")

    assert LOADS["main"].at(when_s)["power_active_total"] >= parts - 1e-6


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 1000), st.floats(BEGIN_S + 8 * 3600, BEGIN_S + 86_400))
def test_the_same_seed_is_the_same_site_and_another_seed_another(seed, when_s):
    one, same, other = (SiteLoad("hoist", seed=s, since=SINCE).at(when_s) for s in (seed, seed, seed + 1))

    assert one == same
    assert one["energy_import_total"] != other["energy_import_total"]


def test_a_crane_works_on_weekdays_and_rests_at_night_and_on_sundays():
    def kwh(day, begin_h, end_h):
        begin_s = BEGIN_S + day * 86_400
        return LOADS["crane"].energy_kwh(begin_s + end_h * 3600) - LOADS["crane"].energy_kwh(
            begin_s + begin_h * 3600
        )

    assert kwh(0, 7, 18) > 40
    assert kwh(0, 19, 24) < 3
    assert kwh(6, 7, 18) < 6


def test_floodlights_burn_at_night_only():
    def rest_w(hour):
        when_s = BEGIN_S + 6 * 86_400 + hour * 3600  # a Sunday: nobody welds
        powers = {role: LOADS[role].at(when_s)["power_active_total"] for role in ROLES}
        return 2 * powers["main"] - sum(powers.values())

    assert [round(rest_w(hour)) for hour in (1, 12, 23)] == [2700, 0, 2700]


def test_voltage_sags_under_load():
    for minute in range(0, 24 * 60, 7):
        heavy, light = (LOADS[role].at(BEGIN_S + 60 * minute) for role in ("main", "hoist"))
        if heavy["power_active_l1"] > light["power_active_l1"] + 100:
            assert heavy["voltage_l1"] < light["voltage_l1"]


def test_how_busy_a_day_is_changes_what_it_uses():
    quiet = SiteLoad("crane", seed=5, since=SINCE, activity=lambda day: 0.0 if day == SINCE else 1.0)
    day = 86_400

    first = quiet.energy_kwh(BEGIN_S + day)
    second = quiet.energy_kwh(BEGIN_S + 2 * day) - first

    assert first < 0.2 * second


def test_a_day_that_was_forgotten_is_built_again_the_same():
    load = SiteLoad("hoist", seed=5, since=SINCE)
    early = load.at(BEGIN_S + 40_000)
    load.at(BEGIN_S + 30 * 86_400)

    assert load.at(BEGIN_S + 40_000) == early
    assert len(load._days) <= 3


def test_days_of_23_and_25_hours_lose_no_energy():
    zone = ZoneInfo("Europe/Paris")
    load = SiteLoad("cabins", seed=1, since=date(2026, 3, 28), timezone="Europe/Paris")
    for day in (date(2026, 3, 29), date(2026, 10, 25)):
        midnight_s = datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()
        before, after = (load.energy_kwh(midnight_s + offset) for offset in (-0.001, 0.001))
        assert 0 <= after - before < 1e-4


def test_a_time_before_the_meter_was_put_in_is_refused():
    with pytest.raises(ValueError, match="2026-03-02"):
        LOADS["crane"].at(BEGIN_S - 1)


@pytest.mark.parametrize("name", shipped())
def test_a_site_has_a_value_for_every_metric_of_every_shipped_family(name):
    assert {metric.name for metric in find_profile(name).metrics} <= set(LOADS["main"].at(BEGIN_S))


def test_a_day_begins_where_the_last_one_ended():
    for role in ROLES:
        midnight_s = BEGIN_S + timedelta(days=1).total_seconds()
        before, after = (LOADS[role].energy_kwh(midnight_s + offset) for offset in (-0.001, 0))
        assert 0 <= after - before < 1e-4
