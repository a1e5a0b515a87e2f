from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import pytest

from plumbline.errors import ConfigError
from plumbline.messages import Photo, Progress, ZoneProgress
from plumbline_edge.settings import CameraSettings, FacadeSettings
from plumbline_edge.vision.album import Picture
from plumbline_edge.vision.sequence import Seen
from plumbline_edge.vision.sheet import Sheets
from plumbline_edge.vision.witness import Look

QUAD = ((0.1, 0.1), (0.4, 0.1), (0.4, 0.9), (0.1, 0.9))
CAMERA = CameraSettings(
    name="corner", url="http://127.0.0.1/", track="new",
    facades=tuple(FacadeSettings(name=name, quad=QUAD, floors=1, bays=1) for name in ("street", "yard")),
)  # fmt: skip
JPEG = cv2.imencode(".jpg", np.full((90, 160, 3), 120, np.uint8))[1].tobytes()


def seen(name="a.jpg", percent=40.0, jpeg=JPEG, stage=3):
    zones = tuple(
        ZoneProgress(id=f"{facade}.f1b1", percent=percent, low=0, high=100, visible=1, stage=stage)
        for facade in ("street", "yard")
    )
    look = Look(day0=None, stage=np.ones((7, 64, 80), np.float32), aux=np.ones((9, 64, 80), np.float32))
    return Seen(
        picture=Picture(path=Path(name), at=datetime(2026, 5, 1, tzinfo=UTC)),
        progress=Progress(camera="corner", photo="p", percent=percent, low=0, high=100, zones=zones),
        photo=Photo(camera="corner", photo="p", jpeg=jpeg), looks=(look, look), why="",
    )  # fmt: skip


class Draughtsman:
    """Keeps what was to be drawn."""

    def __init__(self):
        self.asked = []

    def __call__(self, photo, progress, facades, **more):
        self.asked.append((facades, more))
        return b"drawn"


@pytest.fixture
def drawn():
    return Draughtsman()


def test_each_facade_gets_its_own_zones_and_look(tmp_path, drawn):
    Sheets(tmp_path, CAMERA, draw=drawn).write(seen())
    ((facades, more),) = drawn.asked

    assert [(f.name, [zone.id for zone in f.zones]) for f in facades] == [
        ("street", ["street.f1b1"]), ("yard", ["yard.f1b1"]),
    ]  # fmt: skip
    assert all(f.look is not None for f in facades)
    assert more["caption"] == "a.jpg    2026-05-01 00:00"


def test_a_photo_is_compared_with_the_last_one_that_was_seen(tmp_path, drawn):
    sheets = Sheets(tmp_path, CAMERA, draw=drawn)
    for one in (seen("1.jpg", 40.0), seen("2.jpg", None, stage=None), seen("3.jpg", 60.0)):
        sheets.write(one)

    assert [more["since"] for _, more in drawn.asked] == [None, 40.0, 40.0]
    assert [facades[0].before["street.f1b1"].percent for facades, _ in drawn.asked[1:]] == [40.0, 40.0]


def test_photos_judged_each_on_their_own_are_compared_with_none(tmp_path, drawn):
    sheets = Sheets(tmp_path, CAMERA, each=True, draw=drawn)
    sheets.write(seen("1.jpg", 40.0))
    sheets.write(seen("2.jpg", 60.0))

    assert [(more["since"], dict(facades[0].before)) for facades, more in drawn.asked] == [(None, {})] * 2


def test_a_photo_without_a_preview_leaves_no_file(tmp_path):
    assert Sheets(tmp_path / "seen", CAMERA).write(seen(jpeg=b"")) is None
    assert not (tmp_path / "seen").exists()


def test_a_folder_that_cannot_be_written_to_is_said(tmp_path, drawn):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="file"):
        Sheets(tmp_path / "file", CAMERA, draw=drawn).write(seen())
