"""The committed model keeps its contract and says today what it said when its golden pictures were made."""

from __future__ import annotations

import hashlib
import json
import tomllib
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest

from plumbline.stages import AUX_CLASSES, DEFAULT_VALUES, QUALITY_CLASSES
from plumbline_edge.vision.zones import pool as gateway_pool
from plumbline_train.dataset import SIZE_HW, families_hash
from plumbline_train.evaluate import Judge, pool

FOLDER = Path(__file__).parents[3] / "models" / "stage_seg"
MODEL = FOLDER / "model.onnx"
GOLDEN = sorted((FOLDER / "golden").glob("*.json"))


@pytest.fixture(scope="module")
def judge():
    return Judge(MODEL)


@pytest.fixture(scope="module")
def card():
    return tomllib.loads((FOLDER / "card.toml").read_text(encoding="utf-8"))


def pictures(path):
    track = path.stem.split("_")[0]
    return cv2.imread(str(path.with_name(f"{path.stem}_now.png"))), cv2.imread(
        str(path.with_name(f"{track}_day0.png"))
    )


def test_the_card_describes_this_file_and_these_families(card):
    assert card["sha256"] == hashlib.sha256(MODEL.read_bytes()).hexdigest()
    assert card["trained"]["families_hash"] == families_hash()
    assert card["input_hw"] == list(SIZE_HW)
    assert MODEL.stat().st_size <= 8_000_000


def test_the_card_promises_no_narrower_interval_than_it_measured(card):
    for track in ("new", "reno"):
        unseen = card["scores"]["unseen_families"][track]
        assert card["interval_pp"][track] >= unseen["project_p90_pp"] - 0.05
        assert card["zone_interval_pp"][track] >= unseen["zone_p90_pp"] - 0.05


def test_the_graph_has_the_agreed_inputs_and_outputs():
    session = onnxruntime.InferenceSession(str(MODEL), providers=["CPUExecutionProvider"])
    height, width = SIZE_HW
    inputs = {i.name: (i.type, i.shape) for i in session.get_inputs()}
    outputs = {o.name: (o.type, o.shape) for o in session.get_outputs()}
    assert inputs == {"x": ("tensor(float)", [1, 6, height, width]), "track": ("tensor(float)", [1, 2])}
    assert outputs == {
        "stage": ("tensor(float)", [1, 7, height // 4, width // 4]),
        "aux": ("tensor(float)", [1, len(AUX_CLASSES), height // 4, width // 4]),
        "quality": ("tensor(float)", [1, len(QUALITY_CLASSES)]),
    }


@pytest.mark.parametrize("track", ["new", "reno"])
def test_reaching_a_stage_is_never_likelier_than_reaching_the_one_before(judge, track):
    rng = np.random.default_rng(3)
    now, day0 = (rng.integers(0, 256, (96, 160, 3), np.uint8) for _ in range(2))
    stage, aux, quality = judge.look(now, day0, track)
    assert (np.diff(stage, axis=0) <= 1e-6).all()
    assert np.allclose(aux.sum(0), 1, atol=1e-4)
    for output in (stage, aux, quality):
        assert output.min() >= 0
        assert output.max() <= 1 + 1e-5


def test_there_are_golden_pictures_of_both_tracks():
    assert {json.loads(path.read_text(encoding="utf-8"))["track"] for path in GOLDEN} == {"new", "reno"}


@pytest.mark.parametrize("path", GOLDEN, ids=lambda p: p.stem)
def test_a_golden_picture_gives_its_percents(judge, card, path):
    case = json.loads(path.read_text(encoding="utf-8"))
    stage, aux, _ = judge.look(*pictures(path), case["track"])
    values = DEFAULT_VALUES[case["track"]]
    pooled = pool(stage, aux, case["quad"], case["floors"], case["bays"], values)
    expected = np.array(case["zone_percents"])
    assert np.abs(pooled.percent - expected).max() <= 0.5
    mean = (expected * np.array(case["weights"])).sum()
    assert mean == pytest.approx(case["true_percent"], abs=2 * card["interval_pp"][case["track"]])


@pytest.mark.parametrize("path", GOLDEN, ids=lambda p: p.stem)
def test_the_gateway_pools_as_training_does(judge, path):
    case = json.loads(path.read_text(encoding="utf-8"))
    stage, aux, _ = judge.look(*pictures(path), case["track"])
    values = DEFAULT_VALUES[case["track"]]
    ours = pool(stage, aux, case["quad"], case["floors"], case["bays"], values)
    theirs = gateway_pool(stage, aux, case["quad"], case["floors"], case["bays"], values)
    for percent, visible, reading in zip(ours.percent.ravel(), ours.visible.ravel(), theirs, strict=True):
        assert reading.visible == pytest.approx(visible, abs=0.02)
        if reading.percent is not None:
            assert reading.percent == pytest.approx(percent, abs=0.5)
