"""What rules judge by: every indicator's points beside its current plan, for all sites at once or for one."""

from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plumbline_central.indicators.indicator import Source
from plumbline_central.indicators.templates import PROGRESS, implied

from .conftest import SITE, day


def told(found):
    return [(point.at, point.value, point.planned, point.flags) for point in found.points]


def test_points_stand_in_time_order_beside_the_current_plan_with_their_flags(measured):
    measured.plan(PROGRESS, (1, 10), (11, 20), scope="visible")
    measured.photo(6, 12.0)
    measured.photo(0, 3.0, standing="no_plan")
    measured.photo(8, 90.0, standing="gated", gate="dark fog")
    measured.photo(9, 90.0, standing="untimed")
    measured.photo(10, None, standing="gated", gate="clear")

    found = measured.book.points.indicator_points(SITE, PROGRESS)
    assert told(found) == [
        (day(0), 3.0, None, ()),
        (day(6), 12.0, 15.0, ()),
        (day(8), 90.0, 17.0, ("dark", "fog")),
        (day(9), 90.0, 18.0, ("untimed",)),
        (day(10), None, 19.0, ("clear",)),
    ]
    assert found.latest.at == day(6)
    measured.plan(PROGRESS, (1, 0), (11, 10), scope="visible", at=day(12))
    assert told(measured.book.points.indicator_points(SITE, PROGRESS, newest=2)) == [
        (day(9), 90.0, 8.0, ("untimed",)),
        (day(10), None, 9.0, ("clear",)),
    ]


def test_visible_and_total_plans_are_never_mixed(measured):
    measured.add("progress_total")
    assert measured.plan(PROGRESS, (0, 50), scope="total") == 1
    assert measured.plan(PROGRESS, (0, 10), scope="visible") == 2
    assert measured.plan("progress_total", (0, 90), scope="visible") == 1
    measured.photo(1, 10.0)
    measured.push("progress_total", 1, 80.0)

    plans = measured.book.plans
    assert (plans.current(SITE).version, plans.current(SITE, PROGRESS, "total").version) == (2, 1)
    assert [point.planned for point in measured.book.points.indicator_points(SITE, PROGRESS).points] == [10.0]
    assert [p.planned for p in measured.book.points.indicator_points(SITE, "progress_total").points] == [None]


VALUE = st.tuples(
    st.sampled_from(["a", "b", "c"]),
    st.sampled_from(["funds_paid", "satisfaction", PROGRESS]),
    st.integers(0, 12),
    st.one_of(st.none(), st.floats(0, 100)),
)


@given(st.lists(VALUE, max_size=40), st.integers(1, 5), st.integers(1, 14))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_all_at_once_are_the_same_as_one_by_one(measured, values, newest, until):
    for table in ("indicator", "alert_observation", "plan_baseline"):
        with measured.db.write() as db:
            db.execute(f"DELETE FROM {table}")
    measured.book = type(measured.book).on(measured.db)
    for site in ("a", "b", "c"):
        measured.add("funds_paid", site)
        measured.add("satisfaction", site)
    measured.plan("funds_paid", (0, 0), (12, 100), site="a")
    measured.plan(PROGRESS, (0, 0), (12, 100), site="b", scope="visible")
    for number, (site, indicator, at, value) in enumerate(values):
        if indicator == PROGRESS:
            measured.photo(at, value, site=site, ref=f"{number}")
        else:
            measured.push(indicator, at, value, site=site)

    reader = measured.book.points
    together = reader.all_points(newest, until=day(until), sites=("a", "b", "c"))
    assert len(together) == 9
    for found in together:
        one = reader.indicator_points(found.indicator.site, found.indicator.id, until=day(until))
        assert found.baseline == one.baseline
        assert found.points == one.points[len(one.points) - len(found.points) :]
        assert len(found.points) >= min(len(one.points), 1)


def test_a_retired_indicator_is_not_looked_at(measured):
    measured.add("funds_paid")
    measured.push("funds_paid", 1, 5.0)
    assert [one.indicator.id for one in measured.book.points.all_points()] == ["funds_paid"]
    measured.book.indicators.retire(SITE, "funds_paid", "li", day(2))

    assert measured.book.points.all_points() == []


def test_the_ranking_says_the_same_as_each_sites_own_score(measured):
    for site, value in (("a", 20.0), ("b", 30.0)):
        measured.add("funds_paid", site)
        measured.plan("funds_paid", (0, 40), site=site)
        measured.push("funds_paid", 1, value, site=site)
    measured.photo(1, 5.0, site="a")

    scores = measured.book.scores(["a", "b", "c"], day(2))
    assert scores == [measured.book.score(site, day(2)) for site in ("a", "b", "c")]
    assert [one.score for one in scores] == [50.0, 75.0, None]


def test_a_progress_that_is_handed_in_is_not_what_photos_say(measured):
    measured.photo(1, 5.0)
    measured.book.indicators.put(replace(implied(SITE), source=Source()), "li", day(1))
    measured.push(PROGRESS, 2, 50.0)

    (found,) = measured.book.points.all_points()
    assert told(found) == told(measured.book.points.indicator_points(SITE, PROGRESS))
    assert [point.value for point in found.points] == [50.0]


def test_what_was_answered_before_is_answered_again_until_something_changes(measured):
    measured.add("funds_paid")
    measured.plan("funds_paid", (0, 0), (10, 100))
    measured.push("funds_paid", 5, 40.0)
    (first,) = measured.book.points.all_points()
    (again,) = measured.book.points.all_points()
    measured.push("funds_paid", 5, 45.0)
    (corrected,) = measured.book.points.all_points()
    measured.plan("funds_paid", (0, 0), (20, 100))
    (replanned,) = measured.book.points.all_points()

    assert again is first
    assert told(corrected) == [(day(5), 45.0, 50.0, ())]
    assert told(replanned) == [(day(5), 45.0, 25.0, ())]
