"""From a folder of photos and five lines to percents and pictures, with the model that is shipped and the commands as typed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import cv2
import pytest

from plumbline.cli import run as plumbline
from plumbline_sim.scene.conditions import Conditions
from plumbline_sim.scene.project import Project
from plumbline_sim.scene.render import render

IMAGES = Path(__file__).parents[3] / "docs" / "images"
SIZE = (1280, 720)
DAYS = (0, 12, 24, 36, 48)


@pytest.fixture(scope="module")
def album(tmp_path_factory):
    """A new building of 60 days in five photos, and a site file as docs/photos.md shows it."""
    folder = tmp_path_factory.mktemp("album")
    project = Project.sample(11, track="new", days=60)
    for day in DAYS:
        picture = render(project, day, Conditions(hour=11, seed=day), SIZE).bgr
        cv2.imwrite(str(folder / f"2026-05-{1 + day // 2:02}_1000.jpg"), picture)
    quad = [[round(x / SIZE[0], 4), round(y / SIZE[1], 4)] for x, y in project.facade_quad(SIZE)]
    (folder / "zones.toml").write_text(
        f'[[cameras]]\ntrack = "new"\nfloors = {project.floors}\nbays = {project.bays}\nquad = {quad}\n'
    )
    return folder


def test_a_folder_of_photos_becomes_percents_and_pictures(album, tmp_path, capsys):
    seen = tmp_path / "seen"
    first = album / "2026-05-01_1000.jpg"
    asked = ["model", "run", "--site", str(album / "zones.toml"), "--day0", str(first), "--json"]
    code = plumbline([*asked, "--overlay", str(seen), str(album)])
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    known = [line for line in lines if line["percent"] is not None]

    assert code == 0
    assert [Path(line["file"]).name for line in lines] == sorted(path.name for path in album.glob("*.jpg"))
    assert len(known) >= 3
    assert all(0 <= line["low"] <= line["percent"] <= line["high"] <= 100 for line in known)
    assert known[0]["percent"] < 15 < known[-1]["percent"]
    pictures = {path.name: cv2.imread(str(path)) for path in sorted(seen.iterdir())}
    assert {Path(line["file"]).name for line in known} <= set(pictures)
    assert all(picture.shape[1] == 1592 for picture in pictures.values())
    if os.environ.get("PLUMBLINE_SCREENSHOTS"):
        (IMAGES / "overlay.jpg").write_bytes((seen / Path(known[-2]["file"]).name).read_bytes())
