"""The model that is shipped, on this machine's onnxruntime."""

from __future__ import annotations

from pathlib import Path

from plumbline_edge.vision.golden import compare
from plumbline_edge.vision.model import load, shipped_folder

ROOT = Path(__file__).parents[3]


def test_the_shipped_model_fits_its_card():
    assert load(shipped_folder()).card.interval_pp["new"] > 0


def test_the_shipped_model_says_of_its_golden_pictures_what_it_said_when_it_was_made():
    golden = compare(load(shipped_folder()), shipped_folder() / "golden")

    assert golden.pictures >= 6
    assert golden.worst_pp < 0.3


def test_a_source_tree_ships_the_model_of_its_own_folder():
    assert shipped_folder().name == "stage_seg"
    assert (ROOT / "models" / "stage_seg").is_dir()
