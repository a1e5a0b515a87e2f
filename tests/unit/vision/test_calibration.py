from __future__ import annotations

from itertools import pairwise

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plumbline.errors import ConfigError, Refused
from plumbline.stages import DEFAULT_VALUES
from plumbline_edge.vision.calibration import (
    IDENTITY,
    Calibration,
    Fit,
    Observation,
    calibrated,
    checked,
    decoded,
    fit,
    reached_after,
    site_widths,
)
from plumbline_edge.vision.interval import Widths
from plumbline_edge.vision.zones import ZoneReading, percent_of

VALUES = DEFAULT_VALUES["new"]
WIDTHS = Widths(site_pp=(5.0,), zone_pp=(9.0,), doubt_weight=0.5)
falling = st.lists(st.floats(0, 1), min_size=7, max_size=7).map(lambda p: tuple(sorted(p, reverse=True)))
calibrations = st.builds(
    Calibration,
    temperature=st.floats(0.3, 4),
    shifts=st.lists(st.floats(-3, 3), min_size=7, max_size=7).map(tuple),
)


def observation(reached, percent, photo="p1", weight=0.1):
    return Observation(
        photo=photo, reached=reached, visible=0.9, weight=weight, percent=percent, values=VALUES
    )


observations = st.lists(
    st.builds(observation, falling, st.floats(0, 100), st.sampled_from(["p1", "p2", "p3"])),
    min_size=1,
    max_size=10,
)


def as_calibration(found):
    return Calibration(temperature=found.temperature, shifts=found.shifts)


def off(seen, calibration=IDENTITY):
    judged = [percent_of(reached_after(calibration, one.reached), one.values) for one in seen]
    return float(np.mean([(a - one.percent) ** 2 for a, one in zip(judged, seen, strict=True)]))


def test_without_corrections_nothing_changes():
    assert fit([], WIDTHS) == Fit()
    assert as_calibration(fit([], WIDTHS)).is_identity


@given(falling)
def test_corrections_that_agree_with_the_model_change_nothing(reached):
    found = fit([observation(reached, percent_of(reached, VALUES))], WIDTHS)

    assert found.temperature == pytest.approx(1, abs=1e-3)
    assert found.shifts == pytest.approx([0] * 7, abs=1e-3)


@settings(deadline=None, max_examples=60)
@given(observations)
def test_whatever_is_corrected_the_corrected_zones_get_no_worse(seen):
    found = fit(seen, WIDTHS)

    assert off(seen, as_calibration(found)) <= off(seen) + 1e-4
    assert found.after_pp <= found.before_pp + 1e-6
    assert len(found.zone_scores) == len(seen)
    assert len(found.site_scores) == found.photos == len({one.photo for one in seen})


@given(calibrations, falling, falling)
def test_a_calibrated_zone_falls_from_stage_to_stage_and_keeps_its_order(calibration, one, other):
    lower = tuple(min(a, b) for a, b in zip(one, other, strict=True))
    low, high = reached_after(calibration, lower), reached_after(calibration, one)

    assert all(0 <= b <= a <= 1 for a, b in pairwise(high))
    assert all(a <= b + 1e-12 for a, b in zip(low, high, strict=True))
    assert percent_of(low, VALUES) <= percent_of(high, VALUES) + 1e-9


def test_a_model_that_is_always_late_by_the_same_is_mostly_mended_by_eight_photos():
    rng = np.random.default_rng(5)
    wrong = Calibration(temperature=1.3, shifts=(0.8,) * 7)
    seen, fresh = [], []
    for photo in range(16):
        for _ in range(6):
            reached = tuple(np.sort(1 / (1 + np.exp(-rng.normal(0, 2.5, 7))))[::-1].tolist())
            truth = percent_of(reached_after(wrong, reached), VALUES)
            (seen if photo < 8 else fresh).append(observation(reached, truth, f"p{photo}"))
    found = as_calibration(fit(seen, WIDTHS))

    assert off(fresh, found) < 0.15 * off(fresh)


def test_the_identity_leaves_readings_as_they_are_and_hidden_zones_are_left_alone():
    reading = ZoneReading(id="f1b1", percent=40.0, visible=1.0, stage=3, reached=(1, 1, 1, 0, 0, 0, 0))
    hidden = ZoneReading(id="f1b2", percent=None, visible=0.1, stage=None)
    later = Calibration(counter=1, shifts=(0, 0, 0, 30, 0, 0, 0))
    got = calibrated([reading, hidden], later, {"f1b1": VALUES, "f1b2": VALUES})

    assert calibrated([reading, hidden], IDENTITY, {}) == (reading, hidden)
    assert got[0].stage == 4
    assert got[0].percent == pytest.approx(58, abs=0.1)
    assert got[1] == hidden


GOOD = Calibration(camera="east", counter=3, model="m-1", config="c", temperature=1.2, site_scores=(1.0,) * 8)


def test_what_is_written_is_what_is_read():
    assert decoded(msgspec.json.encode(GOOD), "file") == GOOD


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{",
        b'{"temperature": "warm"}',
        b'{"x":' + b"[" * 9000,
        b"\xff\xfe",
        b'{"surprise": 1}',
        *(
            msgspec.json.encode(msgspec.structs.replace(GOOD, **change))
            for change in (
                {"version": 2},
                {"counter": 0},
                {"temperature": 0.0},
                {"temperature": 1e6},
                {"shifts": (0.0,) * 6},
                {"shifts": (99.0,) * 7},
            )
        ),
    ],
)
def test_a_file_that_nobody_fitted_is_refused(content):
    with pytest.raises(ConfigError, match=r"east\.json: not a calibration"):
        decoded(content, "east.json")


@pytest.mark.parametrize(("camera", "model"), [("west", "m-1"), ("east", "m-2")])
def test_a_calibration_of_another_camera_or_model_is_refused_by_name(camera, model):
    with pytest.raises(Refused, match="of camera 'east' and model m-1") as refused:
        checked(GOOD, camera, model)

    assert "plumbline model calibrate" in refused.value.hint
    assert checked(GOOD, "east", "m-1") is GOOD
    assert checked(IDENTITY, "anything", "at all") is IDENTITY


def test_errors_of_other_zones_do_not_make_intervals():
    own = msgspec.structs.replace(GOOD, zone_scores=(2.0,) * 9)

    assert site_widths(own, WIDTHS, "other zones") is WIDTHS
    assert site_widths(own, WIDTHS, "c") == Widths(site_pp=(1.0,), zone_pp=(2.0,), doubt_weight=0.5)
