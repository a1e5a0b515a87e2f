"""What a meter refuses is found out, remembered, and never costs what it does answer."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meter_wire import MemoryBus

from plumbline.errors import Refused, Unreachable
from plumbline.metrics import BY_CODE, Flaw
from plumbline_edge.meters.modbus.learn import Learned
from plumbline_edge.meters.modbus.plan import Span
from plumbline_edge.meters.modbus.reader import ModbusReader
from plumbline_edge.meters.poll import Meter
from plumbline_edge.meters.profiles.file import find_profile
from plumbline_edge.meters.reader import Miss
from plumbline_edge.meters.remembered import Known, Remembered, family_of
from plumbline_edge.meters.wire.failure import BusFailure, ExceptionAnswer

SDM630 = find_profile("eastron_sdm630")


class Strict(MemoryBus):
    """A meter that refuses, or says nothing to, any read that touches an address of `holes` or is too long."""

    def __init__(self, holes=(), *, longest=125, silent=False):
        super().__init__()
        self.holes = set(holes)
        self.longest = longest
        self.silent = silent

    async def ask(self, question, pace, *, quiet_s=0.0, most_s=None):
        span = question._span
        self.asked.append(span)
        if span.count > self.longest or self.holes & set(range(span.start, span.end)):
            raise BusFailure("", kind="timeout") if self.silent else ExceptionAnswer("no", code=2)
        return bytes(2 * span.count)


def meter_on(bus, clock, remembered=None):
    return Meter(
        name="m", profile=SDM630, unit=1, bus=bus, every_s=10, clock=clock, remembered=remembered, rng=random.Random(1)
    )  # fmt: skip


def missing(frame):
    return {BY_CODE[frame.metrics[i]].name for i, flaw in frame.flaws if flaw >= Flaw.SENTINEL}


async def polled(meter, times):
    frame = None
    for _ in range(times):
        try:
            frame = await meter.poll()
        except Refused:
            continue
    return frame


async def test_a_hole_that_cannot_be_read_across_is_found_and_costs_no_value(clock):
    meter = meter_on(Strict(holes=[40]), clock)
    first = await meter.poll()
    frame = await polled(meter, 10)

    assert missing(first)
    assert missing(frame) == set()
    assert not any(span.start <= 40 < span.end for span in meter.spans)


async def test_a_register_that_is_refused_alone_is_left_out_and_said_to_be_missing(clock):
    hole = SDM630.register("thd_voltage_l1").address
    meter = meter_on(Strict(holes=[hole]), clock)
    frame = await polled(meter, 30)

    assert missing(frame) == {"thd_voltage_l1"}
    assert not any(span.start <= hole < span.end for span in meter.spans)
    assert [flaw for _, flaw in frame.flaws if flaw >= Flaw.SENTINEL] == [Flaw.EXCEPTION]


@pytest.mark.parametrize("silent", [False, True], ids=["refuses", "says nothing"])
async def test_reads_that_are_too_long_for_this_one_are_cut_until_it_answers(clock, silent):
    bus = Strict(longest=40, silent=silent)
    meter = meter_on(bus, clock)
    meter._reader.learned = Learned(barriers=frozenset({12}))  # its first read is answered: it is there
    meter._reader._plan()
    frame = await polled(meter, 60)

    assert missing(frame) == set()
    assert all(span.count <= 40 for span in meter.spans)


async def test_what_was_learned_is_known_after_a_restart_and_forgotten_with_another_profile(clock, tmp_path):
    path = tmp_path / "meters.json"
    await polled(meter_on(Strict(holes=[40]), clock, Remembered(path)), 10)
    again = meter_on(Strict(holes=[40]), clock, Remembered(path))
    frame = await again.poll()

    assert missing(frame) == set()
    other = Meter(
        name="m", profile=find_profile("abb_b23"), unit=1, bus=MemoryBus(), every_s=10, clock=clock,
        remembered=Remembered(path),
    )  # fmt: skip
    assert not other._reader.has_learned


async def test_a_passing_refusal_teaches_nothing(clock):
    bus = MemoryBus({200: ExceptionAnswer("busy", code=6)})
    meter = meter_on(bus, clock)
    await polled(meter, 10)

    assert not meter._reader.has_learned


async def test_a_meter_that_refuses_everything_is_still_asked_for_its_probe(clock):
    bus = Strict(longest=0)
    meter = meter_on(bus, clock)
    await polled(meter, 200)

    assert [span.start for span in meter.spans] == [SDM630.register(SDM630.probe).address]


async def test_after_a_week_the_profile_is_believed_again(clock):
    bus = Strict(holes=[40])
    meter = meter_on(bus, clock)
    await polled(meter, 10)
    bus.holes = set()
    clock.advance(8 * 86_400)
    await polled(meter, 2)

    assert not meter._reader.has_learned
    assert len(meter.spans) == 3


@given(holes=st.sets(st.integers(0, 360), max_size=6))
def test_whatever_is_refused_the_plan_comes_to_rest_and_reads_all_that_can_be_read(holes):
    reader = ModbusReader(SDM630, 1, "tcp", max_gap=31)

    def answer(span):
        refused = holes & set(range(span.start, span.end))
        return Miss(flaw=Flaw.EXCEPTION, code=2) if refused else bytes(2 * span.count)

    polls = 0
    while any(isinstance(answer(span), Miss) for span in reader.spans) and polls < 400:
        reader.learn([answer(span) for span in reader.spans])
        polls += 1
    probe = SDM630.register(SDM630.probe)
    readable = {r.address for r in SDM630.registers if not holes & set(range(r.address, r.end))}

    asked = {r.address for r in SDM630.registers for s in reader.spans if s.start <= r.address < s.end}
    assert readable <= asked
    assert asked - readable <= {probe.address}


def test_a_remembered_file_that_is_damaged_is_as_good_as_none(tmp_path):
    path = tmp_path / "meters.json"
    for rubbish in (b"", b"{", b'{"m": 3}', b"\xff" * 100, b'{"m": {"barriers": ["x"]}}'):
        path.write_bytes(rubbish)

        assert Remembered(path).of("m").family == ""


def test_cutting_a_span_never_cuts_a_register():
    reader = ModbusReader(SDM630, 1, "rtu", max_gap=7)
    for _ in range(100):
        reader.learn([Miss(flaw=Flaw.EXCEPTION, code=2)] * len(reader.spans))

        assert all(
            any(Span(r.address, r.end).start >= s.start and r.end <= s.end for s in reader.spans)
            or r.address in reader.learned.refused
            for r in SDM630.registers
        )


async def test_a_line_that_loses_every_third_answer_teaches_nothing(clock):
    lost = random.Random(5)

    class Lossy(MemoryBus):
        async def ask(self, question, pace, *, quiet_s=0.0, most_s=None):
            if lost.random() < 1 / 3:
                raise BusFailure("", kind="timeout")
            return bytes(question.answer_bytes - 9)

    meter = meter_on(Lossy(), clock)
    for _ in range(2000):
        try:
            await meter.poll()
        except Unreachable:
            continue

    assert not meter._reader.has_learned


async def test_a_meter_that_refused_everything_until_it_was_ready_is_believed_again(clock, tmp_path):
    bus = Strict(longest=0)
    meter = meter_on(bus, clock, Remembered(tmp_path / "meters.json"))
    await polled(meter, 100)
    bus.longest = 125
    frame = await polled(meter, 2)

    assert missing(frame) == set()
    assert len(meter.spans) == 3
    assert not meter_on(bus, clock, Remembered(tmp_path / "meters.json"))._reader.has_learned


async def test_a_passing_refusal_of_what_was_answered_before_teaches_nothing(clock):
    bus = Strict()
    meter = meter_on(bus, clock)
    await polled(meter, 3)
    bus.holes = {200, 346}
    await polled(meter, 20)
    bus.holes = set()
    frame = await polled(meter, 1)

    assert missing(frame) == set()
    assert len(meter.spans) == 3


ADDRESSES = frozenset(r.address for r in SDM630.registers)


@given(
    barriers=st.frozensets(st.integers(-3, 400) | st.integers()),
    refused=st.frozensets(st.sampled_from(sorted(ADDRESSES)) | st.integers()) | st.just(ADDRESSES),
)
def test_whatever_a_damaged_file_says_was_learned_the_meter_is_asked_for_its_probe(barriers, refused):
    reader = ModbusReader(SDM630, 1, "tcp", max_gap=31, learned=Learned(barriers=barriers, refused=refused))
    probe = SDM630.register(SDM630.probe).address
    values, _ = reader.decode([bytes(2 * span.count) for span in reader.spans])

    assert reader.spans[0].start <= probe < reader.spans[0].end
    assert len(values) == len(SDM630.registers)


@pytest.mark.parametrize(
    "damaged",
    [
        b'{"main":{"serial_number":"\xff\xfe"}}',
        b'{"ma\xff":{}}',
        b'{"main":' * 1000,
        b'{"main":{"x":' + b"[" * 5000 + b"]" * 5000 + b"}}",
        b'{"main":{"base":90069}}',
        b'{"main":{"serial_number":"\\u001b[31mM\\n"}}',
    ],
    ids=[
        "no UTF-8",
        "a name that is no UTF-8",
        "deep",
        "deep within",
        "beyond all registers",
        "escape codes",
    ],
)
def test_whatever_a_bad_card_made_of_the_remembered_file_no_gateway_fails_to_start(tmp_path, damaged):
    path = tmp_path / "meters.json"
    path.write_bytes(damaged)

    assert Remembered(path).of("main") == Known()


def test_a_remembered_place_that_leaves_no_room_for_the_model_is_looked_for_again(clock):
    profile = find_profile("sunspec_int")
    remembered = Remembered(None)
    remembered.keep("main", Known(family=family_of(profile), base=65_500))

    meter = Meter(
        name="main", profile=profile, unit=1, bus=MemoryBus(), every_s=10, clock=clock, remembered=remembered
    )

    assert meter.spans == ()


async def test_a_meter_that_refused_everything_for_a_while_has_lost_no_value_when_it_is_itself_again(clock):
    every = range(1 << 16)
    bus = Strict(every)
    meter = meter_on(bus, clock)
    await polled(meter, 200)
    bus.holes.clear()

    assert missing(await polled(meter, 1)) == set()
