from __future__ import annotations

import hashlib
import json

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from plumbline.errors import ConfigError
from plumbline_edge.vision.cli import app

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
floors = 2
bays = 2
"""


@pytest.fixture
def folder(tmp_path, constant_model):
    """A model that says 100 % of everything."""
    outputs = {
        "stage": np.ones((1, 7, 8, 12), np.float32),
        "aux": np.eye(9, dtype=np.float32)[0].reshape(1, 9, 1, 1) * np.ones((1, 9, 8, 12), np.float32),
        "quality": np.zeros((1, 6), np.float32),
    }
    content = constant_model({"x": (1, 6, 32, 48), "track": (1, 2)}, outputs)
    where = tmp_path / "model"
    where.mkdir()
    (where / "model.onnx").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    (where / "card.toml").write_text(
        f'name = "tiny"\nversion = "1"\nsha256 = "{digest}"\n[interval_pp]\nnew = 4\nreno = 4\n[zone_interval_pp]\nnew = 4\nreno = 4\n[scores.unseen]\nmae = 2.5\n'
    )
    return where


@pytest.fixture
def site(tmp_path):
    path = tmp_path / "site.toml"
    path.write_text(SITE)
    return path


@pytest.fixture
def photos(tmp_path):
    rng = np.random.default_rng(5)
    good = rng.integers(60, 200, (180, 320, 3), np.uint8)
    paths = [tmp_path / "2026-05-01_1000.jpg", tmp_path / "2026-05-02_1000.jpg", tmp_path / "notes.jpg"]
    cv2.imwrite(str(paths[0]), good)
    cv2.imwrite(str(paths[1]), np.zeros_like(good))
    paths[2].write_text("not a picture")
    return [str(path) for path in paths]


def run(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)


def test_run_prints_one_line_a_photo_with_percent_or_reason(folder, site, photos, tmp_path):
    seen = tmp_path / "seen"
    result = run(
        "run", "--site", site, "--camera", "east", "--model", folder, "--json", "--overlay", seen, *photos
    )
    lines = [json.loads(line) for line in result.stdout.splitlines()]

    assert [line["file"] for line in lines] == photos
    assert [line["gate"] for line in lines] == [[], ["DARK"], ["UNREADABLE"]]
    assert [line["percent"] for line in lines] == [100, None, None]
    assert lines[0]["at"] == "2026-05-01T10:00:00+08:00"
    assert set(lines[0]) == {"file", "at", "percent", "low", "high", "gate", "shift_px", "zones"}
    assert lines[0]["zones"][0] == {
        "id": "f1b1", "percent": 100, "low": 96, "high": 100, "visible": 1, "stage": 7,
    }  # fmt: skip
    assert lines[1]["zones"] == []
    assert [path.name for path in seen.iterdir()] == ["2026-05-01_1000.jpg"]


def test_run_leaves_the_gateways_memory_alone(folder, site, photos, tmp_path):
    run("run", "--site", site, "--camera", "east", "--model", folder, *photos)

    assert not (tmp_path / "state").exists()


def test_run_names_the_cameras_there_are(folder, site, photos):
    with pytest.raises(ConfigError, match="no camera 'west'") as wrong:
        run("run", "--site", site, "--camera", "west", "--model", folder, *photos)

    assert "east" in wrong.value.hint


def test_run_without_a_model_ends_at_once(site, photos, tmp_path):
    with pytest.raises(ConfigError, match=r"card\.toml"):
        run("run", "--site", site, "--camera", "east", "--model", tmp_path / "none", *photos)


def test_card_and_check_tell_what_the_model_is(folder):
    assert "  unseen\n    mae: 2.5" in run("card", "--model", folder).stdout
    assert json.loads(run("card", "--model", folder, "--json").stdout)["version"] == "1"
    assert "0 golden pictures" in run("check", "--model", folder).stdout
    assert json.loads(run("check", "--model", folder, "--json").stdout)["size_hw"] == [32, 48]
