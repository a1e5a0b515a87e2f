from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from plumbline_edge.camera import align
from plumbline_edge.camera.baseline import Baseline
from plumbline_edge.camera.memory import LATE_PHOTOS, Memory, MemoryFile, config_name
from plumbline_edge.vision.course import Course, Day

AT = datetime(2026, 5, 1, 10, tzinfo=UTC)
MEMORY = Memory(
    accepted=2,
    last_at=AT,
    baseline=Baseline(digest="d" * 64, sharpness=(1.0, 9.0), low_inlier_days=1, low_inlier_on=AT.date()),
    courses={
        "f1b1": Course(
            level=12.5,
            at=AT,
            days=(Day(on=AT.date(), percent=12.5, weight=1.5),),
            base=10.0,
            base_on=AT.date(),
        )
    },
    zero={"f1b1": (0.2, 0.1, 0.0, 0.0, 0.0, 0.0, 0.0)},
    model="net-1.0.0-00000000",
)


def test_what_is_kept_comes_back(tmp_path, paint):
    day0 = {"south": paint.facade()[:40, :60], "gable": paint.facade(90)[:40, :60]}
    reference = align.reference(paint.facade(), None)
    MemoryFile(tmp_path, paint.settings()).save(
        replace(MEMORY, day0=day0, reference=reference), new_day0=True, new_reference=True
    )
    back = MemoryFile(tmp_path, paint.settings()).load()

    assert all(np.array_equal(back.day0[facade], day0[facade]) for facade in day0)
    assert np.array_equal(back.reference.points, reference.points)
    assert replace(back, day0={}, reference=None) == MEMORY


def test_the_only_facades_day0_lies_under_the_cameras_name(tmp_path, paint):
    MemoryFile(tmp_path, paint.settings()).save(replace(MEMORY, day0={"": paint.facade()}), new_day0=True)

    assert [path.name for path in (tmp_path / "day0").iterdir()] == ["east.png"]


def test_another_place_of_the_facade_begins_with_an_empty_memory(tmp_path, paint):
    MemoryFile(tmp_path, paint.settings()).save(MEMORY)
    moved = paint.settings(quad=((0, 0), (1, 0), (1, 1), (0, 1)))

    assert MemoryFile(tmp_path, moved).load() == Memory()


@pytest.mark.parametrize(
    "changed", [{"floors": 3}, {"bays": 4}, {"track": "reno"}, {"values": (0.0,) * 7 + (1.0,)}]
)
def test_other_zones_of_the_same_facade_forget_percents_and_keep_what_was_there_before_the_works(
    tmp_path, paint, changed
):
    """Nobody can take another photo from before the works."""
    day0 = {"": paint.facade()[:40, :60]}
    whole = replace(MEMORY, day0=day0, reference=align.reference(paint.facade(), None))
    MemoryFile(tmp_path, paint.settings()).save(whole, new_day0=True, new_reference=True)
    back = MemoryFile(tmp_path, paint.settings(**changed)).load()

    assert np.array_equal(back.day0[""], day0[""])
    assert back.reference is not None
    assert replace(back, day0={}, reference=None) == replace(MEMORY, courses={}, zero={})


def test_another_model_forgets_how_the_first_saw_untouched_zones_and_keeps_their_last_levels():
    after = MEMORY.judged_by("net-2.0.0-11111111")

    assert after.model == "net-2.0.0-11111111"
    assert after.zero == {}
    assert after.courses == {"f1b1": Course(level=12.5, at=AT)}
    assert after.baseline == MEMORY.baseline
    assert MEMORY.judged_by(MEMORY.model) is MEMORY


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"view": 3}', b'{"view":"\xff"}', b'{"x":' + b"[" * 9000, bytes(50)]
)
def test_a_damaged_file_is_an_empty_memory(tmp_path, paint, content):
    file = MemoryFile(tmp_path, paint.settings())
    file.save(MEMORY)
    (tmp_path / "cameras" / "east.json").write_bytes(content)

    assert file.load() == Memory()


def test_a_lost_day0_picture_or_reference_costs_only_itself(tmp_path, paint):
    file = MemoryFile(tmp_path, paint.settings())
    whole = replace(MEMORY, day0={"": paint.facade()}, reference=align.reference(paint.facade(), None))
    file.save(whole, new_day0=True, new_reference=True)
    (tmp_path / "day0" / "east.png").write_bytes(b"not a picture")
    (tmp_path / "cameras" / "east.reference").write_bytes(b"no features")

    assert file.load() == MEMORY


def test_new_weights_leave_the_memory_as_it_is(tmp_path, paint):
    MemoryFile(tmp_path, paint.settings()).save(MEMORY)
    weighed = paint.settings(weights=((0.5, 0.0, 0.0), (0.5, 0.0, 0.0)))

    assert MemoryFile(tmp_path, weighed).load() == MEMORY
    assert config_name(weighed) != config_name(paint.settings())


def test_one_late_photo_is_late_but_six_in_a_row_say_that_the_newest_was_misdated():
    memory, early = MEMORY, AT - timedelta(days=300)
    for _ in range(LATE_PHOTOS - 1):
        memory = memory.noticing_late(early)

    assert (memory.last_at, memory.courses) == (AT, MEMORY.courses)
    memory = memory.noticing_late(early)
    assert (memory.last_at, memory.late) == (None, 0)
    assert (memory.courses["f1b1"].level, memory.courses["f1b1"].at) == (12.5, early)
