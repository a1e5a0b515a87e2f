"""Photos with names made to deceive, folders that would eat the photos, corrections that contradict themselves."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from onnx_by_hand import stage_model_folder
from typer.testing import CliRunner

from plumbline.errors import ConfigError
from plumbline.terminal import on_one_line
from plumbline_edge.config import load_cameras
from plumbline_edge.vision import calibrate
from plumbline_edge.vision.cli import app
from plumbline_edge.vision.zones import ZoneReading

SITE = """
site = "a12"
gateway = "gw1"
state_dir = "state"
[[cameras]]
name = "east"
url = "http://127.0.0.1:8081/snapshot.jpg"
track = "new"
quad = [[0.2, 0.2], [0.8, 0.2], [0.8, 0.8], [0.2, 0.8]]
floors = 2
bays = 2
"""
NAMES = [
    "a\nphotos b.jpg  99.9 %.jpg",
    "c\x1b[2Jd.jpg",
    "\u202egpj.exe.jpg",
    "\U0001f600.jpg",
    "bad\udcff.jpg",
    "e" * 255,
]


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """A folder of hostile names beside site.toml and a model."""
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(5).integers(60, 200, (180, 320, 3), np.uint8)
    (tmp_path / "photos").mkdir()
    for name in NAMES:
        (tmp_path / "photos" / name).write_bytes(cv2.imencode(".jpg", pixels)[1].tobytes())
    (tmp_path / "site.toml").write_text(SITE)
    aux = np.zeros((9, 64, 80), np.float32)
    aux[0] = 1
    stage_model_folder(tmp_path / "model", stage=np.ones((7, 64, 80), np.float32), aux=aux)
    return tmp_path / "photos"


def run(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def test_every_photo_is_one_line_and_one_overlay_whatever_its_name(photos):
    given = [photos / name for name in NAMES]
    done = run("run", *given, "--site", "site.toml", "--model", "model", "--each", "--overlay", "seen")
    lines = done.stdout.splitlines()

    assert (done.exception, len(lines)) == (None, len(NAMES))
    assert all(" 100.0 %  (" in line for line in lines)
    assert done.stdout.replace("\n", "").isprintable()
    assert len(list(Path("seen").iterdir())) == len(NAMES)


@pytest.mark.parametrize("folder", ["photos", "./photos/", "link"])
def test_overlays_never_take_the_place_of_photos(photos, folder):
    Path("link").symlink_to("photos")
    before = {path.name: path.read_bytes() for path in photos.iterdir()}
    done = run("run", "photos", "--site", "site.toml", "--model", "model", "--each", "--overlay", folder)

    assert isinstance(done.exception, ConfigError)
    assert before == {path.name: path.read_bytes() for path in photos.iterdir()}


@pytest.mark.parametrize("name", NAMES)
def test_the_zone_page_of_any_name_is_written_and_never_over_the_photo(photos, name):
    done = run("zones", photos / name, "--out", "zones.html")

    assert done.exception is None
    assert on_one_line(name) in Path("zones.html").read_text(encoding="utf-8")
    assert isinstance(run("zones", photos / name, "--out", photos / name).exception, ConfigError)


def test_a_name_full_of_markup_is_text_on_the_zone_page(photos):
    path = photos / '"><script>alert(1)<\\script>@@PHOTO@@'
    path.write_bytes((photos / NAMES[1]).read_bytes())
    run("zones", path, "--out", "zones.html")
    page = Path("zones.html").read_text(encoding="utf-8")

    assert page.count("<script") == 1
    assert not re.search(r"(src|href)=[\"']?(https?:)?//", page)


def test_a_zone_that_is_corrected_twice_is_said(tmp_path):
    (tmp_path / "site.toml").write_text(SITE)
    (tmp_path / "c.json").write_text(
        '[{"photo": "a", "zones": [{"id": "f1b1", "stage": 1}]}, {"photo": "a.jpg", "zones": [{"id": "f1b1", "stage": 7}]}]'
    )
    seen = {"a.jpg": (ZoneReading(id="f1b1", percent=9.0, visible=1.0, stage=1, reached=(0.5,) * 7),)}
    camera = load_cameras(tmp_path / "site.toml").cameras[0]
    with pytest.raises(ConfigError, match="corrected twice"):
        list(calibrate.observed(calibrate.read_corrections(tmp_path / "c.json"), seen, camera))


def test_a_site_file_without_end_is_refused():
    with pytest.raises(ConfigError, match="more than 4 MB"):
        load_cameras(Path("/dev/zero"))
