import asyncio
import contextlib
import random
import socket
import struct

import pytest
from meter_wire import read

from plumbline_edge.meters.modbus.plan import Span
from plumbline_edge.meters.profiles.file import find_profile
from plumbline_edge.meters.wire.bus import tcp_bus
from plumbline_edge.meters.wire.failure import BusFailure, ExceptionAnswer
from plumbline_sim.meter.server import Fault, MeterServer, SimulatedMeter

VOLTAGE = Span(0, 2)
TIMEOUT_S = 0.2  # long enough for a busy machine to answer within


class Steady:
    def __init__(self):
        self.volts = 230.0

    def at(self, when_s):
        return {"voltage_l1": self.volts}


def meter_of(unit=1):
    return SimulatedMeter(name=f"m{unit}", unit=unit, profile=find_profile("eastron_sdm120"), source=Steady())


@pytest.fixture
def meter():
    return meter_of()


@pytest.fixture
async def server(meter, clock):
    async with MeterServer([meter], clock=clock) as server:
        yield server


@pytest.fixture
async def bus(server):
    async with tcp_bus("127.0.0.1", server.port, rng=random.Random(1)) as bus:
        yield bus


@contextlib.asynccontextmanager
async def answering(reply):
    """A server that sends `reply(request)` to whatever comes, and remembers what came."""
    seen, serving = [], set()

    async def serve(reader, writer):
        serving.add(asyncio.current_task())
        with contextlib.suppress(ConnectionError):
            while request := await reader.read(300):
                seen.append(request)
                writer.write(reply(request))
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], seen
        await asyncio.gather(*serving)


async def volts(bus, unit=1, timeout_s=TIMEOUT_S):
    (value,) = struct.unpack(">f", await read(bus, unit, 4, VOLTAGE, timeout_s=timeout_s))
    return value


async def test_registers_arrive_as_their_bytes(bus):
    assert await volts(bus) == 230.0
    assert (bus.counters["requests"], bus.counters["connects"]) == (1, 1)


async def test_an_exception_is_refused_with_its_standard_name(bus):
    with pytest.raises(ExceptionAnswer, match=r"exception 2 \(ILLEGAL DATA ADDRESS\)") as caught:
        await read(bus, 1, 4, Span(5000, 5002))

    assert caught.value.code == 2
    assert await volts(bus) == 230.0
    assert bus.counters["connects"] == 1


async def test_a_gateway_that_finds_nobody_counts_as_silence(bus):
    with pytest.raises(BusFailure, match="GATEWAY TARGET DEVICE FAILED") as caught:
        await read(bus, 77, 4, VOLTAGE)

    assert caught.value.kind == "gateway"


@pytest.mark.parametrize(
    ("fault", "kinds"),
    [
        (Fault(kind="silent"), {"timeout"}),
        (Fault(kind="slow", seconds=10), {"timeout"}),
        (Fault(kind="garbage"), {"garbage", "timeout"}),
        (Fault(kind="half"), {"garbage"}),
        (Fault(kind="wrong_transaction"), {"garbage"}),
        (Fault(kind="wrong_unit"), {"garbage"}),
        (Fault(kind="wrong_length"), {"garbage"}),
        (Fault(kind="reset"), {"reset"}),
    ],
    ids=lambda fault: fault.kind if isinstance(fault, Fault) else "",
)
async def test_a_fault_gives_no_value_in_bounded_time_and_health_returns(bus, meter, fault, kinds):
    loop = asyncio.get_running_loop()
    for _ in range(2):
        meter.fault = fault
        began_s = loop.time()
        with pytest.raises(BusFailure) as caught:
            await volts(bus)
        assert caught.value.kind in kinds
        assert loop.time() - began_s < 10 * TIMEOUT_S

        meter.fault = None
        assert await volts(bus) == 230.0


async def test_an_answer_that_comes_late_is_never_taken_for_the_next_one(bus, meter, server):
    meter.fault = Fault(kind="slow", seconds=1.2 * TIMEOUT_S)
    with pytest.raises(BusFailure):
        await volts(bus)
    meter.fault = None
    meter.source.volts = 111.0
    server.clock.advance(1)

    for _ in range(200):  # well past the moment when the late answer would come
        assert await volts(bus) == 111.0


async def test_no_noise_ever_gives_a_value(clock):
    rng = random.Random(7)
    taken = 0

    def noise(request):
        nonlocal taken
        taken += 1
        kind = rng.randrange(4)
        if kind == 0:
            return rng.randbytes(rng.randint(1, 290))
        if kind == 1:  # transaction 0: pymodbus alone would believe it
            return b"\0\0" + request[2:4] + b"\0\7" + request[6:8] + b"\4" + rng.randbytes(4)
        if kind == 2:  # function 3 where 4 was asked
            return request[:4] + b"\0\7" + request[6:7] + b"\3\4" + rng.randbytes(4)
        return request[:4] + b"\0\5" + request[6:8] + b"\2" + rng.randbytes(2)

    async with answering(noise) as (port, _), tcp_bus("127.0.0.1", port) as bus:
        for _ in range(100):
            with pytest.raises(BusFailure):
                await read(bus, 1, 4, VOLTAGE, timeout_s=0.01)

    assert taken == 100


async def test_a_refused_connection_is_said_at_once_and_tried_again_after_a_growing_pause(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    loop = asyncio.get_running_loop()
    now_s = loop.time()
    monkeypatch.setattr(loop, "time", lambda: now_s)
    bus = tcp_bus("127.0.0.1", port, rng=random.Random(3))
    pauses = []

    for _ in range(9):
        with pytest.raises(BusFailure, match="refused") as caught:
            await read(bus, 1, 4, VOLTAGE, timeout_s=0.01)
        assert caught.value.kind == "connection"
        with pytest.raises(BusFailure, match="next try in"):
            await read(bus, 1, 4, VOLTAGE, timeout_s=0.01)
        pauses.append(bus._not_before_s - now_s)
        now_s = bus._not_before_s

    assert all(0.25 * 2**i <= pause <= 0.5 * 2**i for i, pause in enumerate(pauses[:6]))
    assert max(pauses) <= 30


async def test_a_server_that_comes_back_is_found_again(meter, clock):
    async with MeterServer([meter], clock=clock) as server:
        port = server.port
        bus = tcp_bus("127.0.0.1", port)
        assert await volts(bus) == 230.0
    with pytest.raises(BusFailure):
        await volts(bus)
    bus._not_before_s = 0.0  # the pause is another test's

    async with MeterServer([meter], clock=clock, port=port):
        assert await volts(bus) == 230.0
        await bus.stop()


async def test_a_silent_meter_does_not_hold_up_one_on_another_connection(clock):
    silent, lively = meter_of(1), meter_of(2)
    silent.fault = Fault(kind="silent")
    async with (
        MeterServer([silent], clock=clock) as one,
        MeterServer([lively], clock=clock) as other,
        tcp_bus("127.0.0.1", one.port) as stuck,
        tcp_bus("127.0.0.1", other.port) as free,
    ):
        waiting = asyncio.create_task(read(stuck, 1, 4, VOLTAGE, timeout_s=2.0))
        for _ in range(50):
            assert await volts(free, unit=2) == 230.0
        assert not waiting.done()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting


async def test_requests_on_one_connection_take_turns(server, bus, meter):
    meter.source.volts = 1.0
    answers = await asyncio.gather(*(volts(bus) for _ in range(20)))

    assert answers == [1.0] * 20
    assert bus.counters["connects"] == 1


async def test_a_connection_that_nobody_acknowledges_any_more_ends_within_seconds(server, bus):
    await volts(bus)
    socket_of = bus._line._transport.get_extra_info("socket")

    assert socket_of.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 10_000


@pytest.mark.parametrize("framing", ["tcp", "rtu"])
async def test_a_line_that_floods_while_nobody_asks_is_closed_and_opened_again_for_the_next_question(framing):
    async with (
        answering(lambda _: bytes(600_000)) as (port, seen),
        tcp_bus("127.0.0.1", port, framing=framing) as bus,
    ):
        for _ in range(2):
            with pytest.raises(BusFailure):
                await read(bus, 1, 4, VOLTAGE)
            await asyncio.wait_for(closed(bus), 5)

    assert len(seen) == 2
    assert bus.counters["connects"] == 2


async def test_a_flood_of_the_smallest_pieces_is_one_and_what_a_serial_adapter_brings_is_none(bus):
    await read(bus, 1, 4, VOLTAGE)
    for _ in range(1000):
        bus.heard(bytes(100))
    kept = bus._line is not None
    for _ in range(2000):
        bus.heard(b"\0")

    assert kept
    assert bus._line is None
    assert len(bus._received) <= 1024


async def test_a_converter_that_says_nothing_at_all_is_connected_to_anew():
    async with answering(lambda _: b"") as (port, _), tcp_bus("127.0.0.1", port, framing="rtu") as bus:
        for unit in range(1, 5):  # as many questions as it may leave unanswered, and one more
            with pytest.raises(BusFailure, match="no answer"):
                await read(bus, unit, 4, VOLTAGE, timeout_s=0.02)

    assert bus.counters["connects"] == 2


async def closed(bus):
    while bus._line is not None:  # noqa: ASYNC110 - the line is watched from outside
        await asyncio.sleep(0.01)
