from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from plumbline_edge.camera.baseline import ENOUGH, KEEP, Baseline
from plumbline_edge.camera.gate import judge
from plumbline_edge.camera.measures import Measures

DAY0 = datetime(2026, 5, 1, 10, tzinfo=UTC)
CLEAR = Measures(
    width_px=1280, height_px=720, luma_p5=30, luma_p50=120, luma_p95=200, clipped=0, sharpness=1000, fineness=0.95,
    contrast_static=30, contrast_facade=40, haze=0.65, haze_facade=0.2, colourfulness=30, blank=0, sky=200, sky_blue=0,
    lost=0,
)  # fmt: skip
near = st.floats(0.85, 1.15)
odd = st.builds(
    lambda sharpness, contrast, bright: replace(
        CLEAR, sharpness=sharpness, contrast_static=contrast, luma_p50=bright, luma_p95=bright + 10
    ),
    st.floats(0, 1e5), st.floats(0, 100), st.floats(0, 240),
)  # fmt: skip


def after(photos, baseline=None, inliers=None):
    baseline = baseline or Baseline()
    for day, photo in enumerate(photos):
        baseline = baseline.noticing(photo, DAY0 + timedelta(days=day), inliers)
    return baseline


def scaled(by):
    return replace(CLEAR, sharpness=1000 * by, contrast_static=30 * by)


@given(
    st.lists(near.map(scaled), min_size=1, max_size=40),
    odd,
    st.sampled_from([None, 0, 400]),
    near.map(scaled),
)
def test_one_odd_photo_never_changes_the_verdict_of_the_next_good_one(photos, strange, inliers, good):
    usual = after(photos, inliers=400)
    at = DAY0 + timedelta(days=99)

    assert judge(good, usual, None, at, DAY0) == ()
    assert judge(good, usual.noticing(strange, at, inliers), None, at, DAY0) == ()


def test_a_facade_that_changed_for_good_is_not_blurred_for_ever():
    plain = replace(CLEAR, sharpness=200)
    usual = after([CLEAR] * KEEP)

    assert judge(plain, usual, None, DAY0, None) == ("BLUR",)
    assert judge(plain, after([plain] * (KEEP // 2 + 1), usual), None, DAY0, None) == ()


def test_nothing_is_usual_before_there_were_enough_photos():
    assert after([CLEAR] * (ENOUGH - 1)).usual("sharpness") is None
    assert after([CLEAR] * ENOUGH).usual("sharpness") == 1000


def test_it_forgets_what_is_long_ago():
    assert len(after([CLEAR] * 100).sharpness) == KEEP


def test_night_says_nothing_of_focus_and_contrast():
    night = replace(CLEAR, luma_p50=10, luma_p95=20, sharpness=3, contrast_static=1)

    usual = after([CLEAR] * 3 + [night] * 20)

    assert usual.sharpness == (1000,) * 3
    assert len(usual.brightness) == 23


def test_the_same_bytes_again_count_once():
    photo = replace(CLEAR, digest="a")

    assert len(after([photo] * 9).sharpness) == 1


def test_low_inlier_days_count_days_not_photos_and_end_with_a_good_one():
    low = Baseline().noticing(CLEAR, DAY0, 3).noticing(CLEAR, DAY0 + timedelta(hours=4), 3)
    lower = low.noticing(CLEAR, DAY0 + timedelta(days=1), 3)

    assert (low.low_inlier_days, lower.low_inlier_days) == (1, 2)
    assert lower.noticing(CLEAR, DAY0 + timedelta(days=2), 300).low_inlier_days == 0


@given(st.lists(odd, max_size=6))
def test_it_comes_back_from_disk_as_it_went(photos):
    usual = after(photos, inliers=7)

    assert msgspec.json.decode(msgspec.json.encode(usual), type=Baseline) == usual
