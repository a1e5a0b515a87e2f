from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from plumbline_central.rules.snapshot import Snapshot

from .conftest import NOW, camera, day, found, look, plan, seen

STEADY = plan((-50, 0), (50, 100))
BEFORE = tuple(look(n, 30.0) for n in (-17, -16, -15))


def standing(*percents, earlier=BEFORE, the_plan=STEADY):
    looks = [look(n - len(percents) + 1, percent) for n, percent in enumerate(percents)]
    return camera(*looks, earlier=earlier, plan=the_plan)


def test_works_that_rose_by_less_than_a_point_in_two_weeks_stand_still():
    one = seen(standing(30.0, 30.9, 30.5))["stalled"]

    assert one.facts == {"days": 15.0, "moved_pp": 0.5, "photo": "p0"}
    assert (one.slot.subject, one.since) == ("north", day(-15))


def test_one_photo_that_errs_neither_makes_nor_hides_a_standstill():
    assert "stalled" in seen(standing(30.2, 30.4, 38.0))
    assert seen(standing(33.0, 30.0, 33.5)) == {}


def test_nobody_stands_still_who_was_not_to_move_or_has_done_more_than_is_due():
    paused = plan((-50, 0), (-20, 60), (20, 60), (50, 100))

    assert seen(standing(30.0, 30.0, 30.0, the_plan=paused)) == {}
    assert seen(standing(*(80.0,) * 3, earlier=tuple(replace(one, percent=80.0) for one in BEFORE))) == {}


def test_photos_less_sure_than_what_was_due_cannot_tell_a_standstill():
    def sure(reach, the_plan=STEADY):
        one = standing(30.0, 30.0, 30.0, the_plan=the_plan)
        valid = tuple(replace(look, low=30 - reach, high=30 + reach) for look in one.valid)
        return seen(replace(one, valid=valid))

    assert "stalled" in sure(13.9)  # 14 points were due in 14 days
    assert "stalled" not in sure(14.1)
    assert "stalled" in sure(2.9, None)
    assert "stalled" not in sure(3.1, None)


def test_finished_works_rest_and_so_do_those_not_begun():
    for percent in (98.0, 0.5):
        earlier = tuple(replace(one, percent=percent) for one in BEFORE)

        assert "stalled" not in seen(standing(percent, percent, percent, earlier=earlier, the_plan=None))


def test_with_too_little_seen_before_nothing_stands_still():
    assert seen(standing(30.0, 30.0, 30.0, earlier=BEFORE[:2])) == {}
    assert seen(standing(30.0, 30.0)) == {}


def fallen(**zones):
    return {zone: (percent, regress) for zone, (percent, regress) in zones.items()}


def test_zones_that_fell_back_are_counted_with_the_largest_drop():
    before = look(-1, 40.0, zones=fallen(f1b1=(80.0, False), f1b2=(60.0, False), f1b3=(20.0, False)))
    after = look(0, 35.0, zones=fallen(f1b1=(50.0, True), f1b2=(52.0, True), f1b3=(22.0, False)))

    assert seen(camera(before, after))["regress"].facts == {"zones": 2.0, "most_pp": 30.0, "photo": "p0"}


def test_a_fall_whose_beginning_is_not_known_is_told_without_a_number():
    down = look(0, 35.0, zones=fallen(f1b1=(50.0, True)))

    assert seen(camera(down))["regress"].facts == {"zones": 1.0, "photo": "p0"}


def test_a_gated_photo_neither_raises_nor_ends_a_regress():
    down = look(-1, 35.0, zones=fallen(f1b1=(50.0, True)))
    fog = look(0, None, gate=("FOG_RAIN",), zones=fallen(f1b1=(80.0, False)))

    assert "regress" in seen(camera(down, fog))
    assert "regress" not in seen(camera(look(-1, 40.0), replace(down, gate=("FOG_RAIN",), percent=None)))


def test_works_that_were_to_begin_and_show_nothing_are_overdue():
    begun_late = plan((-10, 0), (40, 100))
    one = seen(camera(look(0, 0.4), plan=begun_late))["overdue_start"]

    assert (one.slot.subject, one.severity) == ("progress", "amber")
    assert one.facts == {"due": "2026-05-22", "days": 10.0}


def test_a_start_is_not_overdue_within_its_grace_or_once_any_camera_sees_something():
    assert seen(camera(look(0, 0.0), plan=plan((-5, 0), (40, 100)))) == {}
    late = plan((-10, 0), (40, 100))
    east = camera(look(0, 3.0), plan=late, name="east")
    assert seen(camera(look(0, 0.0), plan=late), east) == {}


def test_a_site_that_no_photo_shows_is_not_overdue():
    late = plan((-10, 0), (40, 100))

    assert seen(camera(look(0, None, gate=("DARK",)), plan=late)) == {}
    assert seen(camera(look(-8, 0.0), look(0, None, gate=("DARK",)), plan=late)) == {}


gates = st.sampled_from([("DARK",), ("LENS_DIRT",), ("MODEL",), ("percent",)])
doubtful = st.lists(st.tuples(st.one_of(st.none(), st.floats(0, 100)), gates), min_size=1, max_size=6)


@given(doubtful)
def test_from_photos_that_cannot_be_judged_nothing_is_said_of_the_works(story):
    looks = [
        look(n - len(story), percent, gate=gate, zones={"f1b1": (percent, True)})
        for n, (percent, gate) in enumerate(story)
    ]
    for the_plan in (None, STEADY, plan((-10, 0), (40, 100))):
        there = found(Snapshot(cameras=[camera(*looks, plan=the_plan)]))

        assert not there.keys() & {"stalled", "regress", "overdue_start"}


@given(st.integers(0, 400))
def test_time_alone_makes_nobody_stand_still(days):
    there = Snapshot(cameras=[standing(31.5, 32.0, 32.5)])

    assert "stalled" not in found(there, day(days))
    assert found(there, NOW).keys() == found(there, day(days)).keys()
