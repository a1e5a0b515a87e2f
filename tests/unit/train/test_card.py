"""A card is TOML that says no more than was measured."""

from __future__ import annotations

import hashlib
import tomllib

import numpy as np
import pytest

from plumbline_sim.scene.project import Project
from plumbline_train.card import card_text
from plumbline_train.evaluate import Course, pool, project_figures


def test_a_card_names_its_file_and_takes_each_track_s_own_interval(tmp_path):
    model = tmp_path / "model.onnx"
    model.write_bytes(b"net")
    tables = {
        "unseen_families.new": {"project_p90_pp": 4.0, "zone_p90_pp": 9.0},
        "unseen_families.reno": {"project_p90_pp": 6.5, "zone_p90_pp": 8.0},
        "unseen_seeds.new": {"project_p90_pp": 99.0, "zone_p90_pp": 99.0},
        "unseen_families.quality": {"dark_recall": 1.0},
    }
    card = tomllib.loads(card_text(model, tables, {"seed": 3}, "1.2.3"))
    assert card["sha256"] == hashlib.sha256(b"net").hexdigest()
    assert card["interval_pp"] == {"new": 4.0, "reno": 6.5}
    assert card["zone_interval_pp"] == {"new": 9.0, "reno": 8.0}
    assert card["version"] == "1.2.3"
    assert card["trained"]["seed"] == 3
    assert card["scores"]["unseen_families"]["quality"]["dark_recall"] == 1
    assert any("real" in limit for limit in card["limits"])


def test_figures_tell_late_shots_from_the_rest():
    project = Project.sample(3, track="new", days=60)
    course = Course(project, days=[10.0, 30.0], true=[project.percent(10), project.percent(30) - 12])
    course.said = [value + 2 for value in course.true]
    course.zone_off, course.stage_off, course.changed, course.hidden = [2.0], [0], [5.0, 5.0], [0.0, 0.0]
    figures = project_figures([course])
    assert figures["project_mae_pp"] == pytest.approx(2)
    assert figures["project_bias_pp"] == pytest.approx(2)
    assert figures["late_shots"] == 1
    assert figures["late_plan_mae_pp"] == pytest.approx(12)


def test_a_zone_behind_nets_is_not_visible_and_the_rest_is_counted():
    stage = np.zeros((7, 40, 80))
    stage[:3] = 1.0
    aux = np.zeros((9, 40, 80))
    aux[0] = 1.0
    aux[6, :20, :40] = 2.0  # a net over the upper left zone
    values = Project.sample(1, track="new", days=9).values
    pooled = pool(stage, aux, [(0, 0), (1, 0), (1, 1), (0, 1)], 2, 2, values)
    assert pooled.visible.tolist() == [[1, 1], [0, 1]]
    assert pooled.percent[0].tolist() == pytest.approx([40, 40])
    assert (pooled.stage[0] == 3).all()
