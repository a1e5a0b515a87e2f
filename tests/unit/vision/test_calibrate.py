from __future__ import annotations

import hashlib
import json

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from plumbline.errors import ConfigError
from plumbline_edge.settings import CameraSettings
from plumbline_edge.vision.calibrate import (
    PhotoCorrection,
    ZoneCorrection,
    app,
    observed,
    read_corrections,
)
from plumbline_edge.vision.calibration import decoded
from plumbline_edge.vision.zones import ZoneReading

SITE = """
site = "a12"
gateway = "gw1"
state_dir = "state"
[broker]
host = "127.0.0.1"
[[cameras]]
name = "east"
url = "http://127.0.0.1:8081/snapshot.jpg"
track = "new"
quad = [[0.2, 0.2], [0.8, 0.2], [0.8, 0.8], [0.2, 0.8]]
floors = 1
bays = 2
"""
CAMERA = CameraSettings(
    name="east", url="http://x/", track="new", quad=((0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8)),
    floors=1, bays=2,
)  # fmt: skip
SEEN = ZoneReading(id="f1b1", percent=40.0, visible=0.9, stage=3, reached=(1, 1, 1, 0, 0, 0, 0))
HIDDEN = ZoneReading(id="f1b2", percent=None, visible=0.1, stage=None)


@pytest.fixture
def site(tmp_path, constant_model):
    """A site file, a model that says 70 % of everything, and nine photos."""
    stage = np.zeros((1, 7, 8, 12), np.float32)
    stage[:, :5], stage[:, 5:] = 0.9, 0.1
    outputs = {
        "stage": stage,
        "aux": np.eye(9, dtype=np.float32)[0].reshape(1, 9, 1, 1) * np.ones((1, 9, 8, 12), np.float32),
        "quality": np.zeros((1, 6), np.float32),
    }
    content = constant_model({"x": (1, 6, 32, 48), "track": (1, 2)}, outputs)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.onnx").write_bytes(content)
    (tmp_path / "model" / "card.toml").write_text(
        f'name = "tiny"\nversion = "1"\nsha256 = "{hashlib.sha256(content).hexdigest()}"\n'
        "[interval_pp]\nnew = 4\nreno = 4\n[zone_interval_pp]\nnew = 4\nreno = 4\n"
    )
    (tmp_path / "site.toml").write_text(SITE + '[model]\nfolder = "model"\n')
    rng = np.random.default_rng(5)
    still = rng.integers(10, 220, (45, 80, 1), np.uint8).repeat(8, axis=0).repeat(8, axis=1).repeat(3, axis=2)
    for day in range(1, 10):
        still[80:280, 140:500] = rng.integers(60, 200, (100, 180, 1)).repeat(2, axis=0).repeat(2, axis=1)
        cv2.imwrite(str(tmp_path / f"2026-05-0{day}.png"), still)
    return tmp_path


def calibrate(folder, corrections, *more):
    (folder / "corrections.json").write_text(json.dumps(corrections))
    photos = sorted(str(path) for path in folder.glob("2026*.png"))
    arguments = ["--site", folder / "site.toml", "--camera", "east", *more, folder / "corrections.json", *photos]
    return CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)


def corrected(photos, **zone):
    return [{"photo": f"2026-05-0{n}.png", "zones": [{"id": "f1b1", **zone}]} for n in photos]


def test_corrections_become_a_numbered_file_and_the_next_one_counts_on(site):
    first = json.loads(calibrate(site, corrected([1, 2], percent=90), "--json").stdout)
    second = json.loads(calibrate(site, corrected([1, 2, 3], percent=90), "--json").stdout)
    made = decoded((site / "site_calibration.east.json").read_bytes(), "")

    assert (first["counter"], first["photos"], first["zones"]) == (1, 2, 2)
    assert first["after_pp"] < first["before_pp"]
    assert second["counter"] == made.counter == 2
    assert (made.camera, made.model[:7]) == ("east", "tiny-1-")
    assert len(made.site_scores) == 3


def test_the_gateway_would_take_what_was_written(site):
    from plumbline_edge.config import load_site  # noqa: PLC0415

    said = calibrate(site, corrected(range(1, 9), stage=6)).stdout
    named = (site / "site.toml").read_text().replace("floors = 1", 'floors = 1\ncalibration = "site_calibration.east.json"')
    (site / "site.toml").write_text(named)
    (camera,) = load_site(site / "site.toml").cameras

    assert "number 1 from 8 zones of 8 photos" in said
    assert "intervals stay" not in said
    assert camera.calibration == str(site / "site_calibration.east.json")


def test_a_stage_is_its_value_and_a_hidden_zone_teaches_nothing():
    zones = (ZoneCorrection(id="f1b1", stage=4), ZoneCorrection(id="f1b2", percent=10.0))
    (one,) = observed([PhotoCorrection(photo="a", zones=zones)], {"p/a.jpg": (SEEN, HIDDEN)}, CAMERA)

    assert one.percent == pytest.approx(58)
    assert (one.photo, one.reached, one.weight) == ("p/a.jpg", SEEN.reached, 0.5)


def test_a_percent_of_nought_is_a_correction_too():
    zones = (ZoneCorrection(id="f1b1", percent=0.0),)
    (one,) = observed([PhotoCorrection(photo="a.jpg", zones=zones)], {"a.jpg": (SEEN,)}, CAMERA)

    assert one.percent == 0


@pytest.mark.parametrize(
    ("photo", "zone", "said"), [("b", "f1b1", "no such photo"), ("a", "f9b9", "no zone 'f9b9'")]
)
def test_a_photo_or_zone_that_there_is_none_of_is_named(photo, zone, said):
    said_of = [PhotoCorrection(photo=photo, zones=(ZoneCorrection(id=zone, stage=1),))]

    with pytest.raises(ConfigError, match=said):
        list(observed(said_of, {"a.jpg": (SEEN,)}, CAMERA))


@pytest.mark.parametrize(
    "content",
    [
        "", "{}", "[1]", '[{"photo": "a"}]', '[{"photo": "a", "zones": [{"id": "f1b1"}]}]',
        '[{"photo": "a", "zones": [{"id": "f1b1", "stage": 8}]}]',
        '[{"photo": "a", "zones": [{"id": "f1b1", "percent": 101}]}]',
        '[{"photo": "a", "zones": [{"id": "f1b1", "stage": 1, "percent": 4}]}]',
        '[{"photo": "a", "zones": [{"id": "f1b1", "stge": 1}]}]',
    ],
)  # fmt: skip
def test_what_is_no_correction_is_refused_with_an_example(tmp_path, content):
    path = tmp_path / "corrections.json"
    path.write_text(content)

    with pytest.raises(ConfigError, match=r"corrections\.json") as refused:
        read_corrections(path)
    assert "f1b1" in refused.value.hint


def test_corrections_of_nothing_that_was_seen_make_no_file(site):
    with pytest.raises(ConfigError, match="none of its zones"):
        calibrate(site, [])

    assert not (site / "site_calibration.east.json").exists()
