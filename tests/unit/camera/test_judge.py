"""The chain from a burst's bytes to records, with a model that reads colours."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import cv2
import msgspec
import numpy as np
import pytest

from plumbline.messages import EventCode
from plumbline_edge.camera.capture import judge
from plumbline_edge.camera.memory import Memory, config_name
from plumbline_edge.settings import FacadeSettings
from plumbline_edge.vision.calibration import Calibration

DARK_SIDE = FacadeSettings(
    name="west", quad=((0.1, 0.2), (0.4, 0.25), (0.4, 0.75), (0.1, 0.8)), floors=1, bays=2, share=0.25
)
LIGHT_SIDE = FacadeSettings(
    name="south", quad=((0.5, 0.2), (0.9, 0.2), (0.9, 0.8), (0.5, 0.8)), floors=2, bays=1, share=0.75
)


@pytest.fixture
def see(paint, model, clock):
    """Judge pictures, one a day, with one memory; a list of pictures is a burst."""

    class Eye:
        def __init__(self):
            self.memory, self.day, self.options = Memory(), 0, {}

        def __call__(self, shot, days=1, **settings):
            burst = [paint.jpeg(one) for one in (shot if isinstance(shot, list) else [shot])]
            self.day += days
            at = clock.wall() + timedelta(days=self.day)
            judged = judge(burst, at, paint.settings(**settings), lambda: model, self.memory, **self.options)
            self.memory = judged.memory
            return judged

    return Eye()


def two_sided(paint, left=60, right=210):
    wide = (0.06, 0.14, 0.94, 0.86)
    image = paint.facade(left, where=wide)
    image[:, 288:] = paint.facade(right, seed=1, where=wide)[:, 288:]
    return image


SEVERAL = {"facades": (DARK_SIDE, LIGHT_SIDE), "quad": None, "floors": None, "bays": None}


def test_each_of_several_facades_is_judged_on_its_own_canvas(see, paint, model):
    judged = see(two_sided(paint), **SEVERAL)
    progress = judged.captured.progress
    zones = {zone.id: zone for zone in progress.zones}

    assert len(model.seen) == 2
    assert list(zones) == ["west.f1b1", "west.f1b2", "south.f1b1", "south.f2b1"]
    assert zones["west.f1b1"].percent == pytest.approx(0, abs=3)
    assert zones["south.f2b1"].percent == pytest.approx(100, abs=3)
    assert progress.percent == pytest.approx(75, abs=3)
    assert (progress.quad, progress.grid) == ((), (0, 0))
    assert [(f.name, f.grid) for f in progress.facades] == [("west", (1, 2)), ("south", (2, 1))]


def test_a_person_before_one_facade_is_hidden_whatever_the_other_shows(see, paint):
    image = two_sided(paint, 150, 150)
    image[150:210, 60:120] = (120, 30, 120)
    image[150:210:4, 60:120] = image[151:210:4, 60:120] = paint.magenta
    judged = see(image, **SEVERAL)
    shown = cv2.imdecode(np.frombuffer(judged.captured.photo.jpeg, np.uint8), cv2.IMREAD_COLOR).astype(int)

    assert not ((shown[..., 0] > 200) & (shown[..., 2] > 200) & (shown[..., 1] < 110)).any()
    assert shown.std() > 3


def test_the_canvas_is_the_facade_seen_straight_on(see, paint, model):
    quad = ((0.3, 0.3), (0.7, 0.2), (0.7, 0.9), (0.3, 0.7))
    image = paint.facade(90)
    inside = np.zeros(image.shape[:2], np.uint8)
    cv2.fillConvexPoly(inside, (np.array(quad) * paint.size).round().astype(np.int32), 1)
    image = np.where(inside[..., None] > 0, paint.facade(200, seed=1, where=(0.2, 0.1, 0.8, 0.95)), image)
    judged = see(image, quad=quad, floors=3, bays=4)

    assert {round(zone.percent / 4) for zone in judged.captured.progress.zones} <= {22, 23, 24}
    assert all(zone.visible == 1 for zone in judged.captured.progress.zones)


def test_what_the_picture_ends_before_is_not_visible(see, paint):
    quad = ((-0.4, 0.2), (0.4, 0.2), (0.4, 0.8), (-0.4, 0.8))
    judged = see(paint.facade(150, where=(0, 0.15, 0.45, 0.85)), quad=quad, floors=1, bays=2)

    assert [zone.stage is None for zone in judged.captured.progress.zones] == [True, False]


def test_somebody_who_walks_through_a_burst_is_gone_from_the_picture(see, paint):
    frames = [paint.facade(150, seed=4) for _ in range(3)]
    for i, frame in enumerate(frames):
        paint.net(frame, slice(150, 250), slice(170 + 60 * i, 210 + 60 * i))
        frame[0, 0] = i  # three different files
    judged = see(frames, floors=1, bays=1)
    progress = judged.captured.progress

    assert progress.zones[0].visible == 1
    assert progress.basis.frames == 3


def test_a_spoilt_frame_of_a_burst_costs_only_itself(paint, model, clock):
    good = paint.jpeg(paint.facade(150))
    burst = [good[: len(good) // 2], good, b""]
    progress = judge(burst, clock.wall(), paint.settings(), lambda: model, Memory()).captured.progress

    assert progress.gate == ()
    assert progress.basis.frames == 1


def moved(paint, dx, dy, seed):
    """The scene from a camera that turned by so many pixels."""
    wide = paint.facade(150, seed=seed, size=(800, 520), where=(0.3, 0.28, 0.7, 0.72))
    return wide[80 + dy : 440 + dy, 80 + dx : 720 + dx]


def test_a_camera_that_moved_a_little_is_laid_back_onto_day_0(see, paint):
    first = see(moved(paint, 0, 0, seed=1))
    second = see(moved(paint, 6, 4, seed=2))
    before, after = (one.captured.progress for one in (first, second))

    assert before.shift_px is None
    assert after.gate == ()
    assert after.shift_px == pytest.approx(np.hypot(4, 6), abs=1)
    assert after.percent == pytest.approx(before.percent, abs=1)


def test_a_camera_that_moved_by_a_twentieth_of_the_width_says_nothing_but_that(see, paint):
    see(moved(paint, 0, 0, seed=1))
    captured = see(moved(paint, 32, 0, seed=2)).captured

    assert captured.progress.gate == ("MOVED",)
    assert (captured.progress.percent, captured.progress.zones, captured.photo.jpeg) == (None, (), b"")
    assert captured.progress.shift_px == pytest.approx(32, abs=2)


def test_a_regress_is_one_event_and_the_zone_follows(see, paint):
    for day in range(4):
        see(paint.facade(160, seed=day))
    low = [see(paint.facade(90, seed=10 + day)) for day in range(5)]
    events = [judged.captured.events for judged in low]

    assert [len(of_day) for of_day in events] == [0, 0, 1, 0, 0]
    assert events[2][0].code == EventCode.ZONE_REGRESS
    assert events[2][0].subject == "east"
    assert re.match(r"f1b1 6[67] to 20 %, f1b2", events[2][0].text)
    assert [all(zone.regress for zone in judged.captured.progress.zones) for judged in low] == (
        [False, False, True, True, True]
    )
    assert low[1].captured.progress.percent == pytest.approx(67, abs=2)
    assert low[1].captured.progress.low <= 21
    assert low[4].captured.progress.percent == pytest.approx(20, abs=2)


def test_a_zone_rises_no_faster_than_three_times_its_crew(see, paint):
    see(paint.facade(90), crew_rate=2.0)
    judged = see(paint.facade(200, seed=1), crew_rate=2.0)
    zone = judged.captured.progress.zones[0]

    assert zone.raw == pytest.approx(93, abs=2)
    assert zone.percent <= 20 + 6


def test_a_photo_from_the_past_says_so_and_changes_no_course(see, paint):
    see(paint.facade(150))
    before = see.memory
    judged = see(paint.facade(90, seed=1), days=-1)

    assert judged.captured.progress.gate == ("CLOCK",)
    assert judged.memory.courses == before.courses
    assert judged.memory.last_at == before.last_at


def test_a_clock_that_nobody_has_set_dates_no_photo(see, paint):
    see.options = {"clock_set": False}

    assert see(paint.facade(150)).captured.progress.gate == ("CLOCK",)


LATER = Calibration(camera="east", counter=4, model="colour-1.0.0-00000000", shifts=(2.0,) * 7)


def test_a_calibration_is_applied_and_named(see, paint):
    plain = see(paint.facade(120)).captured.progress
    see.memory, see.options = Memory(), {"calibration": LATER}
    scaled = see(paint.facade(120)).captured.progress

    assert scaled.basis.calibration == 4
    assert plain.basis.calibration == 0
    assert scaled.percent > plain.percent + 20
    assert scaled.zones[0].raw == scaled.zones[0].percent


def test_a_calibration_of_another_model_is_refused_and_nothing_is_invented(see, paint, caplog):
    see.options = {"calibration": msgspec.structs.replace(LATER, model="colour-0.9.0-00000000")}
    captured = see(paint.facade(120)).captured

    assert (captured.progress.percent, captured.progress.gate) == (None, ("CALIBRATION",))
    assert captured.photo.jpeg == b""
    assert "colour-0.9.0-00000000" in caplog.text


def test_a_sites_own_errors_make_its_intervals_from_eight_photos_on(see, paint):
    own = msgspec.structs.replace(
        LATER, shifts=(0.0,) * 7, site_scores=(1.0,) * 8, zone_scores=(2.0,) * 9,
        config=config_name(paint.settings()),
    )  # fmt: skip
    card = see(paint.facade(120)).captured.progress
    see.memory, see.options = Memory(), {"calibration": own}
    narrow = see(paint.facade(120)).captured.progress

    assert card.high - card.percent == pytest.approx(4, abs=0.02)
    assert narrow.high - narrow.percent == pytest.approx(1, abs=0.02)
    assert narrow.zones[0].high - narrow.zones[0].percent == pytest.approx(2, abs=0.02)


def test_the_zero_of_the_scale_is_what_untouched_zones_look_like(see, paint, clock):
    see.options = {"day0_until": clock.wall() + timedelta(days=3.5)}
    before = [see(paint.facade(75, seed=day)).captured.progress.percent for day in range(3)]
    after = see(paint.facade(75, seed=9)).captured.progress.percent

    assert max(before) < 4
    assert after == pytest.approx(0, abs=3)
    assert set(see.memory.day0) == {""}


def test_day_0_alone_can_be_taken_into_another_course(see, paint):
    see(paint.facade(65))
    start = see.memory.of_day0_only()

    assert (start.courses, start.last_at, start.accepted) == ({}, None, 0)
    assert start.day0
    assert replace(start, day0={}, reference=None) == Memory(zero=see.memory.zero, model=see.memory.model)


def before_the_works(see, clock, days=9):
    see.options = {"day0_until": clock.wall() + timedelta(days=days)}


@pytest.mark.parametrize("doubt", [2, 5], ids=["fog", "not a site"])
def test_a_photo_that_the_model_refuses_never_becomes_the_one_from_before_the_works(
    see, paint, clock, model, doubt
):
    before_the_works(see, clock)
    see(paint.facade(75, seed=1))
    kept = see.memory
    model.quality = [0.9 if n == doubt else 0.0 for n in range(6)]
    judged = see(paint.facade(190, seed=2))

    assert judged.captured.progress.gate
    assert not judged.new_day0
    assert np.array_equal(judged.memory.day0[""], kept.day0[""])
    assert judged.memory.zero == kept.zero


def test_a_net_before_the_whole_facade_is_not_what_was_there_before_the_works(see, paint, clock):
    before_the_works(see, clock)
    covered = paint.facade(75, seed=1)
    paint.net(covered, slice(40, 320), slice(120, 520))
    judged = see(covered)

    assert judged.captured.progress.gate == ("NOT_VISIBLE",)
    assert (judged.new_day0, judged.memory.day0) == (False, {})
    assert see(paint.facade(75, seed=2)).new_day0


def test_a_clock_that_nobody_has_set_never_shows_that_the_newest_photo_was_misdated(see, paint):
    see(paint.facade(150))
    before = see.memory
    see.options = {"clock_set": False}
    for n in range(9):
        see(paint.facade(150, seed=n + 1), days=-1)

    assert see.memory.last_at == before.last_at
    assert see.memory.courses == before.courses


def test_another_model_is_not_held_against_what_the_first_one_saw(see, paint, model):
    for day in range(4):
        see(paint.facade(200, seed=day))
    model.card = replace(model.card, version="2.0.0")
    judged = [see(paint.facade(100, seed=9 + day)) for day in range(4)]

    assert judged[0].captured.progress.percent == pytest.approx(27, abs=2)
    assert not any(one.captured.events for one in judged)
    assert see.memory.model == model.card.id


def test_with_another_model_a_hidden_zone_still_has_its_last_value(see, paint, model):
    see(paint.facade(200))
    model.card = replace(model.card, version="2.0.0")
    covered = paint.facade(200, seed=1)
    paint.net(covered, slice(40, 320), slice(120, 267))
    zone = see(covered).captured.progress.zones[0]

    assert zone.percent == pytest.approx(93, abs=2)
    assert zone.stage is None


def test_nothing_of_a_person_is_kept_to_find_day_0_again(see, paint):
    image = paint.facade(150)
    image[120:240, 250:380] = (120, 30, 120)
    image[120:240:6, 250:380] = image[121:240:6, 250:380] = paint.magenta
    points = see(image).memory.reference.points
    inside = ((points > (250, 120)) & (points < (380, 240))).all(axis=1)

    assert len(points) > 200
    assert not inside.any()


def test_a_camera_that_freezes_within_a_burst_is_found_out_at_once(see, paint):
    frames = [paint.facade(150, seed=seed) for seed in range(3)]
    see(frames)

    assert see([frames[-1]] * 3).captured.progress.gate == ("FROZEN",)


def test_a_burst_of_which_two_pictures_came_is_judged_from_one(see, paint):
    frames = [paint.facade(150, seed=seed) for seed in range(2)]

    assert see(frames).captured.progress.basis.frames == 1


def test_frames_of_a_shaken_camera_are_laid_onto_each_other_before_their_median(see, paint):
    see(moved(paint, 0, 0, seed=1))
    shaken = [moved(paint, dx, dy, seed=2) for dx, dy in ((0, 0), (5, 3), (-4, 2))]
    still = [moved(paint, 4, 2, seed=2)] * 3
    still = [np.clip(frame + n, 0, 255).astype(np.uint8) for n, frame in enumerate(still)]
    sharp = see(shaken).captured.progress
    memory, fresh = see.memory, see(still).captured.progress

    assert memory.reference is not None
    assert (sharp.basis.frames, fresh.basis.frames) == (3, 3)
    assert (sharp.gate, fresh.gate) == ((), ())
    assert fresh.shift_px == pytest.approx(np.hypot(4, 2), abs=1)
