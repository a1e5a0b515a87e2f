from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline_central.deviation import Band, Seen, Watch
from plumbline_central.indicators.indicator import Threshold, from_template
from plumbline_central.indicators.templates import templates
from plumbline_central.rules.indicators import band_of, follow, off_usual, usual_band
from plumbline_central.rules.limits import Limits
from plumbline_central.rules.snapshot import EnergyDay, Metered

from .conftest import NOW, SITE, day

BAND = Band(kind="quantity", raise_over_pp=5.0, clear_below_pp=4.0, hold_observations=1)


def value(number, amount, *, planned=100.0, flags=(), ref=None):
    seen = Seen(ref=ref or f"v{number}", at=day(number), percent=amount, gate=flags, kind="quantity")
    return seen, planned


def firing(*values, watch=None, band=BAND):
    return follow(watch or Watch(), values, band).firing


@pytest.mark.parametrize(
    ("template", "side", "hold", "kind"),
    [
        ("progress_total", None, 1, "percent"),
        ("funds_paid", None, 1, "percent"),
        ("satisfaction", "behind", 1, "percent"),
        ("open_rectifications", "ahead", 1, "quantity"),
        ("energy", "ahead", 2, "quantity"),
    ],
)
def test_both_sides_count_of_what_is_summed_up_and_the_bad_one_of_all_else(template, side, hold, kind):
    band = band_of(from_template(templates()[template], SITE), Band())

    assert (band.side, band.hold_observations, band.kind) == (side, hold, kind)


def test_an_indicators_own_threshold_goes_before_that_of_alerts():
    own = replace(
        from_template(templates()["funds_paid"], SITE),
        threshold=Threshold(raise_over=12.0, clear_below=9.0),
    )

    band = band_of(own, Band())
    assert (band.raise_over_pp, band.clear_below_pp) == (12.0, 9.0)
    assert (
        band_of(from_template(templates()["funds_paid"], SITE), Band(raise_over_pp=7.0)).raise_over_pp == 7.0
    )


def test_a_value_off_its_plan_is_told_until_one_is_back():
    assert firing(value(1, 105.0)) is None
    assert firing(value(1, 105.1)) == "ahead"
    assert firing(value(1, 105.1), value(2, 104.5)) == "ahead"
    assert firing(value(1, 105.1), value(2, 103.0)) is None
    assert firing(value(1, 105.1), value(2, 90.0)) == "behind"


def test_a_corrected_value_is_judged_again_and_a_withdrawn_one_is_no_evidence():
    watch = follow(Watch(), [value(1, 90.0)], BAND)

    assert watch.firing == "behind"
    assert firing(value(1, 99.0, ref="v1/2"), watch=watch) is None
    assert firing(value(1, None, flags=("withdrawn",), ref="v1/2"), watch=watch) is None


def test_a_late_value_neither_reopens_nor_clears_what_a_newer_one_said():
    off, on = follow(Watch(), [value(5, 90.0)], BAND), follow(Watch(), [value(5, 100.0)], BAND)

    assert firing(value(1, 100.0), value(5, 90.0), watch=off) == "behind"
    assert firing(value(1, 50.0), value(5, 100.0), watch=on) is None


def test_a_new_plan_judges_the_last_value_anew():
    watch = follow(Watch(), [value(1, 90.0)], BAND, version=1)
    after = follow(watch, [value(1, 90.0, planned=91.0)], BAND, version=2)

    assert (after.firing, after.plan_version) == (None, 2)


def test_where_nothing_was_planned_nothing_is_judged():
    assert firing(value(1, 90.0, planned=0.0), value(2, 90.0, planned=None)) is None


stories = st.lists(
    st.tuples(
        st.one_of(st.none(), st.floats(0, 1e6)),
        st.sampled_from([("withdrawn",), ("gap",), ("counter_fell",)]),
    ),
    max_size=12,
)


@given(stories)
def test_flagged_and_missing_values_raise_nothing_and_clear_nothing(story):
    doubtful = [value(n, amount, flags=flags) for n, (amount, flags) in enumerate(story, start=1)]
    missing = [value(n, None) for n in range(1, 9)]
    raised = follow(Watch(), [value(0, 50.0)], BAND)

    for values in (doubtful, missing):
        assert firing(*values) is None
        assert firing(value(0, 50.0), *values, watch=raised) == "behind"
        assert firing(*values, watch=raised) == "behind"


@given(st.lists(st.one_of(st.none(), st.floats(0, 300)), min_size=1, max_size=20), st.data())
def test_however_often_and_in_whatever_portions_values_are_looked_at_they_say_the_same(story, data):
    values = [
        value(n, amount, flags=() if amount is not None else ("gap",)) for n, amount in enumerate(story)
    ]
    watch, end = Watch(), 0
    while end < len(values):
        end = min(len(values), end + data.draw(st.integers(1, 3)))
        for _ in range(data.draw(st.integers(1, 2))):
            watch = follow(watch, values[max(0, end - 4) : end], BAND)

    assert watch.firing == follow(Watch(), values, BAND).firing


def metered(*used, usual=100.0, spread=5.0):
    days = tuple(
        EnergyDay(
            on=(NOW + timedelta(days=n)).date(),
            start=day(n),
            energy_kwh=kwh,
            usual_kwh=usual,
            spread_kwh=spread,
        )
        for n, kwh in enumerate(used)
    )
    return Metered(site=SITE, device="main", gateway="gw", days=days)


def told_of(meter):
    from plumbline_central.rules.indicators import days_of  # noqa: PLC0415

    return off_usual(meter, follow(Watch(), days_of(meter), usual_band(meter, Limits(), Band())))


def test_two_days_a_third_off_what_is_usual_are_told_and_one_is_not():
    assert told_of(metered(100.0, 140.0)) is None
    one = told_of(metered(100.0, 140.0, 135.0))
    assert (one.slot.rule, one.slot.subject, one.gateway) == ("deviation", "main", "gw")
    assert one.facts == {"value": 135.0, "plan": 100.0, "unit": "kWh", "off_percent": 35.0, "basis": "usual"}


def test_a_meter_whose_days_differ_widely_is_given_more_room():
    assert told_of(metered(140.0, 140.0, spread=20.0)) is None
    assert told_of(metered(170.0, 170.0, spread=20.0)) is not None
