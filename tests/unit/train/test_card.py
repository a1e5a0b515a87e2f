"""A card is TOML that says no more than was measured, and a page says no more than its card."""

from __future__ import annotations

import hashlib
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.errors import ConfigError
from plumbline_edge.vision.interval import Widths, of_card
from plumbline_train import card as cards
from plumbline_train.evaluate.run import QUICK, Evaluation
from plumbline_train.page import blocks, renewed

WIDTHS = Widths(edges=(10.0, 90.0), site_pp=(2.0, 4.5, 3.0), zone_pp=(5.0, 9.0, 6.0), doubt_weight=1.0)
PLAIN = Widths(site_pp=(4.04,), zone_pp=(8.0,))
TABLES = {
    "unseen_families.new": {"site_mae_pp": 2.0004, "stage_exact": 0.9, "tau": float("nan")},
    "unseen_families.new.by_stage.window": {"zones": 12.0, "zone_mae_pp": 3.0, "exact": 0.5},
    "unseen_families.new.by_family.camera.tele": {"sites": 2.0, "mae_pp": 3.0, "bias_pp": -1.0},
    "gate.dark": {"shots": 60.0, "caught": 0.5, "named": 0.25},
    "good_photos.fog": {"shots": 4.0, "refused": 1.0},
    "real.site.fog": {"refused": 1.0, "meant_to_be_refused": 1.0, "percent": 20.4},
}


@pytest.fixture
def text(shipped):
    found = Evaluation(
        size=QUICK, tables=TABLES, widths={"new": WIDTHS, "reno": WIDTHS}, plain={"new": PLAIN, "reno": PLAIN}
    )
    return cards.card_text(shipped, found, {"seed": 3, "photos": ["a, CC0"]}, "1.2.3")


@pytest.fixture
def card(text):
    return tomllib.loads(text)


def test_a_card_names_its_file_and_its_cost(card, shipped):
    assert card["sha256"] == hashlib.sha256(shipped.read_bytes()).hexdigest()
    assert card["bytes"] == shipped.stat().st_size
    assert 0 < card["multiply_adds"] < 1e9
    assert card["version"] == "1.2.3"
    assert card["trained"]["seed"] == 3
    assert card["evaluated"]["gate_cameras"] == QUICK.gate_cameras


def test_the_gateway_reads_from_a_card_the_very_intervals_that_were_measured(card):
    assert of_card(card["interval"], "reno", site_pp=99, zone_pp=99) == WIDTHS
    assert card["interval_pp"] == {"new": 4.0, "reno": 4.0}
    assert card["zone_interval_pp"] == {"new": 8.0, "reno": 8.0}


def test_scores_come_back_as_they_were_written_and_what_was_not_measured_is_absent(card):
    scores = cards.tables_of(card)

    assert scores["unseen_families.new"] == {"site_mae_pp": 2.0, "stage_exact": 0.9}
    assert scores["unseen_families.new.by_family.camera.tele"]["bias_pp"] == -1
    assert set(scores) == set(TABLES)


def test_a_run_that_gives_the_same_figures_differs_in_nothing(card):
    assert cards.differences(cards.tables_of(card), TABLES) == []


@given(st.floats(-1, 1).filter(lambda off: abs(abs(off) - 0.05) > 0.001))
def test_points_may_differ_by_a_twentieth_and_no_more(off):
    written, measured = ({"t": {"site_mae_pp": 2.0 + change}} for change in (0, off))

    assert bool(cards.differences(written, measured)) == (abs(off) > 0.05)


def test_a_figure_that_only_one_side_has_is_a_difference():
    assert cards.differences({"t": {"tau": 0.9}}, {}) == ["t.tau: the card says 0.900, this run nan"]
    assert cards.differences({}, {"t": {"tau": 0.9}}) != []
    assert cards.differences({"t": {}}, {"t": {"tau": float("nan")}}) == []


def test_a_file_that_is_no_card_is_a_config_error(tmp_path):
    (tmp_path / "card.toml").write_text("= 3")

    for path in (tmp_path / "card.toml", tmp_path / "none.toml"):
        with pytest.raises(ConfigError, match="no card"):
            cards.read(path)


def test_a_page_takes_its_tables_from_the_card_and_keeps_its_own_words(card):
    page = "Before.\n<!-- card: metrics -->\nold\n<!-- end -->\nAfter.\n"
    made = renewed(page, card)

    assert made.startswith("Before.\n<!-- card: metrics -->\n")
    assert made.endswith("<!-- end -->\nAfter.\n")
    assert "old" not in made
    assert "| site error, mean | ≤ 2.50 pp | 2.00 pp | – |" in made
    assert renewed(made, card) == made


def test_a_missed_target_is_marked(card):
    gate = dict(blocks(card))["gate"]

    assert "| dark | 60 | 50.0 % ! | 25.0 % | ≥ 95.0 % |" in gate
    assert "| good, fog | 4 | 100.0 % |" in gate


def test_every_block_can_be_made_of_a_card_with_nothing_in_it(card):
    bare = {key: value for key, value in card.items() if key not in {"scores", "trained", "limits"}}

    assert all(text is not None for _, text in blocks(bare))


def test_the_run_s_facts_are_told_and_its_curves_are_not(card):
    trained = {
        "seed": 3,
        "photos": ["a, CC0", "b, CC BY 4.0"],
        "watched": '[{"x": 1}]',
        "loss_curve": [1.0, 2.0],
    }
    told = dict(blocks(card | {"trained": trained}))["training"]

    assert "| photos | a, CC0; b, CC BY 4.0 |" in told
    assert "loss curve" not in told
    assert "watched" not in told


def test_a_page_that_asks_for_what_no_card_has_is_a_config_error(card):
    with pytest.raises(ConfigError, match="'nothing'"):
        renewed("<!-- card: nothing -->\n<!-- end -->", card)
