from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from plumbline.errors import ConfigError
from plumbline.stages import DEFAULT_VALUES
from plumbline_edge.vision.golden import Golden, compare
from plumbline_edge.vision.model import Outputs

WHOLE = [[0, 0], [1, 0], [1, 1], [0, 1]]


class HalfModel:
    """Says stage 4 with certainty on the left half, nothing on the right."""

    size_hw = (32, 48)
    card = None

    def run(self, x, track):
        stage = np.zeros((7, 8, 12), np.float32)
        stage[:4, :, :6] = 1
        aux = np.zeros((9, 8, 12), np.float32)
        aux[0] = 1
        return Outputs(stage=stage, aux=aux, quality=np.zeros(6, np.float32))


def write(folder, name="new_50", **changed):
    case = {"track": "new", "floors": 1, "bays": 2, "quad": WHOLE, "zone_percents": [[58.0, 0.0]]} | changed
    (folder / f"{name}.json").write_text(json.dumps(case))
    for picture in (f"{name}_now", f"{case['track']}_day0"):
        cv2.imwrite(str(folder / f"{picture}.png"), np.zeros((32, 48, 3), np.uint8))


def test_pictures_that_come_out_as_written_differ_by_nothing(tmp_path):
    write(tmp_path)
    write(tmp_path, "reno_50", track="reno", zone_percents=[[100 * DEFAULT_VALUES["reno"][4], 0.0]])

    assert compare(HalfModel(), tmp_path) == Golden(pictures=2, worst_pp=pytest.approx(0, abs=1e-4))


def test_the_worst_zone_of_all_pictures_counts(tmp_path):
    write(tmp_path)
    write(tmp_path, "other", zone_percents=[[58.5, 0.0]])

    assert compare(HalfModel(), tmp_path).worst_pp == pytest.approx(0.5)


def test_no_pictures_are_no_proof_and_say_so(tmp_path):
    assert compare(HalfModel(), tmp_path).pictures == 0


@pytest.mark.parametrize(
    "changed", [{"track": "bridge"}, {"quad": None}, {"floors": "many"}, {"zone_percents": "x"}]
)
def test_a_faulty_case_is_a_config_error(tmp_path, changed):
    write(tmp_path, **changed)
    with pytest.raises(ConfigError):
        compare(HalfModel(), tmp_path)


def test_a_missing_picture_is_a_config_error(tmp_path):
    write(tmp_path)
    (tmp_path / "new_day0.png").unlink()
    with pytest.raises(ConfigError, match="no picture"):
        compare(HalfModel(), tmp_path)
