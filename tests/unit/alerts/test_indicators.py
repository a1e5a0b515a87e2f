from datetime import timedelta

from plumbline_central.plan_store import PROGRESS

from .conftest import SITE, START


def test_the_curve_holds_the_current_plan_and_all_that_was_seen(central):
    assert central.plan(0, 10, 20) == 2
    central.photo(1, 1, 9.0)
    central.photo(2, 1.5, None, gate=("dark",))

    curve = central.indicators.curve(SITE)
    assert [percent for _, percent in curve.planned] == [0.0, 10.0, 20.0]
    assert [(o.photo, o.percent, o.planned, o.deviation_pp, o.gate) for o in curve.actual] == [
        ("p1", 9.0, 10.0, -1.0, ()),
        ("p2", None, 15.0, None, ("dark",)),
    ]
    assert curve.latest is not None
    assert curve.latest.photo == "p1"
    assert curve.planned_at(START + timedelta(days=1.5)) == 15.0
    assert central.indicators.latest(SITE).photo == "p2"
    assert central.indicators.for_photo(SITE, "p1").percent == 9.0
    assert central.indicators.for_photo(SITE, "p9") is None


def test_a_site_without_plan_or_photo_has_an_empty_curve_and_not_zeros(opened):
    curve = opened().indicators.curve("new")

    assert (curve.planned, curve.actual, curve.latest, curve.baseline) == ((), (), None, None)
    assert curve.planned_at(START) is None


def test_a_photo_without_a_plan_is_shown_and_not_judged(opened):
    central = opened()
    central.photo(1, 0, 12.0)

    seen = central.indicators.latest_valid(SITE)
    assert (seen.percent, seen.planned, seen.deviation_pp, seen.standing) == (12.0, None, None, "no_plan")


def test_baselines_are_kept_by_version_and_the_same_plan_again_is_no_new_one(opened):
    central = opened()
    assert central.plan(0, 10) == 1
    assert central.plan(0, 10, at=START + timedelta(days=1)) == 1
    assert central.plan(0, 20, at=START + timedelta(days=2)) == 2

    plans = central.plans
    assert [b.version for b in plans.versions(SITE)] == [1, 2]
    assert plans.version_at(SITE, PROGRESS, START + timedelta(days=1)).version == 1
    assert plans.version_at(SITE, PROGRESS, START - timedelta(days=1)) is None
    current = plans.current(SITE)
    assert (current.version, current.source, current.imported_by) == (2, "plan.csv", "a.li")
    assert current.curve.points[-1] == (START + timedelta(days=1), 20.0)
    assert plans.current("elsewhere") is None
