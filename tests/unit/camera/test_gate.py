from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from plumbline.stages import QUALITY_CLASSES
from plumbline_edge.camera.gate import REASONS, judge, judge_quality, sharpness

DATA = Path(os.environ.get("PLUMBLINE_DATA", Path(__file__).parents[4] / "shared" / "data"))
CONDITIONS = DATA / "photos" / "site_conditions"
needs_photos = pytest.mark.skipif(
    not CONDITIONS.is_dir(), reason=f"real photos are not here ({CONDITIONS}); set PLUMBLINE_DATA"
)


def reasons(image, median=None):
    return judge(image, sharpness(image), sharpness_median=median)


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


def test_focus_is_judged_against_the_cameras_usual_within_bounds():
    image = np.random.default_rng(0).integers(90, 110, (90, 160, 3), np.uint8)

    assert judge(image, 20.0) == ()
    assert judge(image, 20.0, sharpness_median=50.0) == ()
    assert judge(image, 20.0, sharpness_median=60.0) == ("BLUR",)
    assert judge(image, 51.0, sharpness_median=9000.0) == ()
    assert judge(image, 9.0, sharpness_median=0.1) == ("BLUR",)


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
    assert reasons(cv2.GaussianBlur(image, (0, 0), 12), median=sharpness(image)) == ("BLUR",)
