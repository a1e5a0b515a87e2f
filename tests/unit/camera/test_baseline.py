from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline_edge.camera.align import Alignment
from plumbline_edge.camera.baseline import ENOUGH, KEEP, Baseline
from plumbline_edge.camera.gate import judge, noticed
from plumbline_edge.camera.measures import Measures

DAY0 = datetime(2026, 5, 1, 10, tzinfo=UTC)
CLEAR = Measures(
    width_px=1280, height_px=720, luma_p50=120, luma_p95=200, clipped=0, sharpness=1000, fineness=0.95,
    contrast_static=30, contrast_facade=40, haze=0.65, haze_facade=0.2, colourfulness=30, sky=200, sky_blue=0,
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


def after_judging(photo, baseline, alignment=None):
    codes = judge(photo, baseline, alignment, DAY0, None)
    return codes, noticed(baseline, photo, alignment, DAY0, codes)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"luma_p50": 10, "luma_p95": 20, "sharpness": 3, "contrast_static": 1}, "DARK"),
        ({"sky": 20.0, "sharpness": 3}, "DARK"),
        ({"haze": 0.9, "contrast_static": 5}, "FOG_RAIN"),
        ({"fineness": 0.2, "sharpness": 3}, "BLUR"),
        ({"contrast_facade": 2}, "OBSTRUCTED"),
        ({"colourfulness": 150}, "NOT_A_SITE"),
        ({"clipped": 0.5}, "GLARE"),
    ],
)
def test_what_shows_nothing_in_any_cameras_eyes_does_not_become_usual(changed, code):
    usual = after([CLEAR] * ENOUGH)
    codes, noticed_after = after_judging(replace(CLEAR, **changed), usual, lying(inliers=3))

    assert codes[0] == code
    assert noticed_after == usual


def test_a_photo_refused_only_for_being_unlike_the_last_ones_becomes_usual():
    usual = after([CLEAR] * ENOUGH)
    codes, noticed_after = after_judging(replace(CLEAR, sharpness=200), usual)

    assert codes == ("BLUR",)
    assert noticed_after.sharpness == (*usual.sharpness, 200)


def test_a_moved_camera_counts_its_days_without_features_and_teaches_nothing():
    usual = after([CLEAR] * ENOUGH)
    codes, noticed_after = after_judging(CLEAR, usual, lying(inliers=3))

    assert codes == ("MOVED",)
    assert noticed_after.low_inlier_days == 1
    assert noticed_after.sharpness == usual.sharpness


def test_a_photo_of_a_wrong_date_counts_no_day():
    usual = after([CLEAR] * ENOUGH)

    assert noticed(usual, CLEAR, lying(inliers=3), DAY0, ("CLOCK",)).low_inlier_days == 0


def lying(inliers):
    """An alignment that found so few features that nobody knows where the camera looks."""
    return Alignment(
        shift_px=None, inliers=inliers, homography=np.eye(3), found=False, reference_wh=(1280, 720)
    )


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
