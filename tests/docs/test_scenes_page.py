"""The page about rendered sites names the families, commands and files that there are."""

from __future__ import annotations

import re
from pathlib import Path

from plumbline_sim.scene.families import AROUND, CATALOGUES

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "scenes.md"


def test_it_names_every_family_that_training_never_sees():
    rows = re.findall(r"^\| (\w+) \| (\d+) \| (`.+`) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    told = {name: (int(count), set(re.findall(r"`(\w+)`", held))) for name, count, held in rows}

    assert told == {
        name: (len(split["train"]), set(split["holdout"])) for name, split in (CATALOGUES | AROUND).items()
    }


def test_its_contact_sheet_is_small_enough_to_load():
    assert (DOCS / "images" / "scenes.jpg").stat().st_size <= 900_000


def test_the_painted_scenes_decision_points_to_what_took_its_place():
    assert "0011-rendered-scenes.md" in (DOCS / "decisions" / "0008-painted-scenes.md").read_text(
        encoding="utf-8"
    )
