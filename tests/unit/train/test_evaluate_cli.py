"""`plumbline model evaluate` and `page` say what is wrong before they render for minutes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from plumbline.errors import ConfigError
from plumbline_train.cli import app
from plumbline_train.evaluate import tables

ROOT = Path(__file__).parents[3]
SCORES = {
    "unseen_families.new": {"site_mae_pp": 3.0, "tau": 0.99, "late_site_mae_pp": 2.0},
    "unseen_families.new.alerts.model": {"recall": 0.95, "precision": 0.5},
    "unseen_families.new.alerts.apart": {"quiet_trials": 48.0, "quiet_alerts": 2.0},
    "unseen_families.new.by_stage.window": {"zones": 12.0, "zone_mae_pp": 3.0, "zone_bias_pp": -1.0},
    "blind.now": {"sites": 2.0, "correlation": 0.0, "tau": 0.0, "mae_pp": 30.0},
}


def run(*words):
    return CliRunner().invoke(app, list(words), catch_exceptions=True)


def test_a_model_that_is_not_there_is_said_at_once(tmp_path):
    result = run("evaluate", "--model", str(tmp_path / "none.onnx"))

    assert isinstance(result.exception, ConfigError)
    assert "no such model" in str(result.exception)


@pytest.mark.parametrize("workers", ["1", "3"])
def test_a_file_that_is_no_model_ends_it_whatever_the_number_of_workers(tmp_path, workers):
    (tmp_path / "model.onnx").write_bytes(b"\x08\x08 nonsense")
    result = run("evaluate", "--quick", "--model", str(tmp_path / "model.onnx"), "--workers", workers)

    assert isinstance(result.exception, ConfigError)
    assert "not a stage model" in str(result.exception)


@pytest.mark.parametrize("option", ["--card", "--against"])
def test_a_quick_look_makes_no_card_and_checks_none(tmp_path, option):
    result = run("evaluate", "--quick", option, str(tmp_path / "card.toml"))

    assert isinstance(result.exception, ConfigError)
    assert not (tmp_path / "card.toml").exists()


def test_the_page_is_written_anew_and_stays_the_same_the_second_time(tmp_path):
    page = tmp_path / "model.md"
    shutil.copy(ROOT / "docs" / "model.md", page)
    card = str(ROOT / "models" / "stage_seg" / "card.toml")
    first = run("page", "--card", card, "--page", str(page))
    text = page.read_text(encoding="utf-8")
    run("page", "--card", card, "--page", str(page))

    assert first.exit_code == 0
    assert page.read_text(encoding="utf-8") == text


def test_a_page_that_is_not_there_is_a_config_error(tmp_path):
    result = run("page", "--page", str(tmp_path / "none.md"))

    assert isinstance(result.exception, ConfigError)


def test_the_metric_table_has_a_column_a_track_and_group_and_marks_what_is_missed():
    head, *rows = tables.metric_table(SCORES)
    by_name = {row[0]: row for row in rows}

    assert len(head) == 2 + 4
    assert by_name["site error, mean"][1:3] == ("≤ 2.50 pp", "3.00 pp !")
    assert by_name["order: Kendall tau against the day"][1:3] == ("≥ 0.980", "0.990")
    assert by_name["alerts: recall"][2] == "95.0 %"
    assert by_name["alerts: precision"][2] == "50.0 % !"
    assert all(len(row) == len(head) for row in rows)


def test_a_figure_nobody_measured_is_a_dash_and_a_row_of_dashes_is_left_out():
    head, *rows = tables.metric_table({"unseen_families.new": {"tau": 0.99}})

    assert [row[3] for row in rows] == ["–"]
    assert len(head) == 6


def test_what_nothing_is_known_of_is_not_missed():
    _, *rows = tables.metric_table(
        {"unseen_families.new": {"coverage": float("nan")}, "unseen_families.reno": {"coverage": 0.9}}
    )

    assert rows == [("90 % interval holds, site", "88.0–93.0 %", "–", "90.0 %", "–", "–")]


def test_everything_that_is_printed_can_be_printed_of_nothing():
    for scores in ({}, SCORES):
        for title, rows in tables.rows_of(scores):
            head, *body = rows()

            assert title
            assert all(len(row) == len(head) for row in body)
