import asyncio
import math
import struct

import pytest

from plumbline.errors import ConfigError
from plumbline_edge.meters.profiles.file import find_profile
from plumbline_sim.meter.oplog import OpLog, read_oplog
from plumbline_sim.meter.server import Fault, MeterServer, SimulatedMeter


class Values:
    def __init__(self, values):
        self.values = values

    def at(self, when_s):
        return self.values


@pytest.fixture
def meter():
    profile = find_profile("eastron_sdm630")
    return SimulatedMeter(
        name="main", unit=3, profile=profile, source=Values({"voltage_l1": 230.0, "frequency": 50.0})
    )


@pytest.fixture
def oplog():
    return OpLog()


@pytest.fixture
async def server(meter, clock, oplog):
    async with MeterServer([meter], clock=clock, oplog=oplog) as server:
        yield server


@pytest.fixture
async def ask(server):
    """Sends a request's function and data in a frame of our own making; gives the same part of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)

    async def ask(pdu, unit=3, transaction=77):
        writer.write(struct.pack(">HHHB", transaction, 0, len(pdu) + 1, unit) + pdu)
        got, protocol, length, answered = struct.unpack(">HHHB", await reader.readexactly(7))
        assert (got, protocol, answered) == (transaction, 0, unit)
        return await reader.readexactly(length - 1)

    yield ask
    writer.close()
    await writer.wait_closed()


def read(function, start, count):
    return struct.pack(">BHH", function, start, count)


async def test_a_read_is_answered_with_its_registers(ask):
    assert await ask(read(4, 0, 2)) == b"\x04\x04" + struct.pack(">f", 230.0)


@pytest.mark.parametrize(
    ("pdu", "unit", "exception"),
    [
        (read(3, 0, 2), 3, 1),
        (b"\x06\x00\x00\x00\x01", 3, 1),
        (b"\x11", 3, 1),
        (read(4, 5000, 2), 3, 2),
        (read(4, 1, 2), 3, 2),
        (read(4, 0, 3), 3, 2),
        (read(4, 70, 20), 3, 2),
        (read(4, 0, 0), 3, 3),
        (read(4, 0, 81), 3, 3),
        (b"\x04\x00\x00", 3, 3),
        (read(4, 0, 2), 4, 11),
    ],
)
async def test_a_bad_request_gets_the_exception_a_real_meter_gives(ask, pdu, unit, exception):
    assert await ask(pdu, unit=unit) == bytes((pdu[0] | 0x80, exception))


async def test_a_value_the_source_does_not_know_is_answered_as_nan_never_as_zero(ask):
    answer = await ask(read(4, 6, 2))

    assert math.isnan(struct.unpack(">f", answer[2:])[0])


async def test_a_meter_that_cannot_measure_answers_exception_4(ask, meter):
    meter.source.values = None

    assert await ask(read(4, 0, 2)) == b"\x84\x04"


async def test_a_family_with_a_sentinel_answers_it_and_one_without_fails_the_read(clock):
    abb = SimulatedMeter(name="abb", unit=1, profile=find_profile("abb_b23"), source=Values({}))
    server = MeterServer([abb], clock=clock)

    answer, _ = server.answer(1, read(3, 23296, 2))

    assert answer == b"\x03\x04\xff\xff\xff\xff"

    registers = [r for r in abb.profile.registers if r.metric.name == "voltage_l1"]
    object.__setattr__(registers[0], "absent", ())
    try:
        assert server.answer(1, read(3, 23296, 2))[0] == b"\x83\x04"
    finally:
        object.__setattr__(registers[0], "absent", (0xFFFFFFFF,))


async def test_requests_may_come_in_pieces_or_several_at_once(server):
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    frames = [struct.pack(">HHHB", n, 0, 6, 3) + read(4, 0, 2) for n in range(5)]
    writer.write(frames[0][:5])
    await writer.drain()
    writer.write(frames[0][5:] + b"".join(frames[1:]))

    answers = [await reader.readexactly(13) for _ in frames]

    assert [int.from_bytes(answer[:2]) for answer in answers] == list(range(5))
    writer.close()
    await writer.wait_closed()


async def test_something_that_is_not_modbus_is_cut_off(server):
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET / HTTP/1.1\r\n\r\n")

    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await reader.readexactly(1)
    writer.close()


async def test_the_log_holds_each_answer_with_the_values_that_were_said(ask, oplog, clock):
    await ask(read(4, 0, 4))
    await ask(read(4, 70, 2))
    await ask(read(4, 5000, 2))

    first, second, third = oplog.operations
    assert first.values == (("voltage_l1", 23000), ("voltage_l2", None))
    assert (first.device, first.start, first.count, first.outcome, first.poll) == (
        "main",
        0,
        4,
        "values",
        True,
    )
    assert first.at_us == round(clock.wall().timestamp() * 1e6)
    assert second.values == (("frequency", 50000),)
    assert not second.poll
    assert (third.outcome, third.values) == ("exception 2", ())
    assert oplog.polls == {"main": 1}
    assert oplog.readings == {"main": 2}


async def test_what_a_faulty_meter_sends_is_logged_as_no_answer(meter, server, oplog, monkeypatch):
    noted = asyncio.Event()
    add = oplog.add
    monkeypatch.setattr(oplog, "add", lambda operation: (add(operation), noted.set()))
    for kind in ("silent", "half", "garbage"):
        noted.clear()
        meter.fault = Fault(kind=kind)
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(struct.pack(">HHHB", 1, 0, 6, 3) + read(4, 0, 2))
        await noted.wait()
        writer.close()
        await writer.wait_closed()

    assert oplog.polls == {}
    assert [operation.outcome for operation in oplog.operations] == ["silent", "half", "garbage"]
    assert [operation.values for operation in oplog.operations] == [(), (), ()]


async def test_a_log_file_can_be_read_back_up_to_its_last_whole_line(tmp_path, meter, clock):
    path = tmp_path / "ops.jsonl"
    with OpLog(path) as log:
        server = MeterServer([meter], clock=clock, oplog=log)
        for start in (0, 70):
            _, operation = server.answer(3, read(4, start, 2))
            log.add(operation)
    with path.open("ab") as file:
        file.write(b'{"device": "ma')

    assert read_oplog(path) == log.operations


async def test_a_taken_port_is_said_with_its_holder(server, meter, clock):
    other = MeterServer([meter], clock=clock, port=server.port)

    with pytest.raises(ConfigError, match=rf"{server.port}: Address already in use by .*\(pid \d+\)"):
        async with other:
            pass


async def test_one_polls_reads_agree_because_registers_are_renewed_five_times_a_second(clock):
    class Counting:
        def __init__(self):
            self.asked = 0

        def at(self, when_s):
            self.asked += 1
            return {"voltage_l1": float(self.asked)}

    source = Counting()
    meter = SimulatedMeter(name="m", unit=1, profile=find_profile("eastron_sdm120"), source=source)

    for seconds in (0, 0, 0.1, 0.05, 0.1, 10):
        clock.advance(seconds)
        meter.values_at(clock.wall().timestamp())

    assert source.asked == 3
