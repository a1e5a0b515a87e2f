from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plumbline.errors import ConfigError
from plumbline_edge.camera.align import find, reference, stands_still, warp
from plumbline_edge.camera.reference import Reference

WIDTH, HEIGHT = 1280, 720


def town(seed=3):
    """Blocks of many greys before a plain sky, the facade in the middle."""
    rng = np.random.default_rng(seed)
    image = np.full((HEIGHT, WIDTH, 3), 200, np.uint8)
    for _ in range(260):
        x, y = int(rng.integers(0, WIDTH)), int(rng.integers(HEIGHT // 4, HEIGHT))
        wide, tall = (int(v) for v in rng.integers(8, 90, 2))
        cv2.rectangle(image, (x, y), (x + wide, y + tall), rng.integers(20, 240, 3).tolist(), -1)
    return cv2.GaussianBlur(image, (0, 0), 1.0)


def facade():
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[200:560, 400:880] = True
    return mask


def moved(image, dx, dy, turn_deg=0.0, zoom=1.0):
    matrix = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), turn_deg, zoom)
    matrix[:, 2] += (dx, dy)
    return cv2.warpAffine(image, matrix, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT)


TOWN = town()
KEPT = reference(TOWN, facade())


@settings(max_examples=12, deadline=None)
@given(
    st.floats(-60, 60), st.floats(-40, 40), st.floats(-0.8, 0.8), st.floats(0.98, 1.02), st.floats(0.5, 1.3)
)
def test_a_nudged_camera_is_found_and_brought_back_whatever_the_light(dx, dy, turn, zoom, light):
    nudged = moved(TOWN, dx, dy, turn, zoom)
    lit = np.clip(nudged * light, 0, 255).astype(np.uint8)
    matrix = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), turn, zoom)
    matrix[:, 2] += (dx, dy)
    marks = np.array([(400, 200), (880, 200), (880, 560), (400, 560)], float)
    went = np.linalg.norm(marks @ matrix[:, :2].T + matrix[:, 2] - marks, axis=1).max()

    alignment = find(lit, KEPT)
    back = warp(nudged, alignment)[220:540, 420:860].astype(int)

    assert alignment.found
    assert alignment.shift_px == pytest.approx(went, abs=2.5)
    assert np.abs(back - TOWN[220:540, 420:860]).mean() < 8


def test_a_camera_that_stands_is_left_as_it_is():
    alignment = find(TOWN, KEPT)

    assert alignment.shift_px == pytest.approx(0, abs=0.2)
    assert alignment.mismatch == 0
    assert warp(TOWN, alignment) is TOWN


def test_a_facade_built_anew_does_not_move_the_camera():
    built = TOWN.copy()
    built[200:560, 400:880] = town(seed=9)[200:560, 400:880]

    alignment = find(moved(built, 12, 5), KEPT)

    assert alignment.shift_px == pytest.approx(13, abs=1)


@pytest.mark.parametrize(
    "picture",
    [town(seed=77), np.full((HEIGHT, WIDTH, 3), 90, np.uint8), np.zeros((2, 700, 3), np.uint8), np.zeros((1, 1, 3), np.uint8)],
    ids=["another town", "a wall", "a sliver", "a pixel"],
)  # fmt: skip
def test_another_view_is_not_found_and_nothing_vouches_for_it(picture):
    alignment = find(picture, KEPT)

    assert not alignment.found
    assert alignment.shift_px is None
    assert alignment.stands < 0.25


def test_outlines_vouch_for_a_standing_camera_too_soft_for_features_and_not_for_a_moved_one():
    soft = cv2.GaussianBlur(TOWN, (0, 0), 12)

    assert find(soft, KEPT).stands > 0.5
    assert find(moved(soft, 0.05 * WIDTH, 0), KEPT).stands == 0


def test_no_feature_is_kept_of_what_lies_in_or_beside_a_private_place():
    private = np.zeros((HEIGHT, WIDTH), bool)
    private[300:500, 100:300] = True
    other = TOWN.copy()
    other[private] = 255 - other[private]
    kept, of_other = reference(TOWN, facade(), private), reference(other, facade(), private)
    column, row = kept.points.astype(int).T

    assert len(kept.points) > 300
    assert not private[row, column].any()
    away = cv2.distanceTransform((~private).astype(np.uint8), cv2.DIST_L2, 5)
    assert away[row, column].min() > 15 * WIDTH / 640
    same = {
        (*point, descriptor.tobytes())
        for point, descriptor in zip(kept.points, kept.descriptors, strict=True)
    }
    its = {(*p, d.tobytes()) for p, d in zip(of_other.points, of_other.descriptors, strict=True)}
    assert len(same & its) > 0.8 * len(same)  # contrast is evened over tiles, so that some differ


def test_a_bigger_picture_of_the_same_view_lies_still():
    bigger = cv2.resize(TOWN, (1920, 1080), interpolation=cv2.INTER_CUBIC)

    alignment = find(bigger, KEPT)

    assert alignment.shift_px == pytest.approx(0, abs=1.5)
    assert warp(bigger, alignment).shape == TOWN.shape


def test_a_reference_survives_its_file():
    again = Reference.from_bytes(KEPT.to_bytes())

    assert (again.picture_wh, again.facade_box) == (KEPT.picture_wh, KEPT.facade_box)
    for part in ("points", "descriptors", "static", "thumbnail"):
        assert np.array_equal(getattr(again, part), getattr(KEPT, part))


def test_a_reference_is_no_picture():
    assert len(KEPT.to_bytes()) < 64_000
    assert KEPT.thumbnail.shape == (36, 64)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_damaged_reference_asks_for_a_new_one(data):
    whole = KEPT.to_bytes()
    place = data.draw(st.integers(0, len(whole) - 1))
    broken = data.draw(
        st.sampled_from(
            [whole[:place], whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :], whole + b"x"]
        )
    )

    with pytest.raises(ConfigError) as caught:
        Reference.from_bytes(broken)

    assert caught.value.hint


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 99), st.floats(0.85, 1.15))
def test_a_camera_that_stands_still_does_so_in_any_light_and_noise_and_with_somebody_before_it(seed, light):
    rng = np.random.default_rng(seed)
    frames = [np.clip(TOWN * light + rng.normal(0, 6, TOWN.shape), 0, 255).astype(np.uint8) for _ in range(3)]
    frames[1][300:600, 100:260] = 30
    frames[2][300:600, 260:420] = 30

    assert stands_still(frames)


@pytest.mark.parametrize(("dx", "dy"), [(3, 0), (0, -3), (40, 25)])
def test_a_camera_that_was_shaken_within_a_burst_did_not_stand_still(dx, dy):
    assert not stands_still([TOWN, TOWN, moved(TOWN, dx, dy)])


def test_frames_that_have_nothing_in_common_prove_nothing():
    assert not stands_still([TOWN, town(seed=9)])
