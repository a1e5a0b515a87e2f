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
    grown_quad,
    hide_people,
    mask,
    pixelated,
    preview_width_px,
    private_cells,
)  # fmt: skip

QUAD = ((0.25, 0.25), (0.75, 0.25), (0.75, 0.75), (0.25, 0.75))
BOX = (100, 50, 540, 310)
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


def test_without_the_models_word_there_is_no_picture():
    assert mask(NOISE, None, quad=QUAD, box=BOX, **LENS) is None


@pytest.mark.parametrize("name", ["person", "machine_vehicle"])
@pytest.mark.parametrize("probability", [0.31, 1.0])
def test_people_and_vehicles_are_pixelated_with_a_margin(name, probability):
    found = mask(NOISE, aux_with(name, slice(10, 16), slice(20, 24), probability), quad=QUAD, box=BOX, **LENS)
    image = shown(found)
    cell_w, cell_h = 440 / 44, 260 / 26
    inner = image[
        round(50 + 9 * cell_h) : round(50 + 17 * cell_h), round(100 + 19 * cell_w) : round(100 + 25 * cell_w)
    ]

    assert detail(inner) < 25
    assert detail(image[200:250, 420:470]) > 50


def test_below_the_threshold_nobody_is_there():
    found = mask(NOISE, aux_with("person", slice(10, 16), slice(20, 24), 0.29), quad=QUAD, box=BOX, **LENS)

    assert detail(shown(found)[150:210, 290:340]) > 50


def test_everything_outside_the_grown_facade_is_pixelated():
    image = shown(mask(NOISE, aux_with(), quad=QUAD, box=BOX, **LENS))
    (left, top), _, (right, bottom), _ = grown_quad(QUAD)

    for part in (image[: int(top * 360) - 8], image[int(bottom * 360) + 8 :]):
        assert detail(part) < 25
    for part in (image[:, : int(left * 640) - 8], image[:, int(right * 640) + 8 :]):
        assert detail(part) < 25
    assert detail(image[120:240, 200:440]) > 50


def test_what_the_model_did_not_see_is_pixelated_even_inside_the_facade():
    image = shown(mask(NOISE, aux_with(), quad=QUAD, box=(100, 50, 320, 310), **LENS))

    assert detail(image[120:240, 330:440]) < 25


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
    whole = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
    found = mask(image, aux_with(), quad=whole, box=(0, 0, 1280, 720), **LENS)

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
    assert len(np.unique(pixelated(NOISE[:, :64]).reshape(-1, 3), axis=0)) <= (64 // 8) * (360 // 8)
