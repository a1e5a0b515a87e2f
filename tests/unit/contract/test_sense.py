"""A record that nobody could store, compute or show is named; every record of a real gateway passes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plumbline import sense
from plumbline.errors import Refused
from plumbline.messages import (
    Anchor,
    Basis,
    DeviceHealth,
    Event,
    Facade,
    Frame,
    Gap,
    Health,
    Photo,
    Progress,
    Record,
    Summary,
    ZoneProgress,
)
from plumbline.topics import is_name


def record(body, **changed):
    return Record(
        **({"seq": 7, "at_us": 1, "boot": "b", "mono_us": 0, "clock": "synced", "body": body} | changed)
    )


FRAME = Frame(device="m", metrics=(1, 2), values=(3, None), flaws=((1, 100),))
PROGRESS = Progress(
    camera="east", photo="p", percent=4.0, low=1.0, high=9.0, grid=(1, 1),
    zones=(ZoneProgress(id="f1b1", percent=None, low=None, high=None, visible=0.0),),
)  # fmt: skip
HEALTH = Health(version="1", gauges={"rss_mb": 4.0}, devices=(DeviceHealth(name="m", status="ok"),))
PHOTO = Photo(camera="east", photo="p", width_px=960, height_px=540)

SUMMARY = Summary(
    device="m", metrics=(1,), frames=3, span_us=9, good=(3,), low=(1,), mean=(2,), high=(3,), newest=(3,)
)
GAP = Gap(lane="data", first=3, last=9, why="size", prev=bytes(32), head=bytes(32))
OPEN_GAP = Gap(lane="photo", first=3, last=0, why="damaged", epoch="fedc")
ANCHOR = Anchor(offset_us=-4, before="unset")


def changed(body, **fields):
    return type(body)(**({name: getattr(body, name) for name in body.__struct_fields__} | fields))


@pytest.mark.parametrize(
    "body", [FRAME, PROGRESS, HEALTH, PHOTO, Event(code="started"), SUMMARY, GAP, OPEN_GAP, ANCHOR]
)
def test_what_a_gateway_says_passes(body):
    sense.check(record(body))


@pytest.mark.parametrize("at_us", [-1, 2**62, -(2**62)])
def test_a_time_outside_the_calendar_is_named(at_us):
    with pytest.raises(Refused, match="record 7: its time"):
        sense.check(record(FRAME, at_us=at_us))


@pytest.mark.parametrize("at_us", [-1, 2**62, -(2**62)])
def test_a_clock_that_was_never_set_may_say_anything(at_us):
    sense.check(record(FRAME, at_us=at_us, clock="unset"))


@pytest.mark.parametrize(
    "body",
    [
        changed(FRAME, values=(1,)),
        changed(FRAME, values=(1, 2**63)),
        changed(FRAME, values=(1, -(2**63))),
        changed(FRAME, metrics=(1, 1)),
        changed(FRAME, flaws=((2, 100),)),
        changed(FRAME, device="m\n"),
        changed(FRAME, device='"><script>'),
        changed(PROGRESS, percent=float("nan")),
        changed(PROGRESS, quad=((float("inf"), 0.0),)),
        changed(PROGRESS, zones=(changed(PROGRESS.zones[0], visible=float("nan")),)),
        changed(PROGRESS, zones=PROGRESS.zones * 5000),
        changed(PROGRESS, zones=(changed(PROGRESS.zones[0], raw=float("nan")),)),
        changed(PROGRESS, zones=(changed(PROGRESS.zones[0], id="a.b.f1b1"),)),
        changed(PROGRESS, zones=(changed(PROGRESS.zones[0], id=".f1b1"),)),
        changed(PROGRESS, shift_px=float("inf")),
        changed(PROGRESS, basis=Basis(config="y" * 5000)),
        changed(PROGRESS, basis=Basis(config="", frames=2**63)),
        changed(PROGRESS, facades=(Facade(name="a.b", quad=(), grid=(1, 1)),)),
        changed(PROGRESS, facades=(Facade(name="a", quad=((float("nan"), 0.0),), grid=(1, 1)),)),
        changed(PROGRESS, facades=(Facade(name="a", quad=(), grid=(-1, 1)),)),
        changed(PROGRESS, facades=(Facade(name="a", quad=(), grid=(1, 1)),) * 600),
        changed(HEALTH, gauges={"waiting_data": float("inf")}),
        changed(HEALTH, counters={"x": 2**63}),
        changed(PHOTO, width_px=2**63),
        Event(code="x", text="y" * 5000),
        changed(SUMMARY, low=(1, 2)),
        changed(SUMMARY, frames=0),
        changed(SUMMARY, mean=(2**63,)),
        changed(GAP, last=2),
        changed(GAP, first=0),
        changed(GAP, head=b"short"),
        changed(GAP, epoch="no name"),
        changed(GAP, instead=(1, 2**60)),
        changed(ANCHOR, offset_us=2**63),
    ],
)
def test_what_makes_no_sense_is_named(body):
    with pytest.raises(Refused, match="record 7"):
        sense.check(record(body))


def test_zones_of_named_facades_make_sense():
    facade = Facade(name="east", quad=((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)), grid=(1, 1))
    zone = changed(PROGRESS.zones[0], id="east.f1b1", raw=3.0, regress=True)

    sense.check(record(changed(PROGRESS, quad=(), facades=(facade,), zones=(zone,), shift_px=2.5)))


def first_doubt(check, *args):
    try:
        check(*args)
    except Refused as why:
        return str(why)
    return None


VALUE = st.none() | st.sampled_from([0, -5, 2**63 - 1, 2**63, -(2**63), -(2**63) + 1])
FLAW = st.tuples(st.sampled_from([0, 1, 2, -1]), st.sampled_from([1, 100, 2**16, -1]))
CODES = st.lists(st.sampled_from([1, 2, 40, 2**16 - 1, 2**16, -1]), max_size=3).map(tuple)
SOUND = st.builds(
    Frame,
    device=st.sampled_from(["m1", "m2"]),
    metrics=st.just((1, 2)),
    values=st.tuples(st.none() | st.integers(-9, 9), st.integers(-9, 9)),
    flaws=st.sampled_from([(), ((1, 100),)]),
)
SPOILERS = {
    "device": st.sampled_from(["m1", "M", ""]),
    "metrics": CODES,
    "values": st.tuples(VALUE, VALUE) | st.lists(VALUE, max_size=3).map(tuple),
    "flaws": st.lists(FLAW, max_size=2).map(tuple),
}
DOUBTFUL = st.one_of([st.builds(changed, SOUND, **{name: spoiled}) for name, spoiled in SPOILERS.items()])
"""One field at a time: two doubts would hide each other."""
TIMES = {
    "at_us": st.sampled_from([0, 1, -1, sense.LATEST_US]),
    "mono_us": st.sampled_from([0, -5, 2**63, -(2**63)]),
}
OTHERS = st.sampled_from([PROGRESS, changed(GAP, last=2), SUMMARY])
RECORDS = (DOUBTFUL | SOUND | OTHERS).map(record) | st.builds(record, SOUND | DOUBTFUL, **TIMES)


@given(st.lists(SOUND.map(record), max_size=2), st.lists(RECORDS, max_size=3))
@settings(max_examples=500)
def test_a_batch_is_checked_as_its_records_are(sound, doubtful):
    records = [*sound, *doubtful]
    doubts = [why for one in records if (why := first_doubt(sense.check, one)) is not None]

    assert first_doubt(sense.check_all, records) == (doubts[0] if doubts else None)


def test_a_name_does_not_end_in_a_new_line():
    assert is_name("a12")
    assert not is_name("a12\n")
