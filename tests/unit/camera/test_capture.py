from __future__ import annotations

import asyncio
import time
from datetime import timedelta

import cv2
import numpy as np
import pytest

from plumbline.clock import to_us
from plumbline.errors import ConfigError, Refused
from plumbline.messages import EventCode
from plumbline_edge.camera.capture import CameraWatch, LazyModel, photo_name, watches
from plumbline_edge.camera.sources.http import HttpSnapshot
from plumbline_edge.camera.sources.port import PhotoUnreachable
from plumbline_edge.settings import BrokerSettings, ModelSettings, SiteSettings


@pytest.fixture
def watch(server, model, paint, tmp_path):
    """A watch over the simulated camera with the real source."""

    def make(load_model=lambda: model, **changed):
        settings = paint.settings(url=server.url, **changed)
        source = HttpSnapshot(settings.url, timeout_s=settings.timeout_s)
        return CameraWatch(settings, source, load_model, tmp_path)

    return make


class Album:
    """A source that hands out bursts in order; None is a camera that is away."""

    kind = "folder"
    taken_at = None

    def __init__(self, *bursts):
        self.bursts = list(bursts)

    async def burst(self, frames, every_s):
        burst = self.bursts.pop(0)
        if burst is None:
            raise PhotoUnreachable("gone", code="CONNECT")
        return [burst] if isinstance(burst, bytes) else burst


@pytest.fixture
def album(model, paint, tmp_path):
    def make(*images, **changed):
        pictures = [None if i is None else paint.jpeg(i) for i in images]
        return CameraWatch(paint.settings(**changed), Album(*pictures), lambda: model, tmp_path)

    return make


def nothing_invented(captured, *reasons):
    progress, photo = captured.progress, captured.photo
    assert progress.gate == reasons
    assert (progress.percent, progress.low, progress.high, progress.zones) == (None, None, None, ())
    assert (photo.jpeg, photo.width_px, photo.height_px, photo.mask) == (b"", 0, 0, "")
    assert photo.photo == progress.photo


async def test_a_photo_becomes_a_percent_per_zone_and_a_masked_preview(watch, clock, server):
    captured = await watch().capture(clock.wall())
    progress, photo = captured.progress, captured.photo
    truth = server.oplog.shots[0].truth["percent"]

    assert progress.gate == ()
    assert progress.percent == pytest.approx(truth, abs=2)
    assert progress.low < progress.percent < progress.high
    assert [z.id for z in progress.zones] == ["f1b1", "f1b2", "f1b3", "f2b1", "f2b2", "f2b3"]
    assert progress.model == "colour-1.0.0-00000000"
    assert photo.photo == progress.photo == photo_name("east", clock.wall())
    assert photo.source == server.oplog.shots[0].sha256
    assert photo.mask == "mean-1 colour-1.0.0-00000000"
    image = cv2.imdecode(np.frombuffer(photo.jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert image.shape == (photo.height_px, photo.width_px, 3)


async def test_every_camera_of_a_site_gets_its_watch_in_order(paint, tmp_path):
    cameras = tuple(paint.settings(name=name) for name in ("west", "east"))
    settings = SiteSettings(
        site="a12",
        gateway="gw1",
        state_dir=str(tmp_path),
        broker=BrokerSettings(host="127.0.0.1"),
        cameras=cameras,
        model=ModelSettings(folder=str(tmp_path / "none")),
    )

    assert [(w.name, w.health().status) for w in watches(settings)] == [
        ("west", "unknown"),
        ("east", "unknown"),
    ]


async def test_weights_and_values_of_the_site_file_count(album, paint, clock):
    image = paint.facade(60)
    image[:, 267:] = paint.facade(210)[:, 267:]
    weights = ((0.5, 0.0, 0.0), (0.5, 0.0, 0.0))
    left = await album(image, weights=weights).capture(clock.wall())

    assert left.progress.percent < 10


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("hang", "TIMEOUT"),
        ("slow", "TIMEOUT"),
        ("half_jpeg", "UNREADABLE"),
        ("pixel_bomb", "TOO_LARGE"),
        ("endless", "TOO_LARGE"),
        ("wrong_content", "UNREADABLE"),
        ("not_found", "HTTP_404"),
        ("broken", "HTTP_503"),
        ("redirect", "REDIRECT"),
        ("black", "DARK"),
        ("frozen", "FROZEN"),
    ],
)
async def test_a_failing_camera_gives_a_reason_and_nothing_else(watch, clock, server, fault, reason):
    watched = watch(timeout_s=0.7)
    await watched.capture(clock.wall())
    clock.advance(3600)
    server.fault = fault
    began = time.monotonic()
    captured = await watched.capture(clock.wall())
    took = time.monotonic() - began
    server.fault = None
    clock.advance(3600)
    after = await watched.capture(clock.wall())

    nothing_invented(captured, reason)
    assert took < 3
    assert watched.health().errors == {reason: 1}
    assert after.progress.gate == ()
    assert watched.health().status == "ok"


async def test_a_camera_too_large_for_its_limit_is_refused(watch, clock):
    nothing_invented(await watch(max_megapixels=0.1).capture(clock.wall()), "TOO_LARGE")


@pytest.mark.parametrize("error", [ConfigError("no card"), Refused("wrong hash")])
async def test_without_a_model_there_is_no_percent_and_no_picture(watch, clock, error):
    def load():
        raise error

    nothing_invented(await watch(load).capture(clock.wall()), "MODEL")


async def test_a_model_that_was_missing_is_tried_again(watch, clock, tmp_path, model):
    found = iter([ConfigError("not there yet"), None])

    def load():
        if error := next(found):
            raise error
        return model

    watched = watch(load)
    first = await watched.capture(clock.wall())
    clock.advance(3600)
    second = await watched.capture(clock.wall())

    nothing_invented(first, "MODEL")
    assert second.progress.gate == ()


async def test_a_missing_model_folder_marks_the_photo(watch, clock, tmp_path):
    nothing_invented(await watch(LazyModel(tmp_path / "none")).capture(clock.wall()), "MODEL")


async def test_the_models_doubt_rejects_the_photo(watch, clock, model):
    model.quality = [0.0, 0.0, 0.9, 0.0, 0.0, 0.8]

    nothing_invented(await watch().capture(clock.wall()), "FOG_RAIN", "NOT_A_SITE")


async def test_a_mistake_of_ours_is_logged_and_costs_one_photo(watch, clock, caplog):
    def load():
        raise ZeroDivisionError

    nothing_invented(await watch(load).capture(clock.wall()), "FAULT")
    assert "ZeroDivisionError" in caplog.text


async def test_a_covered_zone_keeps_its_last_value_and_says_so(album, paint, clock):
    covered = paint.facade(140, seed=2)
    paint.net(covered, slice(40, 320), slice(120, 267))
    watched = album(paint.facade(120, seed=1), covered)
    first = await watched.capture(clock.wall())
    second = await watched.capture(clock.wall() + timedelta(days=1))
    before, now = ({z.id: z for z in c.progress.zones} for c in (first, second))

    assert now["f1b1"].percent == before["f1b1"].percent
    assert (now["f1b1"].visible, now["f1b1"].stage) == (0, None)
    assert now["f1b3"].percent > before["f1b3"].percent
    assert now["f1b3"].stage is not None
    assert second.progress.high - second.progress.low > first.progress.high - first.progress.low


async def test_a_wholly_covered_facade_has_no_percent_but_shows_the_cover(album, paint, clock):
    covered = paint.facade(140, seed=2)
    paint.net(covered, slice(40, 320), slice(120, 520))
    captured = await album(covered).capture(clock.wall())

    assert (captured.progress.percent, captured.progress.gate) == (None, ("NOT_VISIBLE",))
    assert {z.percent for z in captured.progress.zones} == {None}
    assert captured.photo.jpeg


async def test_day_0_is_taken_from_the_beginning_and_used_from_then_on(album, model, paint, clock):
    watched = album(paint.facade(65, seed=1), paint.facade(120, seed=2))
    await watched.capture(clock.wall())
    await watched.capture(clock.wall() + timedelta(days=1))

    assert not model.seen[0][0, 3:].any()
    assert model.seen[1][0, 3:, 16:32, 20:60].mean() == pytest.approx(65 / 255, abs=0.03)


async def test_a_gateway_that_comes_in_the_middle_has_no_day_0(album, model, paint, clock):
    images = [paint.facade(150, seed=i) for i in range(3)] + [paint.facade(65, seed=i) for i in range(3, 5)]
    watched = album(*images)
    for day in range(5):
        await watched.capture(clock.wall() + timedelta(days=day))

    assert not any(seen[0, 3:].any() for seen in model.seen)


async def test_a_restart_remembers_held_zones_day_0_and_the_last_picture(album, model, paint, clock):
    first = paint.facade(65, seed=1)
    await album(first).capture(clock.wall())
    again = await album(first).capture(clock.wall() + timedelta(days=1))
    covered = paint.facade(140, seed=2)
    paint.net(covered, slice(40, 320), slice(120, 267))
    third = await album(covered).capture(clock.wall() + timedelta(days=2))

    nothing_invented(again, "FROZEN")
    assert third.progress.zones[0].percent == pytest.approx(100 * 5 / 150, abs=2)
    assert model.seen[-1][0, 3:].any()


async def test_a_regress_is_said_once_though_the_gateway_restarts_every_day(album, paint, clock):
    levels = [160] * 4 + [90] * 6
    captured = [
        await album(paint.facade(level, seed=day)).capture(clock.wall() + timedelta(days=day))
        for day, level in enumerate(levels)
    ]

    assert [[event.code for event in one.events] for one in captured] == (
        [[]] * 6 + [[EventCode.ZONE_REGRESS]] + [[]] * 3
    )
    assert [all(zone.regress for zone in one.progress.zones) for one in captured] == [False] * 6 + [True] * 4


async def test_what_is_remembered_of_years_is_no_more_than_of_weeks(album, paint, clock, tmp_path):
    sizes = []
    watched = album(*(paint.facade(100 + day % 3, seed=day) for day in range(60)))
    for day in range(60):
        await watched.capture(clock.wall() + timedelta(days=7 * day))
        sizes.append((tmp_path / "cameras" / "east.json").stat().st_size)

    assert max(sizes) < sizes[29] * 1.02


class Hostile:
    """A camera whose answer trips the client in a way that nobody foresaw."""

    kind = "http"
    taken_at = None

    async def burst(self, frames, every_s):
        raise KeyError("FOO")


async def test_an_unforeseen_answer_costs_one_photo_and_nothing_else(paint, clock, tmp_path, model, caplog):
    watch = CameraWatch(paint.settings(), Hostile(), lambda: model, tmp_path)
    captured = await watch.capture(clock.wall())

    assert (captured.progress.percent, captured.progress.gate) == (None, ("FAULT",))
    assert captured.photo.jpeg == b""
    assert "could not be read" in caplog.text


async def test_a_rotten_memory_file_costs_the_memory_only(watch, clock, tmp_path):
    (tmp_path / "cameras").mkdir()
    (tmp_path / "cameras" / "east.json").write_bytes(b'{"view":"\xff"}')
    captured = await watch().capture(clock.wall())

    assert captured.progress.gate == ()


async def test_a_card_that_cannot_be_written_costs_the_memory_only(watch, clock, tmp_path, caplog):
    (tmp_path / "cameras").write_text("in the way")
    captured = await watch().capture(clock.wall())

    assert captured.progress.gate == ()
    assert "cannot be kept" in caplog.text


async def test_what_the_card_would_not_take_is_kept_with_the_next_photo(album, model, paint, clock, tmp_path):
    watched = album(paint.facade(65, seed=1), paint.facade(70, seed=2))
    (tmp_path / "cameras").write_text("in the way")
    (tmp_path / "day0").write_text("in the way")
    await watched.capture(clock.wall())
    (tmp_path / "cameras").unlink()
    (tmp_path / "day0").unlink()
    await watched.capture(clock.wall() + timedelta(days=1))
    await album(paint.facade(75, seed=3)).capture(clock.wall() + timedelta(days=2))

    assert model.seen[-1][0, 3:].any()
    assert (tmp_path / "cameras" / "east.reference").exists()


async def test_health_tells_what_happened(album, paint, clock):
    watched = album(paint.facade(seed=1), None, paint.facade(2), paint.facade(seed=3))
    seen = [watched.health().status]
    for _ in range(4):
        await watched.capture(clock.wall())
        seen.append(watched.health().status)

    assert seen == ["unknown", "ok", "silent", "degraded", "ok"]
    assert watched.health().answers == 3
    assert watched.health().errors == {"CONNECT": 1, "DARK": 1}
    assert watched.health().source == "http"
    assert watched.health().last_good_us == to_us(clock.wall())


async def test_an_outage_is_logged_twice(album, paint, clock, caplog):
    watched = album(None, None, None, paint.facade(seed=1))
    for _ in range(4):
        await watched.capture(clock.wall())

    assert [r.getMessage() for r in caplog.records if r.levelname == "WARNING"] == [
        "camera east lost: gone",
        "camera east back after 3 failures",
    ]


async def test_the_loop_stays_free_while_a_photo_is_judged(watch, clock, model):
    beats = 0
    judge = model.run

    def slow(x, track):
        time.sleep(0.3)
        return judge(x, track)

    model.run = slow

    async def beat():
        nonlocal beats
        while True:
            beats += 1
            await asyncio.sleep(0.01)

    task = asyncio.create_task(beat())
    await watch().capture(clock.wall())
    task.cancel()

    assert beats > 10


async def test_no_unmasked_picture_ever_reaches_the_disk(album, paint, clock, tmp_path):
    """A wall of magenta stripes (people) in every photo: nothing under the state folder may still show one sharply."""
    images = []
    for day in range(4):
        image = paint.facade(65 + 40 * day, seed=day)
        image[120:240:16, 200:440] = image[121:240:16, 200:440] = paint.magenta
        image[150:200, 300:340] = paint.magenta
        images.append(image)
    watched = album(*images)
    captured = [await watched.capture(clock.wall() + timedelta(days=day)) for day in range(4)]
    raws = [paint.jpeg(image) for image in images]
    files = [path for path in tmp_path.rglob("*") if path.is_file()]

    assert {path.relative_to(tmp_path).as_posix() for path in files} == {
        "cameras/east.json", "cameras/east.json.before", "cameras/east.reference", "day0/east.png",
    }  # fmt: skip
    for path in files:
        content = path.read_bytes()
        assert not any(raw[600:1100] in content for raw in raws)
    kept = cv2.imread(str(tmp_path / "day0" / "east.png")).astype(int)
    assert kept.shape == (48, 80, 3)
    for shown in (
        kept,
        *(cv2.imdecode(np.frombuffer(c.photo.jpeg, np.uint8), cv2.IMREAD_COLOR) for c in captured),
    ):
        blue, green, red = np.moveaxis(shown.astype(int), 2, 0)
        assert not ((blue > 200) & (red > 200) & (green < 110)).all(axis=None)
