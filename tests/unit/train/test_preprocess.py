"""The model's input is made the same way in training and on the gateway."""

from __future__ import annotations

import numpy as np

from plumbline_edge.vision.preprocess import to_input


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
