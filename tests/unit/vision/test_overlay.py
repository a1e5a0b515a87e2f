"""Pictures that show why: what is drawn is looked up in their pixels."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.errors import Refused
from plumbline.messages import Photo, Progress, ZoneProgress
from plumbline.stages import STAGES
from plumbline_edge.vision import ink, overlay, panels
from plumbline_edge.vision.palette import STAGE_BGR, STAGE_NAMES
from plumbline_edge.vision.view import FACADE_BOX
from plumbline_edge.vision.witness import Look
from plumbline_edge.vision.zones import zone_ids

CANVAS = np.full((256, 320, 3), 90, np.uint8)
QUAD = ((0.2, 0.1), (0.8, 0.1), (0.8, 0.9), (0.2, 0.9))


def zone(name, percent=50.0, stage=3, visible=1.0):
    return ZoneProgress(id=name, percent=percent, low=percent, high=percent, visible=visible, stage=stage)


def jpeg(width, height, colour=128):
    return cv2.imencode(".jpg", np.full((height, width, 3), colour, np.uint8))[1].tobytes()


def look(stage=3, hidden=False):
    reached = np.array([float(k <= stage) for k in range(1, 8)], np.float32)
    classes = np.zeros((9, 64, 80), np.float32)
    classes[6 if hidden else 0] = 1
    return Look(day0=None, stage=reached[:, None, None] * np.ones((7, 64, 80), np.float32), aux=classes)


def facade(floors, bays, zones=None, **more):
    zones = tuple(zone(name) for name in zone_ids(floors, bays)) if zones is None else zones
    return overlay.Facade(name="east", quad=QUAD, floors=floors, bays=bays, zones=zones, **more)


def drawn(width, height, *facades, percent=63.0, **more):
    progress = Progress(
        camera="east", photo="p", percent=percent, low=percent, high=percent, model="m-1",
        gate=() if percent is not None else ("NOT_VISIBLE",), zones=facades[0].zones,
    )  # fmt: skip
    content = overlay.draw(
        Photo(camera="east", photo="p", jpeg=jpeg(width, height)), progress, facades,
        track="new", caption="p.jpg", **more,
    )  # fmt: skip
    return cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)


def near(pixels, colour, within=24):
    return (np.abs(pixels.astype(int) - colour).max(axis=-1) <= within).mean()


@pytest.mark.parametrize("size", [(640, 480), (4000, 3000), (480, 900), (31, 17)])
@pytest.mark.parametrize("grid", [(17, 14), (2, 3), (1, 1), (40, 40)])
def test_every_size_and_grid_gives_one_sheet_of_the_same_height(size, grid):
    sheet = drawn(*size, facade(*grid, look=look()), since=60.0)

    assert sheet.shape[0] == 104 + 3 * (320 + 30) + 24


def test_a_photo_without_a_preview_is_never_drawn():
    progress = Progress(camera="east", photo="p", percent=None, low=None, high=None, gate=("DARK",))
    with pytest.raises(Refused, match="DARK"):
        overlay.draw(Photo(camera="east", photo="p"), progress, [facade(2, 2)], track="new", caption="")


def test_zones_have_the_colour_of_their_stage_and_unseen_ones_are_hatched():
    zones = (zone("f1b1", stage=7), zone("f1b2", stage=0), zone("f2b1", stage=None), zone("f2b2", stage=4))
    shown = panels.photo(np.full((900, 1200, 3), 128, np.uint8), [facade(2, 2, zones)], (1200, 900))
    height, width = shown.shape[:2]
    low, high = (
        shown[round(height * 0.6) : round(height * 0.85)],
        shown[round(height * 0.2) : round(height * 0.4)],
    )
    half = (np.array(STAGE_BGR) + 128) // 2

    assert near(low[:, round(width * 0.3) : round(width * 0.45)], half[7]) > 0.5
    assert near(low[:, round(width * 0.55) : round(width * 0.7)], half[0]) > 0.5
    assert near(high[:, round(width * 0.55) : round(width * 0.7)], half[4]) > 0.5
    hatched = high[:, round(width * 0.3) : round(width * 0.45)]
    assert 0.15 < near(hatched, 255) < 0.5
    assert near(hatched, half[3]) < 0.01


@pytest.mark.parametrize(
    ("before", "now", "changed"),
    [
        (zone("a", 40, 3), zone("a", 46, 3), True),
        (zone("a", 40, 3), zone("a", 41, 4), True),
        (zone("a", 40, 3), zone("a", 42, 3), False),
        (zone("a", 40, None), zone("a", 80, 5), False),
        (zone("a", 40, 3), zone("a", 80, None), False),
        (zone("b", 40, 3), zone("a", 80, 5), False),
    ],
)
def test_a_zone_has_changed_where_it_was_seen_twice_and_differs(before, now, changed):
    assert panels.has_changed(now, {before.id: before}) is changed


def test_a_changed_zone_has_a_bolder_border():
    zones = (zone("f1b1", 50, 3),)
    photo = np.full((900, 1200, 3), 128, np.uint8)
    same = panels.photo(photo, [facade(1, 1, zones, before={"f1b1": zone("f1b1", 50, 3)})], (1200, 900))
    changed = panels.photo(photo, [facade(1, 1, zones, before={"f1b1": zone("f1b1", 20, 2)})], (1200, 900))

    assert near(changed, 255) > 1.5 * near(same, 255)


def test_the_stage_map_counts_for_nothing_beside_the_facade():
    shown = panels.stages(CANVAS, look(stage=7), facade(1, 1), (400, 320))
    x0, y0 = round(400 * FACADE_BOX[0]), round(320 * FACADE_BOX[1])

    assert near(shown[y0 + 10 : y0 + 60, x0 + 10 : x0 + 60], STAGE_BGR[7], 60) > 0.9
    assert near(shown[:, : x0 - 2], STAGE_BGR[7], 60) == 0


def test_the_stage_map_is_hatched_where_something_stands_before_the_facade():
    shown = panels.stages(CANVAS, look(stage=7, hidden=True), facade(1, 1), (400, 320))

    assert near(shown, STAGE_BGR[7], 60) == 0
    assert near(shown[100:200, 100:200], 255) > 0.2


def test_a_zone_that_fell_back_bears_a_mark():
    zones = (
        zone("f1b1"),
        ZoneProgress(id="f2b1", percent=50, low=4, high=6, visible=1, stage=3, regress=True),
    )
    shown = panels.photo(np.full((900, 1200, 3), 128, np.uint8), [facade(2, 1, zones)], (1200, 900))

    assert near(shown[:450], ink.FALL) > 0.0001
    assert near(shown[450:], ink.FALL) == 0


def test_what_the_preview_masks_stays_masked_straight_on():
    preview = np.full((480, 640, 3), 50, np.uint8)
    preview[200:280, 300:340] = (0, 0, 255)
    canvas = panels.straight_on(preview, facade(2, 2))

    assert near(canvas[120:136, 150:170], (0, 0, 255)) > 0.9


def test_a_photo_without_a_percent_is_drawn_and_says_so():
    assert drawn(640, 480, facade(2, 2, look=look()), percent=None).shape[1] > 1120


def test_several_facades_stand_side_by_side():
    left = facade(2, 2, look=look())
    one, two = drawn(640, 480, left), drawn(640, 480, left, facade(3, 1, look=look()))

    assert two.shape[1] == one.shape[1] + 424


@given(st.text(max_size=30), st.floats(-50, 150), st.floats(-50, 150), st.floats(4, 40))
def test_any_words_anywhere_are_written_without_harm(words, x, y, height):
    image = np.zeros((60, 90, 3), np.uint8)
    ink.text(image, words, (x, y), height, halo=(9, 9, 9), anchor="middle")

    assert image.shape == (60, 90, 3)


def luminance(bgr):
    linear = [((c / 255 + 0.055) / 1.055) ** 2.4 if c > 10 else c / 255 / 12.92 for c in bgr]
    return 0.0722 * linear[0] + 0.7152 * linear[1] + 0.2126 * linear[2]


def seen_with(bgr, matrix):
    return np.array(matrix) @ np.array(bgr[::-1], float)


PROTAN = [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
DEUTAN = [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
TRITAN = [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]


def test_each_stage_is_lighter_than_the_one_before():
    lights = [luminance(colour) for colour in STAGE_BGR]

    assert all(after > 1.25 * before for before, after in pairwise(lights))


@pytest.mark.parametrize("eyes", [PROTAN, DEUTAN, TRITAN], ids=["protan", "deutan", "tritan"])
def test_no_two_stages_look_alike_to_the_colour_blind(eyes):
    # Machado, Oliveira and Fernandes 2009, severity 1
    colours = [seen_with(colour, eyes) for colour in STAGE_BGR]
    apart = [np.linalg.norm(a - b) for i, a in enumerate(colours) for b in colours[i + 1 :]]

    assert min(apart) > 25


def test_every_stage_has_a_name_for_the_legend():
    assert {track: len(names) for track, names in STAGE_NAMES.items()} == {
        t: len(n) for t, n in STAGES.items()
    }
