"""The page about photos says what the program does."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

from plumbline_edge.camera.reasons import REASONS
from plumbline_edge.config import load_cameras
from plumbline_edge.vision.panels import CHANGED_PP
from plumbline_edge.vision.photo_file import MAX_MEGAPIXELS

PAGE = Path(__file__).parents[2] / "docs" / "photos.md"


def text():
    return PAGE.read_text(encoding="utf-8")


def test_it_says_of_every_gate_code_what_to_do():
    rows = re.findall(r"^\| (`[A-Z_`, 0-9…]+) \|[^|]+\|[^|]+\|$", text(), re.MULTILINE)
    told = {code for row in rows for code in re.findall(r"`([A-Z_]+)`", row)}

    assert told == set(REASONS)


def test_its_site_files_are_whole_for_judging_photos(tmp_path):
    blocks = [textwrap.dedent(block) for block in re.findall(r"```toml\n(.*?)```", text(), re.DOTALL)]
    for block in blocks:
        (tmp_path / "site.toml").write_text(block, encoding="utf-8")

        assert load_cameras(tmp_path / "site.toml").cameras[0].all_facades()
    assert len(blocks) == 2


def test_its_numbers_are_the_programs():
    assert f"{MAX_MEGAPIXELS:g} megapixels" in text()
    assert f"by {CHANGED_PP:g} points or more" in text()


def test_it_explains_every_key_of_a_line():
    keys = set(
        re.findall(r"`\.?([a-z_0-9]+)(?:\[\])?`", text().split("### What `--json` says")[1].split("\n## ")[0])
    )

    assert {
        "file", "at", "percent", "low", "high", "gate", "shift_px", "zones", "id", "visible", "stage", "raw", "regress",
    } <= keys  # fmt: skip
