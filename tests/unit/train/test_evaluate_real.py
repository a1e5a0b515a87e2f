"""Real photos: where they are here, what may be claimed of them; the list itself is always checked."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import numpy as np
import pytest

from plumbline_edge.vision.zones import square_to_quad
from plumbline_train.evaluate import Judge, real

BESIDE = Path(__file__).parents[3].parent / "shared" / "data"
PHOTOS = Path(os.environ.get("PLUMBLINE_DATA", BESIDE)) / "photos"
LISTED = tomllib.loads(real.SITES.read_text(encoding="utf-8"))
with_photos = pytest.mark.skipif(not PHOTOS.is_dir(), reason=f"no real photos in {PHOTOS}")


@pytest.mark.parametrize("entry", LISTED["photo"], ids=lambda e: e["name"])
def test_every_listed_quad_is_a_facade_inside_its_photo(entry):
    x0, y0, x1, y1 = entry["crop"]

    assert 0 <= x0 < x1 <= 1
    assert 0 <= y0 < y1 <= 1
    assert np.min(entry["quad"]) >= 0
    assert np.max(entry["quad"]) <= 1
    square_to_quad(entry["quad"])  # raises where it is none


def test_a_box_and_a_polygon_are_read_as_the_same_shape():
    kind, box = real._shape("3 0.5 0.5 0.2 0.4")
    _, polygon = real._shape("3 0.4 0.3 0.6 0.3 0.6 0.7 0.4 0.7")

    assert kind == 3
    assert box == pytest.approx(polygon)


def test_overlap_counts_what_is_in_both_and_in_either():
    said = np.array([[True, False], [False, False]])
    truth = np.zeros((4, 4), np.uint8)
    truth[:2, :] = 1
    truth[3, :] = 255  # unknown

    assert real._overlap(said, truth).tolist() == [4, 8]


def test_a_folder_without_photos_gives_no_figures(tmp_path, shipped):
    assert real.figures(shipped, tmp_path) == {}


@with_photos
def test_each_listed_photo_is_judged_and_none_is_given_an_error_in_points(shipped):
    tables = real.site_tables(Judge(shipped), PHOTOS / "site_conditions")

    assert len(tables) == len(LISTED["photo"]) + 1
    assert -1 <= tables["site.order"]["tau"] <= 1
    assert not any("mae" in figure for table in tables.values() for figure in table)
    assert {name for name, t in tables.items() if t.get("meant_to_be_refused")} == {
        "site.snow",
        "site.fog",
        "site.night",
    }
