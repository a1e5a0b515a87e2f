"""The photos that come with the package are those the demo's camera takes, of the works as they stood."""

from __future__ import annotations

import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest
from hatchling.builders.wheel import WheelBuilder

from plumbline.errors import MissingExtra, Unreachable
from plumbline.stages import TRACKS
from plumbline_sim import drawing
from plumbline_sim.camera import PackSource, SceneSource, prove_drawable, source_of
from plumbline_sim.demo import packs
from plumbline_sim.demo.cli import _prove_photos
from plumbline_sim.demo.stage import PHOTO_HOURS, SEEDS, ZONE, sample_project
from plumbline_sim.scene.pack import find_pack, write_pack

BEGIN = datetime(2026, 3, 2, tzinfo=ZONE).astimezone(UTC)


def pixels(jpeg):
    return np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR), np.int16)


@pytest.fixture(params=TRACKS)
def project(request):
    return sample_project(SEEDS[request.param], request.param, 60)


@pytest.fixture
def no_moderngl(monkeypatch):
    def jpeg_of(*_):
        raise MissingExtra("drawing scenes", "sim", "moderngl")

    monkeypatch.setattr(drawing, "jpeg_of", jpeg_of)


def test_both_packs_are_there_and_small_enough_to_ship():
    paths = [find_pack(SEEDS[track], track).path for track in TRACKS]

    assert sum(path.stat().st_size for path in paths) <= 7_500_000


def test_the_wheel_carries_them():
    builder = WheelBuilder(str(Path(__file__).parents[3]))
    carried = {file.distribution_path for file in builder.recurse_included_files()}

    assert {f"plumbline_sim/packs/{track}-{SEEDS[track]}.zip" for track in TRACKS} <= carried


def test_a_pack_holds_every_photo_of_the_schedule_whole(project):
    pack = find_pack(project.seed, project.track)
    with zipfile.ZipFile(pack.path) as archive:
        sizes = {pixels(archive.read(name)).shape for name in archive.namelist() if name.endswith(".jpg")}

    assert pack.shares == pytest.approx(packs.shares(), abs=1e-9)
    assert sizes == {(360, 640, 3)}


@pytest.mark.parametrize("days", [24, 60, 100])
def test_a_photo_shows_the_works_as_they_are_at_its_time(project, days):
    project = sample_project(project.seed, project.track, days)
    source = source_of(project, begin=BEGIN)
    off = [
        project.percent(day + hour / 24)
        - source.picture(BEGIN + timedelta(days=day, hours=hour)).truth["percent"]
        for day in range(0, days, 4)
        for hour in PHOTO_HOURS
    ]

    assert isinstance(source, PackSource)
    assert max(map(abs, off)) < (0.01 if days == 60 else 2)


def test_before_the_works_begin_the_camera_shows_day_0_and_never_the_same_bytes_twice(project):
    source = source_of(project, begin=BEGIN)
    early, earlier = (source.picture(BEGIN - timedelta(hours=hours)) for hours in (5, 29))

    assert early.truth["percent"] == earlier.truth["percent"] == 0
    assert early.jpeg != earlier.jpeg
    assert np.abs(pixels(early.jpeg) - pixels(earlier.jpeg)).mean() < 2


@pytest.mark.parametrize("number", [0, 40, 90])
def test_the_packs_are_of_today_s_renderer(project, number):
    share = packs.shares()[number]
    _, kept = find_pack(project.seed, project.track).at(share)

    assert np.abs(pixels(kept) - pixels(packs.photo(project, share))).mean() < 1, "make pack"


def test_the_same_photos_make_the_same_pack(tmp_path):
    def written(name):
        path = tmp_path / name
        write_pack(path, seed=1, track="new", size=(2, 2), shares=[0, 0.5], jpeg_at=lambda at: b"%f" % at)
        return path.read_bytes()

    assert written("a.zip") == written("b.zip")


def test_the_demo_s_own_projects_need_no_opengl(project, no_moderngl):
    _prove_photos(project)
    picture = source_of(project, begin=BEGIN).picture(BEGIN + timedelta(days=30))

    assert pixels(picture.jpeg).shape == (360, 640, 3)


def test_another_project_without_moderngl_is_one_sentence_that_says_what_to_do(no_moderngl):
    with pytest.raises(MissingExtra, match="`plumbline demo --seed 5` needs the `sim` extra") as missing:
        _prove_photos(sample_project(5, "new", 20))

    assert "pip install moderngl" in missing.value.hint
    assert "leave --seed out" in missing.value.hint


def test_another_project_without_egl_is_unreachable(monkeypatch):
    def jpeg_of(*_):
        raise Unreachable("no OpenGL without a screen: no EGL", hint="Install Mesa's")

    monkeypatch.setattr(drawing, "jpeg_of", jpeg_of)
    with pytest.raises(Unreachable, match="no OpenGL") as away:
        prove_drawable(sample_project(5, "new", 20), command="demo", otherwise="; or else")

    assert away.value.hint == "Install Mesa's; or else."


def test_another_project_is_drawn():
    assert isinstance(source_of(sample_project(5, "new", 20), begin=BEGIN), SceneSource)
