"""Courses made by hand: what an evaluation would have seen, with nothing rendered."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from plumbline.stages import DEFAULT_VALUES
from plumbline_edge.vision.zones import zone_ids
from plumbline_train.evaluate.scores import majority_stage
from plumbline_train.evaluate.sightings import Course, Hits, Shot

FLOORS, BAYS = 2, 2


def _reached(stage):
    """P(stage >= 1..7) of a zone whose continuous stage is certain."""
    return np.clip(stage - np.arange(7), 0, 1)


def _shot(day, true_stage, said_stage, values, **changed):
    zones = FLOORS * BAYS
    percent = 100 * float(np.interp(said_stage, np.arange(8), values))
    true = 100 * float(np.interp(true_stage, np.arange(8), values))
    facts = {
        "day": float(day), "weather": "clear", "gate": (),
        "percent": np.full(zones, percent), "visible": np.ones(zones),
        "stage": np.full(zones, int(majority_stage(said_stage))), "reached": np.tile(_reached(said_stage), (zones, 1)),
        "true_zones": np.full(zones, true), "true_stages": np.full(zones, int(majority_stage(true_stage))),
        "true": true, "changed": 50.0, "hits": {"person": Hits(right=1, said=2, there=4, things=2, things_touched=1)},
    }  # fmt: skip
    return Shot(**(facts | changed))


def _course(number=1, track="new", days=60, off=lambda day: 0.0, changed=None, **kwargs):
    """A site that goes evenly from stage 0 to 7, judged `off(day)` stages too far."""
    values = DEFAULT_VALUES[track]
    shots = []
    for day in range(1, days + 1):
        stage = 7 * day / days
        said = float(np.clip(stage + off(day), 0, 7))
        shots.append(_shot(day, stage, said, values, **(changed(day) if changed else {})))
    zones = len(zone_ids(FLOORS, BAYS))
    facts = {
        "number": number, "track": track, "split": "holdout", "days": days, "floors": FLOORS, "bays": BAYS,
        "weights": np.full(zones, 1 / zones), "values": values, "families": {"camera": "tele"},
        "planned": np.array([s.true for s in shots]), "shots": tuple(shots),
    }  # fmt: skip
    return Course(**(facts | kwargs))


@pytest.fixture
def make_course():
    return _course


@pytest.fixture
def make_shot():
    return _shot


@pytest.fixture(scope="session")
def shipped():
    """The model file that is shipped."""
    return Path(__file__).parents[3] / "models" / "stage_seg" / "model.onnx"
