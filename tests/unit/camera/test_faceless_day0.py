"""What is kept of day 0 is no finer than a preview: a tele lens on a small facade shows no face in it either."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline_edge.camera.judge import judge
from plumbline_edge.camera.memory import Memory
from plumbline_edge.camera.privacy import FACE_M, FACE_PX, faceless
from plumbline_edge.vision.view import View


def rect(left, top, wide, tall):
    return ((left, top), (left + wide, top), (left + wide, top + tall), (left, top + tall))


STRIPES = np.repeat(np.tile([0, 255], 160)[None, :, None], 256, 0).repeat(3, 2).astype(np.uint8)
"""Each a pixel wide: the finest detail a canvas can hold."""


def test_an_ordinary_camera_keeps_the_canvas_as_it_is():
    kept = faceless(STRIPES, View(rect(0.2, 0.2, 0.6, 0.6), (1280, 720)), hfov_deg=70, distance_m=30)

    assert kept is STRIPES


@given(st.floats(5.1, 30), st.floats(2, 60), st.floats(0.05, 0.9), st.floats(0.05, 0.9))
def test_no_face_is_wider_than_in_a_preview(hfov_deg, distance_m, wide, tall):
    kept = faceless(
        STRIPES, View(rect(0, 0, wide, tall), (1280, 720)), hfov_deg=hfov_deg, distance_m=distance_m
    )
    metres_across = 2 * distance_m * np.tan(np.radians(hfov_deg) / 2) * wide
    face_px = FACE_M / metres_across * 0.8 * 320

    assert kept.shape == STRIPES.shape
    if face_px > 2 * FACE_PX:  # so fine that the stripes, finer still, must have gone
        assert kept[:, 20:-20].std() < 70


@pytest.mark.parametrize(("hfov_deg", "kept"), [(70.0, True), (6.0, False)])
def test_the_gateway_keeps_day0_that_coarse(paint, model, hfov_deg, kept):
    raw = paint.jpeg(paint.facade(64, seed=1))
    settings = paint.settings(hfov_deg=hfov_deg, distance_m=5.0 if not kept else 30.0)
    judged = judge(
        raw, paint.begin, settings, lambda: model, Memory(), day0_until=paint.begin + timedelta(days=1)
    )
    (day0,) = judged.memory.day0.values()
    edges = np.abs(np.diff(day0.astype(int), axis=1)).mean()

    assert judged.new_day0
    assert (edges > 8) == kept
