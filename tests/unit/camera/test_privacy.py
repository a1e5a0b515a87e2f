from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.stages import AUX_CLASSES
from plumbline_edge.camera.privacy import (
    FACE_M,
    FACE_PX,
    MAX_JPEG_BYTES,
    MAX_WIDTH_PX,
    block_px,
    clear_mask,
    grown_quad,
    hide_people,
    mask,
    pixelated,
    preview_width_px,
    private_cells,
    private_places,
)  # fmt: skip
from plumbline_edge.vision.view import View

QUAD = ((0.25, 0.25), (0.75, 0.25), (0.75, 0.75), (0.25, 0.75))
NOISE = np.random.default_rng(3).integers(0, 256, (360, 640, 3), np.uint8)
LENS = {"hfov_deg": 70.0, "distance_m": 30.0}


def aux_with(name=None, rows=slice(0, 0), columns=slice(0, 0), probability=1.0):
    aux = np.zeros((9, 26, 44), np.float32)
    aux[0] = 1
    if name:
        aux[0, rows, columns] = 1 - probability
        aux[AUX_CLASSES.index(name), rows, columns] = probability
    return aux


def shown(preview):
    return cv2.imdecode(np.frombuffer(preview.jpeg, np.uint8), cv2.IMREAD_COLOR).astype(int)


def detail(image):
    """How much neighbouring pixels differ: about 85 in noise, next to nothing within blocks."""
    return np.abs(np.diff(image.astype(int), axis=1)).mean()


def previewed(aux, quad=QUAD, picture=NOISE):
    """What is shown of a picture in whose only facade the model saw this."""
    height, width = picture.shape[:2]
    return mask(picture, clear_mask([(View(quad, (width, height)), aux)]), **LENS)


@pytest.mark.parametrize("name", ["person", "machine_vehicle"])
@pytest.mark.parametrize("probability", [0.16, 1.0, np.nan])
def test_people_and_vehicles_are_pixelated_with_a_margin(name, probability):
    image = shown(previewed(aux_with(name, slice(10, 16), slice(20, 24), probability)))
    view = View(QUAD, (640, 360))
    found = np.zeros((26, 44), np.uint8)
    found[9:17, 19:25] = 1  # a cell more on each side
    rows, columns = np.nonzero(view.lay_back(found, 0))
    inner = image[rows.min() + 2 : rows.max() - 1, columns.min() + 2 : columns.max() - 1]

    assert detail(inner) < 25
    assert detail(image[200:250, 420:470]) > 50


def test_below_the_threshold_nobody_is_there():
    found = previewed(aux_with("person", slice(10, 16), slice(20, 24), 0.14))

    assert detail(shown(found)[150:210, 290:340]) > 50


def test_everything_outside_the_grown_facade_is_pixelated():
    image = shown(previewed(aux_with()))
    (left, top), _, (right, bottom), _ = grown_quad(QUAD)

    for part in (image[: int(top * 360) - 8], image[int(bottom * 360) + 8 :]):
        assert detail(part) < 25
    for part in (image[:, : int(left * 640) - 8], image[:, int(right * 640) + 8 :]):
        assert detail(part) < 25
    assert detail(image[120:240, 200:440]) > 50


def test_where_people_are_no_feature_of_day_0_may_be_kept():
    somebody = aux_with("person", slice(10, 16), slice(20, 24))
    seen = [(View(QUAD, (640, 360)), somebody), (View(QUAD, (640, 360)), aux_with())]

    assert private_places(seen).sum() > 300
    assert not (private_places(seen) & clear_mask(seen)).any()
    assert not private_places([(View(QUAD, (640, 360)), aux_with())]).any()


@given(st.floats(5.1, 150), st.floats(1.1, 500), st.integers(1, 8000))
def test_a_face_at_the_facade_is_at_most_eight_pixels_wide(hfov_deg, distance_m, width_px):
    width = preview_width_px(width_px, hfov_deg=hfov_deg, distance_m=distance_m)
    metres_across = 2 * distance_m * np.tan(np.radians(hfov_deg) / 2)

    assert 1 <= width <= min(width_px, MAX_WIDTH_PX)
    assert width == 1 or FACE_M * width / metres_across <= FACE_PX + 1e-9


def test_the_formula_gives_the_figure_of_the_reference():
    assert FACE_M * 960 / (2 * 30 * np.tan(np.radians(35))) == pytest.approx(3.7, abs=0.05)
    assert preview_width_px(1280, hfov_deg=70, distance_m=30) == 960


def test_even_pure_noise_fits_the_byte_limit():
    image = np.random.default_rng(4).integers(0, 256, (720, 1280, 3), np.uint8)
    found = mask(image, clear_everywhere(image), **LENS)

    assert len(found.jpeg) <= MAX_JPEG_BYTES
    assert shown(found).shape == (found.height_px, found.width_px, 3)


@given(st.integers(0, 25), st.integers(0, 43))
def test_one_cell_with_a_person_hides_its_neighbours_and_no_more(row, column):
    hidden = private_cells(aux_with("person", slice(row, row + 1), slice(column, column + 1)))
    rows, columns = np.nonzero(hidden)

    assert set(np.abs(rows - row)) | set(np.abs(columns - column)) <= {0, 1}
    assert hidden[row, column]
    assert hidden.sum() == (3 - (row in {0, 25})) * (3 - (column in {0, 43}))


def test_the_day_0_picture_hides_people_and_keeps_the_rest():
    small = NOISE[:104, :176]
    kept = hide_people(small, aux_with("person", slice(5, 10), slice(5, 10)))

    assert detail(kept[20:40, 20:40]) < 25
    assert np.array_equal(kept[60:], small[60:])


def test_blocks_are_never_finer_than_eight_pixels():
    assert len(np.unique(pixelated(NOISE[:, :64], 8).reshape(-1, 3), axis=0)) <= (64 // 8) * (360 // 8)


@given(st.floats(5.1, 150), st.floats(1.1, 500), st.integers(8, 960))
def test_nobody_at_the_facade_is_taller_than_a_block(hfov_deg, distance_m, width_px):
    metres_across = 2 * distance_m * np.tan(np.radians(hfov_deg) / 2)
    block = block_px(width_px, hfov_deg=hfov_deg, distance_m=distance_m)

    assert block >= 8
    assert block >= 1.7 * width_px / metres_across


def clear_everywhere(picture=NOISE):
    return np.ones(picture.shape[:2], np.bool_)


def test_only_what_is_clear_is_shown_sharp():
    clear = np.zeros(NOISE.shape[:2], np.bool_)
    clear[100:260, 200:440] = True
    image = shown(mask(NOISE, clear, **LENS))

    assert detail(image[110:250, 210:430]) > 50
    for part in (image[:92], image[268:], image[:, :192], image[:, 448:]):
        assert detail(part) < 8


def test_a_preview_pixel_is_clear_only_where_all_of_it_is():
    wide = cv2.resize(NOISE, (1920, 1080), interpolation=cv2.INTER_NEAREST)
    clear = clear_everywhere(wide)
    clear[::2, ::2] = False
    image = shown(mask(wide, clear, **LENS))

    assert image.shape[1] == MAX_WIDTH_PX
    assert detail(image) < 8


@pytest.mark.parametrize(
    "clear",
    [
        None,
        np.ones((360, 640), np.float32),
        np.full((360, 640), np.nan),
        np.ones((640, 360), np.bool_),
        np.ones((360, 640, 1), np.bool_),
        np.ones((0, 0), np.bool_),
    ],
    ids=["none", "floats", "nan", "turned", "deep", "no facade"],
)
def test_what_is_no_mask_of_this_picture_lets_nothing_out(clear):
    with pytest.raises(ValueError, match="no mask"):
        mask(NOISE, clear, **LENS)


def test_the_preview_carries_nothing_but_the_picture():
    data = mask(NOISE, clear_everywhere(), **LENS).jpeg
    segments = {
        data[at + 1] for at in range(len(data) - 1) if data[at] == 0xFF and data[at + 1] not in {0, 0xFF}
    }

    assert not segments & {*range(0xE1, 0xF0), 0xFE}
    assert b"Exif" not in data


def test_any_view_that_finds_somebody_hides_them_in_all():
    left = View(quad=((0.1, 0.2), (0.6, 0.2), (0.6, 0.8), (0.1, 0.8)), picture_wh=(640, 360))
    right = View(quad=((0.4, 0.2), (0.9, 0.2), (0.9, 0.8), (0.4, 0.8)), picture_wh=(640, 360))
    nobody, somebody = np.zeros((2, 9, 64, 80), np.float32)
    somebody[AUX_CLASSES.index("person"), 30:40, 10:20] = 1
    alone = clear_mask([(left, nobody), (right, nobody)])
    both = clear_mask([(left, nobody), (right, somebody)])

    assert alone[100:260, 80:560].all()
    assert not alone[:, :20].any()
    assert not (both & ~alone).any()
    hidden = np.argwhere(alone & ~both)
    assert len(hidden) > 500
    assert np.array_equal(clear_mask([(right, somebody), (left, nobody)]), both)


def test_without_a_facade_nothing_is_clear():
    assert clear_mask([]).size == 0


def likeness(*, inside, moving, pictures=64):
    """How much 64 previews laid over each other are like a marker whose place the attacker knows in each."""
    rng = np.random.default_rng(5)
    marker = np.kron(rng.choice([20, 235], (12, 8)), np.ones((2, 2)))[..., None].astype(np.uint8)
    tall, wide = marker.shape[:2]
    laid = np.zeros(marker.shape[:2])
    for n in range(pictures):
        dx, dy = (n % 8 * 3, n // 8 * 3) if moving else (0, 0)
        here = slice(100 + dy, 100 + dy + tall), slice(200 + dx, 200 + dx + wide)
        picture = np.clip(128 + rng.normal(0, 12, (360, 640, 1)) * np.ones(3), 0, 255).astype(np.uint8)
        picture[here] = marker
        clear = np.full(picture.shape[:2], inside)
        clear[here[0].start - 4 : here[0].stop + 4, here[1].start - 4 : here[1].stop + 4] = False
        laid += shown(mask(picture, clear, **LENS))[here].mean(axis=2)
    return abs(np.corrcoef(marker[..., 0].ravel(), laid.ravel())[0, 1]) if laid.std() else 0.0


@pytest.mark.parametrize("moving", [False, True], ids=["still", "moving"])
def test_laying_many_previews_over_each_other_brings_nobody_within_the_facade_back(moving):
    assert likeness(inside=True, moving=moving) < 0.1


def test_averaging_previews_brings_nobody_around_the_facade_back():
    assert likeness(inside=False, moving=False) < 0.25


def test_the_attack_would_succeed_on_blocks_of_four_pixels(monkeypatch):
    monkeypatch.setattr("plumbline_edge.camera.privacy.block_px", lambda *_, **__: 4)

    assert likeness(inside=False, moving=True) > 0.5
