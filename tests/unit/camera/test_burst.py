from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plumbline_edge.camera.burst import median, usable


@settings(deadline=None)
@given(st.integers(3, 9), st.integers(1, 40), st.integers(1, 9), st.integers(0, 9))
def test_it_is_the_median_of_every_value(count, height, width, seed):
    frames = list(np.random.default_rng(seed).integers(0, 256, (count, height, width, 3), np.uint8))

    assert np.array_equal(median(frames), np.sort(frames, axis=0)[(count - 1) // 2])


def test_whoever_walks_through_is_gone(paint):
    scene, frames = paint.facade(), []
    for step in range(5):
        frame = scene.copy()
        cv2.rectangle(frame, (100 + 60 * step, 200), (130 + 60 * step, 300), paint.magenta, -1)
        frames.append(frame)

    assert np.array_equal(median(frames), scene)


def test_the_frames_are_left_as_they_were(paint):
    frames = [paint.facade(level, seed=level) for level in (90, 120, 150)]

    median(frames)

    assert np.array_equal(frames[0], paint.facade(90, seed=90))


def test_one_frame_is_its_own_median(paint):
    frame = paint.facade()

    assert median([frame]) is frame


@pytest.mark.parametrize("sizes", [(), (8,) * 10, (8, 8, 9)], ids=["none", "ten", "two sizes"])
def test_what_is_no_burst_is_refused(sizes):
    with pytest.raises(ValueError, match="burst"):
        median([np.zeros((size, 8, 3), np.uint8) for size in sizes])


def street(seed):
    """Light and dark patches: what fog would take away."""
    patches = np.random.default_rng(seed).integers(10, 240, (90, 160, 1), np.uint8).repeat(3, 2)
    return cv2.resize(patches, (640, 360), interpolation=cv2.INTER_NEAREST)


def test_a_dark_frame_and_one_of_another_size_are_left_out():
    good = [street(seed) for seed in range(3)]
    mask = np.ones(good[0].shape[:2], bool)
    night, small = (good[0] * 0.1).astype(np.uint8), good[0][::2, ::2]

    kept = usable([good[0], night, good[1], small, good[2]], mask)

    assert [frame is one for frame, one in zip(kept, good, strict=True)] == [True] * 3


def test_where_no_frame_is_good_all_are_kept_so_that_the_gate_says_why():
    nights = [(street(seed) * 0.1).astype(np.uint8) for seed in range(3)]

    assert len(usable(nights, np.ones(nights[0].shape[:2], bool))) == 3
    assert usable([], np.ones((9, 9), bool)) == ()
