import asyncio
import random
from contextlib import asynccontextmanager

import pytest
from meter_wire import MemoryBus

from plumbline.errors import Refused, Unreachable
from plumbline.metrics import BY_CODE, Flaw
from plumbline_edge.meters import poll as module
from plumbline_edge.meters.poll import Meter
from plumbline_edge.meters.profiles.file import find_profile, shipped
from plumbline_edge.meters.wire.bus import tcp_bus
from plumbline_edge.meters.wire.failure import BusFailure, ExceptionAnswer
from plumbline_sim.meter.load import SiteLoad
from plumbline_sim.meter.oplog import OpLog
from plumbline_sim.meter.server import Fault, MeterServer, SimulatedMeter


class Waiting(MemoryBus):
    """Remembers how long it was told to wait at most."""

    def __init__(self, answers):
        super().__init__(answers)
        self.waits = []

    async def ask(self, question, pace, *, quiet_s=0.0, most_s=None):
        self.waits.append(most_s)
        return await super().ask(question, pace)


@pytest.fixture
def build(clock):
    def build(bus, profile="eastron_sdm630", unit=1):
        return Meter(
            name="crane",
            profile=find_profile(profile),
            unit=unit,
            bus=bus,
            every_s=10,
            clock=clock,
            timeout_s=0.2,
            rng=random.Random(1),
        )

    return build


@asynccontextmanager
async def simulated(build, clock, profile="eastron_sdm630"):
    source = SiteLoad("crane", seed=3, since=clock.wall().date())
    device = SimulatedMeter(name="crane", unit=9, profile=find_profile(profile), source=source)
    log = OpLog()
    async with (
        MeterServer([device], clock=clock, oplog=log) as server,
        tcp_bus("127.0.0.1", server.port) as bus,
    ):
        yield build(bus, profile, unit=9), device, log


@pytest.mark.parametrize("profile", [name for name in shipped() if find_profile(name).protocol == "modbus"])
async def test_every_shipped_family_is_read_back_value_by_value(build, clock, profile):
    told = 0
    async with simulated(build, clock, profile) as (meter, _, log):
        for _ in range(20):
            clock.advance(7)
            frame = await meter.poll()
            said = {}
            for operation in [done for done in log.operations if done.values][-len(meter.spans) :]:
                said |= dict(operation.values)

            read = {
                BY_CODE[code].name: steps for code, steps in zip(frame.metrics, frame.values, strict=True)
            }
            assert read == said
            # SunSpec has no sign for an energy of 0 but "not counted"
            assert [i for i, _ in frame.flaws] == [i for i, value in enumerate(frame.values) if value is None]
            told += len(meter.metrics) - len(frame.flaws)

    assert log.polls["crane"] == 20
    assert log.readings["crane"] == told >= 20 * (len(meter.metrics) - 4)
    assert meter.health().status == "ok"
    assert meter.health().answers == 20


async def test_an_exception_to_one_read_costs_only_its_own_values(build):
    no = ExceptionAnswer("no", code=2)
    meter = build(MemoryBus({200: no}))

    frame = await meter.poll()

    flawed = {BY_CODE[frame.metrics[i]].name for i, flaw in frame.flaws if flaw == Flaw.EXCEPTION}
    assert flawed == {
        "voltage_l1_l2", "voltage_l2_l3", "voltage_l3_l1", "current_n", "thd_voltage_l1", "thd_current_l1",
    }  # fmt: skip
    assert sum(value is None for value in frame.values) == len(flawed)
    assert meter.health().status == "degraded"
    assert meter.health().errors == {"exception_2": 1}


@pytest.mark.parametrize(("kind", "flaw"), [("timeout", Flaw.TIMEOUT), ("garbage", Flaw.GARBAGE)])
async def test_silence_after_a_first_answer_ends_the_poll_and_keeps_what_came(build, kind, flaw):
    wire = MemoryBus({200: BusFailure("away", kind=kind)})
    meter = build(wire)

    frame = await meter.poll()

    assert [span.start for span in wire.asked] == [0, 200]
    flawed = {BY_CODE[frame.metrics[i]].name for i, found in frame.flaws if found == flaw}
    assert {"voltage_l1_l2", "energy_import_l1"} <= flawed
    assert "energy_import_total" not in flawed


async def test_a_meter_that_answers_nothing_gives_no_frame_and_is_asked_once_a_poll(build):
    wire = MemoryBus({0: BusFailure("away", kind="timeout")})
    meter = build(wire)

    with pytest.raises(Unreachable):
        await meter.poll()

    assert len(wire.asked) == 1
    assert meter.health().errors == {"timeout": 1}
    assert meter.health().latency_ms is None


async def test_a_meter_that_refuses_everything_gives_no_frame_and_is_not_called_silent(build):
    no = ExceptionAnswer("no", code=4)
    meter = build(MemoryBus({0: no, 200: no, 346: no}))

    for _ in range(5):
        with pytest.raises(Refused):
            await meter.poll()

    assert meter.health().status == "degraded"
    assert meter.health().errors == {"exception_4": 15}
    assert meter.due(0.0)


async def test_a_silent_meter_is_asked_ever_more_rarely_and_at_once_again_when_it_is_back(build, clock):
    wire = MemoryBus({0: BusFailure("away", kind="timeout")})
    meter = build(wire)
    rests = []
    for polls in range(1, 12):
        with pytest.raises(Unreachable):
            await meter.poll()
        assert meter.health().status == ("silent" if polls >= 3 else "degraded")
        if polls < 3:
            assert meter.due(clock.mono())
            continue
        rest_s = 0
        while not meter.due(clock.mono() + rest_s):
            rest_s += 1
        rests.append(rest_s)
        clock.advance(rest_s)

    assert all(
        0.8 * expected <= rest <= expected
        for rest, expected in zip(rests, (20, 40, 80, 160, 300), strict=False)
    )
    assert max(rests) <= 300

    wire.answers.clear()
    await meter.poll()

    assert meter.health().status == "ok"
    assert meter.due(clock.mono())


async def test_a_meter_put_in_another_s_place_is_doubted_until_it_is_sure_and_told_once(build, clock):
    async with simulated(build, clock) as (meter, device, _):
        clock.advance(3600)
        await meter.poll()
        device.source = SiteLoad("hoist", seed=3, since=clock.wall().date())
        frames, told = [], []
        for _ in range(6):
            clock.advance(10)
            frames.append(await meter.poll())
            told += meter.take_news()

    doubted = [
        {BY_CODE[frame.metrics[i]].name for i, flaw in frame.flaws if flaw == Flaw.WENT_BACK}
        for frame in frames
    ]
    assert "energy_import_total" in doubted[0]
    assert all(None not in frame.values for frame in frames)
    assert doubted[-1] == set()
    assert [(event.code, event.subject) for event in told] == [("meter_replaced", "crane")]


async def test_another_serial_number_is_another_meter_even_where_its_counters_are_higher(build, clock):
    async with simulated(build, clock) as (meter, device, _):
        await meter.poll()
        device.serial_number = "99887766"
        device.__post_init__()
        clock.advance(86_500)
        await meter.poll()
        told = meter.take_news()

    assert [event.code for event in told] == ["meter_replaced"]
    assert "99887766" in told[0].text


async def test_a_meter_whose_number_changes_at_every_look_is_told_once_an_hour(build, clock):
    told = 0
    async with simulated(build, clock) as (meter, device, _):
        for number in range(30):
            device.serial_number = str(1000 + number)
            device.__post_init__()
            meter._ask_number_at_s = clock.mono()
            await meter.poll()
            told += len(meter.take_news())
            clock.advance(300)

    assert told == 3  # 2.5 hours


async def test_a_meter_with_a_fault_gives_no_invented_value(build, clock):
    async with simulated(build, clock) as (meter, device, log):
        for kind in ("silent", "garbage", "half", "wrong_transaction", "wrong_unit", "wrong_length", "reset"):
            device.fault = Fault(kind=kind)
            with pytest.raises(Unreachable):
                await meter.poll()
        device.fault = None
        frame = await meter.poll()

    assert None not in frame.values
    assert log.polls["crane"] == 1


async def test_a_poll_that_was_not_asked_for_fear_of_a_late_answer_is_no_silence(build):
    meter = build(MemoryBus({0: BusFailure("not asked", kind="late")}))
    for _ in range(5):
        with pytest.raises(Unreachable):
            await meter.poll()

    assert meter.health().status == "unknown"
    assert meter.health().errors == {}


async def silenced(meter):
    for _ in range(3):
        with pytest.raises(Unreachable):
            await meter.poll()


async def test_a_silent_meter_that_answered_late_is_asked_at_once_and_once_waited_for_without_a_bound(
    build, clock
):
    wire = Waiting({0: BusFailure("away", kind="timeout")})
    meter = build(wire)
    meter._probe_s = 0.05
    await silenced(meter)
    resting = meter.due(clock.mono())
    meter.pace.came_late(0.15)
    woken = meter.due(clock.mono())
    with pytest.raises(Unreachable):
        await meter.poll()
    meter.due(clock.mono())
    with pytest.raises(Unreachable):
        await meter.poll()

    assert (resting, woken) == (False, True)
    assert wire.waits[-2:] == [None, 0.05]


async def test_a_meter_that_is_always_later_than_it_may_be_waited_for_does_not_hold_up_the_wire(build, clock):
    meter = build(MemoryBus({0: BusFailure("away", kind="timeout")}))
    await silenced(meter)
    meter.pace.came_late(0.25)

    assert not meter.due(clock.mono())


@pytest.mark.parametrize(("code", "asked"), [(6, 2), (2, 1)])
async def test_a_meter_too_busy_to_tell_its_number_is_asked_again_tomorrow(build, clock, code, asked):
    place = find_profile("eastron_sdm630").serial_number
    wire = MemoryBus({place.address: ExceptionAnswer("no", code=code)})
    meter = build(wire)
    await meter.poll()
    clock.advance(86_500)
    await meter.poll()

    assert [span.start for span in wire.asked].count(place.address) == asked


async def test_after_an_outage_of_the_wire_its_meters_are_asked_soon(build, clock):
    meter = build(MemoryBus({0: BusFailure("no connection", kind="connection")}))
    for _ in range(60):
        with pytest.raises(Unreachable):
            await meter.poll()
        clock.advance(60)
    with pytest.raises(Unreachable):
        await meter.poll()

    assert meter.health().status == "silent"
    assert not meter.due(clock.mono() + 5)
    assert meter.due(clock.mono() + 30)


async def test_a_device_that_is_no_sunspec_meter_is_asked_ever_more_rarely_and_says_why(build, clock):
    bus = MemoryBus()  # answers everything, but has no mark
    meter = build(bus, "sunspec_int")
    why = None
    for _ in range(360):
        clock.advance(10)
        if meter.due(clock.mono()):
            with pytest.raises(Refused) as caught:
                await meter.poll()
            why = caught.value

    assert meter.status == "degraded"
    assert "no 'SunS'" in str(why)
    assert len(bus.asked) < 3 * 30


async def test_who_was_not_asked_because_of_an_earlier_silence_is_lost_for_that_silence(build):
    bus = MemoryBus()
    meter = build(bus)
    for kind, text in (("timeout", "no answer within 1 s"), ("late", "not asked")):
        bus.answers = {span.start: BusFailure(text, kind=kind) for span in meter.spans}
        with pytest.raises(Unreachable, match="no answer within 1 s"):
            await meter.poll()

    assert meter.errors == {"timeout": 1}


async def test_a_meter_that_refuses_everything_is_said_once_with_what_to_do(build, caplog):
    bus = MemoryBus()
    meter = build(bus)
    bus.answers = {span.start: ExceptionAnswer("no", code=4, hint="Look there.") for span in meter.spans}
    for _ in range(5):
        with pytest.raises(Refused):
            await meter.poll()

    assert [record.getMessage() for record in caplog.records] == [
        "meter crane refuses everything: no. Look there."
    ]


class Endless(MemoryBus):
    """A SunSpec device with a list that never ends, which takes its time."""

    async def ask(self, question, pace, *, quiet_s=0.0, most_s=None):
        await asyncio.sleep(0.01)
        self.asked.append(question._span)
        return b"SunS" if question._span.start == 40_000 else bytes((0, 7, 0, 1))


async def test_the_search_for_a_sunspec_model_leaves_the_wire_to_neighbours_and_goes_on_later(
    clock, monkeypatch
):
    monkeypatch.setattr(module, "_SEARCH_S", 0.1)
    bus, took_s = Endless(), []
    meter = Meter(
        name="m", profile=find_profile("sunspec_int"), unit=1, bus=bus, every_s=10, clock=clock, probe_s=1.0
    )  # fmt: skip
    statuses = []
    for _ in range(100):
        before_s = asyncio.get_running_loop().time()
        with pytest.raises((Refused, Unreachable)) as caught:
            await meter.poll()
        took_s.append(asyncio.get_running_loop().time() - before_s)
        statuses.append(meter.status)
        if caught.type is Refused:
            break

    assert caught.type is Refused
    assert len(took_s) > 2
    assert set(statuses) == {"degraded"}
    assert len(bus.asked) == len(set(bus.asked)) == 65
