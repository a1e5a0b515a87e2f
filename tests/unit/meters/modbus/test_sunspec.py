import random
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from meter_wire import MemoryBus, read

from plumbline.errors import Refused, Unreachable
from plumbline.metrics import BY_CODE
from plumbline_edge.meters.modbus.locate import locate
from plumbline_edge.meters.modbus.plan import Span
from plumbline_edge.meters.modbus.sunspec import BEGINNINGS, MOST_READS, Found, discover
from plumbline_edge.meters.poll import Meter
from plumbline_edge.meters.profiles.file import find_profile
from plumbline_edge.meters.remembered import Known, Remembered, family_of
from plumbline_edge.meters.wire.bus import tcp_bus
from plumbline_edge.meters.wire.failure import BusFailure, ExceptionAnswer
from plumbline_edge.meters.wire.pace import Pace
from plumbline_sim.meter.load import SiteLoad
from plumbline_sim.meter.oplog import OpLog
from plumbline_sim.meter.server import Fault, MeterServer, SimulatedMeter
from plumbline_sim.meter.sunspec import SunSpecLayout

INT, FLOAT = find_profile("sunspec_int"), find_profile("sunspec_float")
MODELS = [(INT, model) for model in INT.models] + [(FLOAT, model) for model in FLOAT.models]


def walk(profile, answer):
    """Discovery with `answer(start, count)` in the device's place; also gives the reads that it took."""
    steps, reads = discover(profile), []
    try:
        read = next(steps)
        while True:
            reads.append(read)
            read = steps.send(answer(*read[1:]))
    except StopIteration as end:
        return end.value, reads
    except Refused as no:
        return no, reads


def device(chain, base=40_000):
    """Answers like a device whose list is `chain`, (id, length) each; further words are zero."""
    words = [*struct.unpack(">2H", b"SunS")]
    for model, length in chain:
        words += [model, length, *[0] * length]

    def answer(start, count):
        if start < base or start + count > base + len(words):
            return None
        return struct.pack(f">{count}H", *words[start - base : start - base + count])

    return answer


@pytest.fixture
def simulated(clock):
    """A simulated SunSpec device on a port of its own, a bus to it, and the log of what it said."""

    def simulated(profile, **layout):
        meter = SimulatedMeter(
            name="main", unit=7, profile=profile, sunspec=SunSpecLayout(**layout),
            source=SiteLoad("main", seed=5, since=clock.wall().date()),
        )  # fmt: skip
        log = OpLog()
        return MeterServer([meter], clock=clock, oplog=log), log

    return simulated


async def found_by(bus, profile, *, timeout_s=0.5):
    return await locate(lambda question: bus.once(question, Pace(timeout_s)), 7, profile, bus.framing)


@pytest.mark.parametrize("base", BEGINNINGS)
@pytest.mark.parametrize(("profile", "model"), MODELS, ids=lambda value: str(getattr(value, "name", value)))
async def test_each_model_is_found_and_read_back_value_by_value(simulated, clock, profile, model, base):
    layout = {
        "base": base,
        "model": model,
        "maker": "ACME",
        "device": "X1",
        "version": "2.3",
        "serial": "00042",
    }
    server, log = simulated(profile, between=((103, 50),), **layout)
    async with server, tcp_bus("127.0.0.1", server.port) as bus:
        found = await found_by(bus, profile)
        meter = Meter(
            name="main", profile=profile.at(found.base), unit=7, bus=bus, every_s=10, clock=clock, rng=random.Random(1)
        )  # fmt: skip
        for _ in range(3):
            clock.advance(600)
            frame = await meter.poll()
            said = {}
            for operation in [done for done in log.operations if done.values][-len(meter.spans) :]:
                said |= dict(operation.values)

            assert {BY_CODE[c].name: v for c, v in zip(frame.metrics, frame.values, strict=True)} == said
            assert [i for i, _ in frame.flaws] == [i for i, value in enumerate(frame.values) if value is None]
            assert sum(value is not None for value in frame.values) >= len(profile.registers) - 4

    assert found == Found(
        base=base + 2 + 68 + 52, model=model, maker="ACME", device="X1", version="2.3", serial="00042"
    )
    assert len(meter.spans) == 1


def test_the_mark_is_looked_for_in_the_three_places_in_turn():
    no, reads = walk(INT, lambda *_: None)

    assert [start for _, start, _ in reads] == [40_000, 0, 50_000]
    assert "no 'SunS' at 40000, 0, 50000" in str(no)


def test_the_common_model_nearest_before_the_meter_names_it():
    def answer(start, count):
        block = device([(1, 66), (103, 50), (1, 66), (203, 105)])(start, count)
        if count == 64 and block:
            block = (b"inverter" if start == 40_004 else b"meter\0\xff!").ljust(128, b"\0")
        return block

    found, _ = walk(INT, answer)

    assert (found.maker, found.base) == ("meter", 40_002 + 68 + 52 + 68)


def test_a_short_common_model_tells_what_it_holds():
    found, _ = walk(INT, device([(1, 20), (201, 105)]))

    assert (found.maker, found.serial, found.base) == ("", "", 40_024)


@pytest.mark.parametrize(
    ("chain", "said"),
    [
        ([(1, 66), (0xFFFF, 0)], "has no SunSpec model 201, 202, 203, 204, but models 1"),
        ([(1, 66), (103, 50), (0, 0)], "but models 1, 103"),
        ([(0xFFFF, 0)], "but no model at all"),
        ([(1, 66), (213, 124), (0xFFFF, 0)], "but models 1, 213"),
        ([(1, 66), (203, 12), (0xFFFF, 0)], "but models 1, 203"),  # too short for what stands in it
        ([(1, 66), (103, 50)], "breaks off at register 40122, after models 1, 103"),
    ],
)
def test_a_list_without_the_meter_is_refused_with_what_there_was(chain, said):
    no, _ = walk(INT, device(chain))

    assert isinstance(no, Refused)
    assert said in str(no)
    assert no.hint


def test_a_list_that_never_ends_is_given_up():
    no, reads = walk(INT, lambda start, count: b"SunS" if start == 0 else b"\0\x05\0\x01" * (count // 2))

    assert isinstance(no, Refused)
    assert len(reads) <= MOST_READS


def test_no_read_runs_past_the_last_register():
    no, reads = walk(INT, lambda start, _: b"SunS" if start == 50_000 else struct.pack(">HH", 9, 15_530))

    assert "breaks off at register 81066, after models 9, 9" in str(no)
    assert all(start + count <= 65_536 for _, start, count in reads)


@settings(deadline=None, max_examples=300)
@given(data=st.data())
def test_any_bytes_whatever_end_in_few_reads_with_a_meter_or_a_reason(data):
    def answer(start, count):
        honest = st.sampled_from(
            [b"SunS", *(struct.pack(">HH", m, n) for m in (1, 203, 160) for n in (1, 66, 105))]
        )
        return data.draw(
            st.none() | honest | st.binary(min_size=2 * count, max_size=2 * count) | st.binary(max_size=9)
        )

    end, reads = walk(INT, answer)

    assert isinstance(end, (Found, Refused))
    assert len(reads) <= MOST_READS
    assert all(start >= 0 and 1 <= count <= 64 and start + count <= 65_536 for _, start, count in reads)
    if isinstance(end, Found):
        assert end.model in INT.models
        assert end.base + 107 <= 65_536
        assert all(r.end <= 65_536 for r in INT.at(end.base).registers)


async def test_a_device_that_falls_silent_is_unreachable_and_one_without_the_mark_refused(simulated):
    server, _ = simulated(INT, model=203)
    async with server, tcp_bus("127.0.0.1", server.port) as bus:
        with pytest.raises(Refused, match="no SunSpec model 211"):
            await found_by(bus, FLOAT)
        server.meters[7].fault = Fault(kind="silent")
        with pytest.raises(Unreachable):
            await found_by(bus, INT)


async def test_what_a_device_does_not_measure_reads_as_not_implemented(simulated):
    server, _ = simulated(INT, base=0, model=201)
    async with server, tcp_bus("127.0.0.1", server.port) as bus:
        base = (await found_by(bus, INT)).base
        apparent_energy = await read(bus, 7, 3, Span(base + 55, base + 57))
        end = await read(bus, 7, 3, Span(base + 107, base + 109))

        with pytest.raises(ExceptionAnswer):
            await read(bus, 7, 3, Span(base + 108, base + 110))

    assert apparent_energy == b"\x80\x00\x80\x00"
    assert end == b"\xff\xff\0\0"


class Device(MemoryBus):
    """A SunSpec device with model 203 behind its common model, at a place that a restart may move."""

    def __init__(self, between=()):
        super().__init__()
        self.between = between
        self.away = False

    async def ask(self, question, pace, *, quiet_s=0.0, most_s=None):
        span = question._span
        self.asked.append(span)
        if self.away:
            raise BusFailure("", kind="timeout")
        said = device([(1, 66), *self.between, (203, 105), (0xFFFF, 0)])(span.start, span.count)
        if said is None:
            raise ExceptionAnswer("no", code=2)
        return said


def meter_on(bus, clock, remembered=None):
    return Meter(
        name="main", profile=INT, unit=7, bus=bus, every_s=10, clock=clock, remembered=remembered, rng=random.Random(1)
    )  # fmt: skip


async def test_a_device_that_moved_its_model_while_it_was_away_is_read_at_the_new_place(clock):
    bus = Device()
    meter = meter_on(bus, clock)
    await meter.poll()
    bus.away = True
    with pytest.raises(Unreachable):
        await meter.poll()
    bus.away, bus.between = False, ((103, 50),)
    bus.asked.clear()
    await meter.poll()

    assert meter.spans[0].start >= 40_002 + 68 + 52
    assert meter.errors == {"timeout": 1}


async def test_a_device_that_stayed_in_its_place_is_asked_one_question_more_after_a_silence(clock):
    bus = Device()
    meter = meter_on(bus, clock)
    await meter.poll()
    bus.away = True
    with pytest.raises(Unreachable):
        await meter.poll()
    bus.away = False
    bus.asked.clear()
    await meter.poll()

    assert bus.asked == [Span(40_070, 40_072), *meter.spans]


@pytest.mark.parametrize("base", [-5, 0, 40_300, 65_535, 90_070, 10**30])
async def test_a_remembered_place_that_is_wrong_costs_a_search_and_nothing_else(clock, tmp_path, base):
    path = tmp_path / "meters.json"
    kept = Remembered(path)
    kept.keep("main", Known(family=family_of(INT), base=base, refused=(40_080,)))
    meter = meter_on(Device(), clock, Remembered(path))
    await meter.poll()

    assert Remembered(path).of("main").base == 40_070
    assert not meter._reader.has_learned
