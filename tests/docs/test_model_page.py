"""docs/model.md says what the card says."""

from __future__ import annotations

from pathlib import Path

from plumbline_train import card as cards
from plumbline_train.page import blocks, renewed

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "model.md"
CARD = ROOT / "models" / "stage_seg" / "card.toml"


def test_the_page_s_tables_are_the_card_s():
    text = PAGE.read_text(encoding="utf-8")

    assert renewed(text, cards.read(CARD)) == text, "run: plumbline model page"


def test_everything_a_card_can_tell_stands_in_the_page():
    text = PAGE.read_text(encoding="utf-8")

    assert [name for name, _ in blocks(cards.read(CARD)) if f"<!-- card: {name} -->" not in text] == []
