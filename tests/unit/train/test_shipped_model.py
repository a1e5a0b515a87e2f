"""The committed model keeps its contract, and says today what it said when its golden pictures were made."""

from __future__ import annotations

import hashlib
import json
import tomllib
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plumbline.stages import AUX_CLASSES, QUALITY_CLASSES, TRACKS
from plumbline_edge.vision.interval import of_card
from plumbline_edge.vision.view import CANVAS_HW
from plumbline_train import onnxfile
from plumbline_train.dataset import families_hash
from plumbline_train.evaluate import Judge

FOLDER = Path(__file__).parents[3] / "models" / "stage_seg"
MODEL = FOLDER / "model.onnx"
GOLDEN = sorted((FOLDER / "golden").glob("*.json"))
MAX_BYTES = 8_000_000
MAX_MULTIPLY_ADDS = 1_000_000_000
OPSET = 17
GOLDEN_BYTES = 1_500_000
JUDGE = Judge(MODEL)


@pytest.fixture(scope="module")
def card():
    return tomllib.loads((FOLDER / "card.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def graph():
    return onnxfile.read(MODEL.read_bytes())


def looked(case, path):
    now = cv2.imread(str(path.with_name(f"{path.stem}_now.png")))
    day0 = cv2.imread(str(path.with_name(f"{case['track']}_day0.png")))
    return JUDGE.look(now, day0, case["track"])


def test_the_card_describes_this_file_and_these_families(card):
    assert card["sha256"] == hashlib.sha256(MODEL.read_bytes()).hexdigest()
    assert card["trained"]["families_hash"] == families_hash()
    assert tuple(card["input_hw"]) == CANVAS_HW == JUDGE.size_hw


def test_the_file_is_small_enough_and_quick_enough(card):
    cost = onnxfile.multiply_adds(MODEL.read_bytes())

    assert MODEL.stat().st_size <= MAX_BYTES
    assert cost <= MAX_MULTIPLY_ADDS
    assert card["multiply_adds"] == cost


def test_the_graph_is_of_opset_17_and_of_standard_operators_only(graph):
    assert graph.opsets == {"": OPSET}
    assert {node.domain for node in graph.nodes} <= {"", "ai.onnx"}


def test_every_weight_is_in_the_file_and_none_is_of_half_precision_or_quantised(graph):
    large = [w for w in graph.weights.values() if len(w.shape) > 1]

    assert large
    assert not any(w.is_external for w in graph.weights.values())
    assert {w.element for w in large} == {onnxfile.FLOAT}
    assert not {"QuantizeLinear", "DequantizeLinear", "Cast"} & {node.op for node in graph.nodes}


def test_inputs_and_outputs_are_static_and_as_agreed():
    session = onnxruntime.InferenceSession(str(MODEL), providers=["CPUExecutionProvider"])
    height, width = CANVAS_HW
    inputs = {i.name: (i.type, i.shape) for i in session.get_inputs()}
    outputs = {o.name: (o.type, o.shape) for o in session.get_outputs()}

    assert inputs == {
        "x": ("tensor(float)", [1, 6, height, width]),
        "track": ("tensor(float)", [1, len(TRACKS)]),
    }
    assert outputs == {
        "stage": ("tensor(float)", [1, 7, height // 4, width // 4]),
        "aux": ("tensor(float)", [1, len(AUX_CLASSES), height // 4, width // 4]),
        "quality": ("tensor(float)", [1, len(QUALITY_CLASSES)]),
    }


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(TRACKS), st.sampled_from([1, 4, 32]), st.booleans())
def test_reaching_a_stage_is_never_likelier_than_reaching_the_one_before(seed, track, grain, knows_day0):
    rng = np.random.default_rng(seed)
    shape = (-(-CANVAS_HW[0] // grain), -(-CANVAS_HW[1] // grain), 3)
    now, day0 = (rng.integers(0, 256, shape, np.uint8).repeat(grain, 0).repeat(grain, 1) for _ in range(2))
    outputs = JUDGE.look(now, day0 if knows_day0 else None, track)

    assert (np.diff(outputs.stage, axis=0) <= 0).all()
    assert np.allclose(outputs.aux.sum(0), 1, atol=1e-4)
    for output in (outputs.stage, outputs.aux, outputs.quality):
        assert output.min() >= 0
        assert output.max() <= 1 + 1e-5


def test_the_golden_set_is_of_both_tracks_and_small():
    assert len(GOLDEN) >= 10
    assert {json.loads(path.read_text(encoding="utf-8"))["track"] for path in GOLDEN} == set(TRACKS)
    assert sum(path.stat().st_size for path in (FOLDER / "golden").iterdir()) < GOLDEN_BYTES


@pytest.mark.parametrize("path", GOLDEN, ids=lambda p: p.stem)
def test_a_golden_picture_orders_its_stages(path):
    outputs = looked(json.loads(path.read_text(encoding="utf-8")), path)

    assert (np.diff(outputs.stage, axis=0) <= 0).all()


def test_of_the_golden_pictures_at_most_one_is_taken_for_nets_alone():
    cases = [json.loads(path.read_text(encoding="utf-8")) for path in GOLDEN]

    assert sum(np.max(case["zone_percents"]) < 0 for case in cases) <= 1


@pytest.mark.parametrize("path", GOLDEN, ids=lambda p: p.stem)
def test_a_golden_picture_lies_near_the_truth(card, path):
    case = json.loads(path.read_text(encoding="utf-8"))
    percents, weights = np.array(case["zone_percents"]), np.array(case["weights"])
    seen = percents >= 0
    if not seen.any():
        pytest.skip("the model takes the whole facade for nets")
    said = float((percents * weights)[seen].sum() / weights[seen].sum())
    widths = of_card(
        card.get("interval", {}), case["track"], site_pp=card["interval_pp"][case["track"]], zone_pp=99
    )

    assert abs(said - case["true_percent"]) <= 3 * widths.site(said, float(weights[seen].sum()), 1.0)


def test_the_card_promises_no_narrower_interval_than_holds_on_other_sites(card):
    for track in TRACKS:
        assert card["scores"]["unseen_families"][track]["coverage"] >= 0.8
