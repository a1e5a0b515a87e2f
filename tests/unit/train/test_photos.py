"""Marked facades say where windows and walls are, and nothing where their marks do not say."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from plumbline.stages import AUX_CLASSES
from plumbline_train.dataset import UNKNOWN
from plumbline_train.photos import STYLE_HW, marked_facades, photo_folder, photos_hash, styles

BUILDING, WINDOW = AUX_CLASSES.index("building"), AUX_CLASSES.index("window_glazed")


@pytest.fixture
def folder(tmp_path):
    """One photo of each set: a window in the middle; in the Swiss one a facade around it and a tree before it."""
    marks = {
        "facades_stpetersburg": "0 0.5 0.5 0.2 0.2\n5 0.1 0.1 0.1 0.1\n",
        "facades_swiss": "9 0.4 0.4 0.6 0.4 0.6 0.6 0.4 0.6\n2 0.1 0.1 0.9 0.1 0.9 0.9 0.1 0.9\n",
    }
    for name, text in marks.items():
        (tmp_path / name / "images").mkdir(parents=True)
        (tmp_path / name / "labels").mkdir()
        picture = np.full((200, 250, 3), (30, 90, 200), np.uint8)
        cv2.imwrite(str(tmp_path / name / "images" / "a.png"), picture)
        (tmp_path / name / "labels" / "a.txt").write_text(text, encoding="utf-8")
    return tmp_path


def test_a_marked_window_is_glass_with_wall_around_it_and_the_rest_is_unknown(folder):
    for sample in marked_facades(folder, seed=1):
        assert set(np.unique(sample["aux"]).tolist()) <= {BUILDING, WINDOW, UNKNOWN}
        assert (sample["aux"] == WINDOW).any()
        assert (sample["aux"] == BUILDING).any()


def test_a_marked_facade_says_nothing_of_stages_faults_or_cameras(folder):
    for sample in marked_facades(folder, seed=1):
        assert (sample["stage"] == UNKNOWN).all()
        assert (sample["quality"] < 0).all()
        assert sample["camera"] == -1
        assert sample["floors"] == 0


def test_pictures_are_rgb(folder):
    assert marked_facades(folder, seed=1)["now"][0, 5, 5].tolist() == [200, 90, 30]
    assert styles(folder)[0, 0, 0] == pytest.approx([200 / 255, 90 / 255, 30 / 255], abs=0.01)
    assert styles(folder).shape == (2, *STYLE_HW, 3)


def test_the_hash_changes_with_a_photo(folder):
    before = photos_hash(folder)
    cv2.imwrite(str(folder / "facades_swiss" / "images" / "b.png"), np.zeros((9, 9, 3), np.uint8))

    assert photos_hash(folder) != before


def test_photos_are_looked_for_where_the_variable_says(folder, monkeypatch, tmp_path):
    monkeypatch.setenv("PLUMBLINE_DATA", str(tmp_path / "nowhere"))

    assert photo_folder() is None
