"""The model's input is made the same way in training and on the gateway."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from plumbline_edge.vision.preprocess import roi_box, to_input

COORDINATE = st.floats(-500, 2500)


def test_channels_are_rgb_now_then_rgb_day_0():
    now = np.zeros((10, 20, 3), np.uint8)
    now[..., 2] = 255  # red in BGR
    day0 = np.zeros((10, 20, 3), np.uint8)
    day0[..., 0] = 255  # blue
    x = to_input(now, day0, (4, 8))
    assert x.shape == (1, 6, 4, 8)
    assert x.dtype == np.float32
    assert x[0, :, 0, 0].tolist() == [1, 0, 0, 0, 0, 1]


def test_an_unknown_day_0_is_zeros():
    x = to_input(np.full((192, 320, 3), 200, np.uint8), None, (192, 320))
    assert x[0, 3:].max() == 0
    assert x[0, :3].min() > 0.7


@given(
    st.lists(st.tuples(COORDINATE, COORDINATE), min_size=4, max_size=4),
    st.integers(1, 2000),
    st.integers(1, 2000),
)
def test_the_crop_is_never_empty_and_never_leaves_the_picture(quad, width, height):
    x0, y0, x1, y1 = roi_box(quad, (width, height))
    assert 0 <= x0 < x1 <= width
    assert 0 <= y0 < y1 <= height


def test_the_crop_leaves_room_for_the_ground_before_the_facade():
    assert roi_box([(100, 100), (300, 100), (300, 200), (100, 200)], (640, 360)) == (70, 85, 330, 215)
