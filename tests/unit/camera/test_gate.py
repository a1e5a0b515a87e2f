from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest

from plumbline.stages import QUALITY_CLASSES
from plumbline_edge.camera.align import Alignment
from plumbline_edge.camera.baseline import Baseline
from plumbline_edge.camera.gate import judge, judge_quality, measure, refused_by_itself
from plumbline_edge.camera.reasons import REASONS

DATA = Path(os.environ.get("PLUMBLINE_DATA", Path(__file__).parents[4] / "shared" / "data"))
CONDITIONS = DATA / "photos" / "site_conditions"
needs_photos = pytest.mark.skipif(
    not CONDITIONS.is_dir(), reason=f"real photos are not here ({CONDITIONS}); set PLUMBLINE_DATA"
)


def reasons(image):
    return refused_by_itself(measure(image, np.ones(image.shape[:2], bool)))


def test_a_clear_picture_passes(paint):
    assert reasons(paint.facade()) == ()


def test_night_is_dark_and_says_nothing_of_focus(paint):
    assert reasons((paint.facade() * 0.1).astype(np.uint8)) == ("DARK",)


def test_a_lit_facade_at_night_is_not_dark(paint):
    image = (paint.facade() * 0.1).astype(np.uint8)
    image[:60] = paint.facade()[:60]

    assert "DARK" not in reasons(image)


def test_low_sun_in_the_lens_is_glare(paint):
    image = paint.facade()
    image[:40] = 255

    assert reasons(image) == ("GLARE",)


def test_a_burnt_out_lamp_is_no_glare(paint):
    image = paint.facade()
    image[:5, :300] = 255

    assert reasons(image) == ()


def test_out_of_focus_is_blur(paint):
    assert reasons(cv2.GaussianBlur(paint.facade(), (0, 0), 8)) == ("BLUR",)


def test_a_frame_whose_rest_was_filled_with_grey_is_unreadable(paint):
    image = paint.facade(60)
    image[250:] = 128

    assert reasons(image) == ("UNREADABLE",)


@pytest.mark.parametrize("image", [np.zeros((1, 1, 3), np.uint8), np.full((2, 700, 3), 128, np.uint8)])
def test_tiny_pictures_are_judged_without_harm(image):
    assert reasons(image)


@pytest.mark.parametrize("name", QUALITY_CLASSES)
def test_the_models_own_doubts_have_codes_that_people_can_read(name):
    quality = [0.9 if other == name else 0.1 for other in QUALITY_CLASSES]

    assert judge_quality(quality) == (name.upper(),)
    assert judge_quality(quality, {name: 0.95}) == ()
    assert REASONS[name.upper()]


def real(name, rows=slice(None), columns=slice(None)):
    image = cv2.imread(str(CONDITIONS / name))[rows, columns]
    return cv2.resize(image, (1280, image.shape[0] * 1280 // image.shape[1]), interpolation=cv2.INTER_AREA)


@needs_photos
@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("cvbt-outtake-adverse-weather.png", slice(56, 750)),
        ("cvbt-transform-eg.png", slice(0, 750)),
        ("cvbt_20230324_with_preds.jpg", slice(None)),
        ("cvbt_20230404_sbs.jpg", slice(None)),
    ],
    ids=["snow", "sun", "march", "april"],
)
def test_real_photos_in_sun_and_snow_pass(name, rows):
    assert reasons(real(name, rows)) == ()


@needs_photos
def test_a_real_photo_underexposed_is_dark_and_defocused_is_blur():
    image = real("cvbt-transform-eg.png", slice(0, 750))

    assert reasons((image * 0.12).astype(np.uint8)) == ("DARK",)
    assert reasons(cv2.GaussianBlur(image, (0, 0), 12)) == ("BLUR",)


NOW = datetime(2026, 5, 2, 10, tzinfo=UTC)
BOX = ((0.25, 0.2), (0.75, 0.2), (0.75, 0.9), (0.25, 0.9))
GOOD_FACADES = sorted((DATA / "photos" / "facades_stpetersburg" / "images").glob("*"))[::2]


def masked(image, corners=BOX):
    mask = np.zeros(image.shape[:2], np.uint8)
    points = np.array(corners) * (image.shape[1], image.shape[0])
    cv2.fillConvexPoly(mask, points.astype(np.int32), 1)
    return mask > 0


def alone(image, corners=BOX):
    """What the first photo of a camera would be told."""
    return judge(measure(image, masked(image, corners)), Baseline(), None, NOW, None)


def aligned(**changed):
    usual = {
        "shift_px": 2.0, "inliers": 300, "homography": np.eye(3), "found": True, "reference_wh": (1280, 720), "stands": 0.8,
    }  # fmt: skip
    return Alignment(**usual | changed)


LOST = {"found": False, "shift_px": None, "inliers": 5}
PATCHES = np.random.default_rng(0).integers(10, 240, (90, 160, 1), np.uint8).repeat(3, 2)
CLEAR = measure(cv2.resize(PATCHES, (1280, 720), interpolation=cv2.INTER_NEAREST), np.ones((720, 1280), bool))


def told(alignment, baseline=None):
    return judge(CLEAR, baseline or Baseline(), alignment, NOW, None)


def test_a_clear_photo_that_lies_on_day_0_can_be_judged():
    assert told(None) == ()
    assert told(aligned()) == ()


@pytest.mark.parametrize(
    "alignment",
    [
        aligned(shift_px=0.05 * 1280),
        aligned(shift_px=0.03 * 1280, inliers=40),
        aligned(shift_px=0.03 * 1280, inside=0.9),
        aligned(**LOST, stands=0.0),
    ],
    ids=["5 % of the width", "3 % and unsure", "3 % and cut off", "nowhere to be found"],
)
def test_a_moved_camera_is_refused(alignment):
    assert told(alignment) == ("MOVED",)


def test_a_small_move_that_is_sure_is_corrected_not_refused():
    assert told(aligned(shift_px=0.03 * 1280)) == ()


def test_outlines_vouch_for_one_day_without_features_and_must_be_surer_on_the_next():
    barely = aligned(**LOST, stands=0.3)
    yesterday = Baseline(low_inlier_days=1, low_inlier_on=(NOW - timedelta(days=1)).date())

    assert told(barely) == ()
    assert told(barely, Baseline(low_inlier_days=1, low_inlier_on=NOW.date())) == ()
    assert told(barely, yesterday) == ("MOVED",)


def test_the_same_bytes_again_are_frozen():
    again = replace(CLEAR, digest="abc")

    assert judge(again, Baseline(digest="abc"), None, NOW, None) == ("FROZEN",)
    assert judge(again, Baseline(digest="abd"), None, NOW, None) == ()


def test_a_photo_before_the_last_or_without_a_clock_says_so():
    assert judge(CLEAR, Baseline(), None, NOW, NOW + timedelta(seconds=1)) == ("CLOCK",)
    assert judge(CLEAR, Baseline(), None, None, NOW) == ("CLOCK",)
    assert judge(CLEAR, Baseline(), None, NOW, NOW) == ()


def test_what_covers_the_static_part_is_an_obstruction():
    assert told(aligned(mismatch=0.7)) == ("OBSTRUCTED",)


@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 700, 3), (700, 2, 3), (9, 9, 3)])
def test_any_size_can_be_measured(shape):
    assert alone(np.full(shape, 128, np.uint8))


def test_every_reason_has_words():
    assert {"MOVED", "CLOCK", "FROZEN", "OBSTRUCTED", "NOT_A_SITE"} <= set(REASONS)


BLOCK = ((0.28, 0.58), (0.65, 0.58), (0.65, 0.99), (0.28, 0.99))


@needs_photos
@pytest.mark.parametrize(
    ("name", "rows", "expected"),
    [
        ("cvbt-outtake-adverse-weather.png", slice(56, 750), ()),
        ("cvbt-outtake-adverse-weather.png", slice(810, 1506), ("FOG_RAIN",)),
        ("cvbt-transform-eg.png", slice(0, 750), ()),
        ("cvbt_20230324_with_preds.jpg", slice(None), ()),
        ("cvbt-outtake-wrong-corners.png", slice(0, 494), ()),
        ("cvbt-outtake-wrong-corners.png", slice(508, 1000), ()),
    ],
    ids=["snow", "fog", "sun", "march", "dusk", "evening"],
)
def test_a_real_site_is_judged_as_a_person_would(name, rows, expected):
    assert alone(real(name, rows), BLOCK) == expected


@needs_photos
def test_a_real_night_under_floodlights_is_dark():
    video = cv2.VideoCapture(str(CONDITIONS / "night_2025-11-11_2200_1frame.mp4"))
    _, frame = video.read()
    video.release()

    assert alone(cv2.resize(frame, (1280, 720), interpolation=cv2.INTER_AREA)) == ("DARK",)


def spoilt(spoil, code):
    told = [alone(spoil(fitted(path))) for path in GOOD_FACADES]
    return sum(code in reasons for reasons in told) / len(told)


def fitted(path):
    image = cv2.imread(str(path))
    return cv2.resize(image, (1280, image.shape[0] * 1280 // image.shape[1]), interpolation=cv2.INTER_AREA)


@needs_photos
def test_of_forty_good_real_facades_at_most_one_is_refused():
    refused = [path.name for path in GOOD_FACADES if alone(fitted(path))]

    assert len(refused) <= len(GOOD_FACADES) / 40


@needs_photos
@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda image: cv2.addWeighted(image, 0.2, np.full_like(image, 200), 0.8, 0), "FOG_RAIN"),
        (lambda image: (image * 0.1).astype(np.uint8), "DARK"),
        (lambda image: cv2.GaussianBlur(image, (0, 0), 5), "BLUR"),
    ],
    ids=["fog", "night", "defocus"],
)
def test_real_facades_spoilt_are_refused_for_what_was_done_to_them(spoil, code):
    assert spoilt(spoil, code) >= 0.95
