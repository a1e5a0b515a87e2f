from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline_central.deviation import (
    Band,
    Seen,
    Verdict,
    Watch,
    off_plan,
    replan,
    revise,
    step,
    tick,
)

DAY = datetime(2026, 3, 1, 4, tzinfo=UTC)
BAND = Band()


def seen(day, percent, *, half=1.0, gate=()):
    at = DAY + timedelta(days=day)
    low, high = (None, None) if percent is None else (max(0.0, percent - half), min(100.0, percent + half))
    return Seen(ref=f"o{day}", at=at, percent=percent, low=low, high=high, gate=gate, photo=f"p{day}")


def play(observations, planned=50.0, watch=None, band=BAND):
    """The final watch, and the changes with the index of the observation that made each."""
    watch, changes = watch or Watch(), []
    for index, observation in enumerate(observations):
        watch, verdict = step(watch, observation, planned, band)
        if verdict:
            changes.append((index, verdict.change, verdict.severity))
    return watch, changes


percents = st.one_of(st.none(), st.floats(0, 100))
gates = st.sampled_from([(), (), (), ("dark",)])
stories = st.lists(st.tuples(percents, gates), max_size=30).map(
    lambda days: [seen(i, percent, gate=gate) for i, (percent, gate) in enumerate(days)]
)


def test_five_points_exactly_are_within_the_plan():
    assert play([seen(0, 45.0), seen(1, 45.0), seen(2, 45.0), seen(3, 55.0), seen(4, 55.0)])[1] == []


def test_the_second_valid_observation_outside_raises_and_not_the_first():
    assert play([seen(0, 44.9), seen(1, 44.9)])[1] == [(1, "raise", "amber")]


def test_ahead_of_plan_is_a_deviation_too():
    watch, changes = play([seen(0, 58.0), seen(1, 58.0)])

    assert changes == [(1, "raise", "red")]
    assert watch.firing == "ahead"


def test_behind_then_ahead_is_not_sustained():
    assert play([seen(0, 44.0), seen(1, 56.0), seen(2, 44.0), seen(3, 56.0)])[1] == []


def test_a_gated_photo_between_two_outside_neither_counts_nor_interrupts():
    assert play([seen(0, 44.0), seen(1, 10.0, gate=("fog_rain",)), seen(2, None), seen(3, 44.0)])[1] == [
        (3, "raise", "amber")
    ]


def test_between_four_and_five_an_open_alert_stays_and_a_closed_one_stays_closed():
    story = [seen(0, 44.0), seen(1, 44.0), *(seen(day, 45.5) for day in range(2, 9))]

    assert play(story)[1] == [(1, "raise", "amber")]
    assert play([seen(day, 45.5) for day in range(9)])[1] == []


def test_two_observations_nearer_than_four_clear():
    story = [seen(0, 44.0), seen(1, 44.0), seen(2, 46.5), seen(3, 45.5), seen(4, 46.5), seen(5, 46.5)]

    assert play(story)[1] == [(1, "raise", "amber"), (5, "clear", "amber")]


def test_the_severity_steps_up_when_the_whole_interval_leaves_and_never_back_while_open():
    story = [seen(0, 44.5), seen(1, 44.5), seen(2, 40.0), seen(3, 40.0), seen(4, 44.5), seen(5, 44.5)]

    assert play(story)[1] == [(1, "raise", "amber"), (3, "severity", "red")]


def test_without_an_interval_nothing_is_red():
    bare = [replace(seen(day, 20.0), low=None, high=None) for day in range(4)]

    assert play(bare)[1] == [(1, "raise", "amber")]


def test_without_a_plan_nothing_is_judged():
    assert play([seen(0, 1.0), seen(1, 1.0)], planned=None)[1] == []


@given(stories)
def test_every_raise_rests_on_as_many_valid_observations_outside_as_the_band_asks_for(story):
    watch = Watch()
    for observation in story:
        watch, verdict = step(watch, observation, 50.0, BAND)
        if verdict and verdict.change == "raise":
            valid = [o for o in story if o.at <= observation.at and o.valid]
            assert [o.ref for o in valid[-BAND.hold_observations :]] == [p.ref for p in verdict.points]
            deviations = [p.deviation_pp for p in verdict.points]
            assert all(d < -5 for d in deviations) or all(d > 5 for d in deviations)


@given(stories)
def test_raise_and_clear_take_turns(story):
    changes = [change for _, change, _ in play(story)[1] if change != "severity"]

    assert changes == ["raise", "clear"] * (len(changes) // 2) + ["raise"] * (len(changes) % 2)


@given(st.lists(st.floats(45.000001, 45.999999), min_size=1, max_size=40), st.booleans())
def test_inside_the_band_nothing_ever_changes(percents_seen, firing):
    start = Watch(firing="behind", severity="amber") if firing else Watch()

    assert play([seen(i, p) for i, p in enumerate(percents_seen)], watch=start)[1] == []


@given(stories, st.data())
def test_what_comes_late_changes_nothing_in_whatever_order(story, data):
    expected, changes = play(story)
    late = data.draw(st.permutations(story))
    watch = expected
    for observation in late:
        watch, verdict = step(watch, observation, 50.0, BAND)
        assert verdict is None

    assert watch == expected
    assert changes == play(story)[1]


@given(stories)
def test_gated_photos_could_as_well_not_have_been_taken(story):
    clean = [o for o in story if o.valid]
    with_gated, without = play(story)[0], play(clean)[0]

    assert replace(with_gated, newest_at=None) == replace(without, newest_at=None)


@given(stories, st.integers(0, 400), st.floats(0, 99))
def test_silence_is_never_a_deviation(story, days, planned_now):
    watch, _ = play(story)
    now = DAY + timedelta(days=len(story) + days, hours=37)

    after, verdict = tick(watch, now, planned_now, BAND)

    assert after.firing == watch.firing
    assert verdict is None or verdict.change == "silent"
    assert (verdict is not None) == bool(watch.recent)


@given(stories, st.integers(0, 36), st.floats(0, 100))
def test_the_timer_clears_nothing_and_raises_only_what_photos_had_near_the_edge(story, hours, planned_now):
    watch, _ = play(story)
    now = (watch.recent[-1].at if watch.recent else DAY) + timedelta(hours=hours)

    after, verdict = tick(watch, now, planned_now, BAND)

    if verdict is None:
        assert after == watch
    else:
        assert verdict.change == "raise"
        assert watch.firing is None
        held = watch.recent[-BAND.hold_observations :]
        assert len(held) == len(verdict.points) == BAND.hold_observations
        assert all(abs(point.deviation_pp) > BAND.clear_below_pp for point in held)


def test_the_plan_moving_on_past_a_fresh_photo_raises_a_site_that_was_already_near_the_edge():
    watch, changes = play([seen(0, 45.5), seen(1, 45.5)])
    now = DAY + timedelta(days=1, hours=20)

    assert changes == []
    assert tick(watch, now, 51.0, BAND) == (watch, None)
    after, verdict = tick(watch, now, 52.0, BAND)
    assert after.firing == "behind"
    assert verdict is not None
    assert verdict.points[-1].deviation_pp == -6.5


def test_the_plan_moving_on_makes_no_site_late_that_its_photos_called_on_time():
    watch, _ = play([seen(0, 46.5), seen(1, 46.5)])

    assert tick(watch, DAY + timedelta(days=1, hours=20), 70.0, BAND) == (watch, None)


def test_finished_works_are_not_missed():
    watch, _ = play([seen(0, 99.0)], planned=100.0)

    assert tick(watch, DAY + timedelta(days=90), 100.0, BAND) == (watch, None)


def test_silence_begins_once_and_ends_once():
    watch, _ = play([seen(0, 50.0)])
    now = DAY + timedelta(hours=36, seconds=1)

    watch, first = tick(watch, now, 50.0, BAND)
    assert first == Verdict(change="silent", points=watch.recent)
    assert tick(watch, now + timedelta(days=3), 50.0, BAND) == (watch, None)
    watch, _ = step(watch, seen(5, 50.0), 50.0, BAND)
    watch, heard = tick(watch, DAY + timedelta(days=5, hours=1), 50.0, BAND)
    assert heard is not None
    assert heard.change == "heard"


def test_a_new_baseline_judges_the_last_photos_anew():
    watch, _ = play([seen(0, 40.0), seen(1, 40.0)])

    eased, verdict = replan(watch, lambda _at: 41.0, BAND, version=2)
    assert verdict is not None
    assert (verdict.change, eased.firing) == ("clear", None)
    tightened, verdict = replan(eased, lambda _at: 60.0, BAND, version=3)
    assert verdict is not None
    assert (verdict.change, tightened.firing) == ("raise", "behind")


def test_floating_point_makes_no_deviation():
    assert off_plan(0.3, 5.3, "percent") == -5.0


@pytest.mark.parametrize(
    "wrong",
    [{"clear_below_pp": 6.0}, {"clear_below_pp": 0.0}, {"hold_observations": 0}, {"fresh_for_s": 0.0}],
)
def test_a_band_that_could_flap_is_refused(wrong):
    with pytest.raises(ValueError, match="band"):
        Band(**wrong)


QUANTITY = Band(kind="quantity", raise_over_pp=10.0, clear_below_pp=8.0, hold_observations=1)


def amount(day, value):
    return Seen(ref=f"q{day}", at=DAY + timedelta(days=day), percent=value, kind="quantity")


def test_a_quantity_is_off_in_percent_of_its_plan_and_not_at_all_where_nothing_was_planned():
    assert off_plan(1_150.0, 1_000.0, "quantity") == 15.0
    assert off_plan(850.0, 1_000.0, "quantity") == -15.0
    assert off_plan(3.0, 0.0, "quantity") is None
    assert play([amount(0, 1_100.0)], planned=1_000.0, band=QUANTITY)[1] == []
    assert play([amount(0, 1_100.1)], planned=1_000.0, band=QUANTITY)[1] == [(0, "raise", "amber")]
    assert play([amount(0, 5.0), amount(1, 9.0)], planned=0.0, band=QUANTITY)[1] == []


def test_where_only_one_side_is_one_too_many_the_other_is_none():
    less_is_good = replace(QUANTITY, side="ahead")

    assert play([amount(0, 10.0)], planned=1_000.0, band=less_is_good)[1] == []
    assert play([amount(0, 2_000.0)], planned=1_000.0, band=less_is_good)[0].firing == "ahead"


def test_wide_intervals_need_three_whose_mean_is_a_point_further_off():
    def wide(*percents):
        return [seen(day, percent, half=3.5) for day, percent in enumerate(percents)]

    assert play(wide(43.0, 43.0))[1] == []
    assert play(wide(43.0, 43.0, 44.5))[1] == [(2, "raise", "amber")]
    assert play(wide(44.5, 44.5, 44.5, 44.5))[1] == []
    assert play(wide(40.0, 40.0, 48.0))[1] == []  # the newest is back


def test_a_correction_judges_anew_and_what_all_was_withdrawn_clears():
    watch, _ = play([amount(0, 1_200.0)], planned=1_000.0, band=QUANTITY)
    corrected, cleared = revise(watch, lambda point: replace(point, percent=1_010.0), QUANTITY)
    withdrawn, gone = revise(watch, lambda _point: None, QUANTITY)

    assert watch.firing == "ahead"
    assert (corrected.firing, cleared.change) == (None, "clear")
    assert (withdrawn.firing, gone.change, withdrawn.recent) == (None, "clear", ())


@given(st.lists(st.floats(0, 1e6), max_size=20), st.floats(0.001, 1e6))
def test_a_quantity_is_judged_as_its_percent_of_the_plan_would_be(values, planned):
    side = [off_plan(value, planned, "quantity") > 10 for value in values]
    _, changes = play(
        [amount(i, value) for i, value in enumerate(values)],
        planned=planned,
        band=replace(QUANTITY, side="ahead"),
    )

    assert ("raise" in [change for _, change, _ in changes]) == any(side)
