"""The same meters behind each of the three wires, asked by a client that is not ours."""

import asyncio
import contextlib
import os
import random
import struct

import pytest
import serial
from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient
from pymodbus.framer import FramerType

from plumbline.errors import ConfigError
from plumbline_edge.meters.profiles.file import find_profile
from plumbline_sim.meter.oplog import OpLog
from plumbline_sim.meter.rtuframe import rtu_frame
from plumbline_sim.meter.server import Fault, MeterServer, RtuServer, RtuTcpServer, SimulatedMeter

WIRES = ("tcp", "rtu", "rtu_over_tcp")
VALUES = {"voltage_l1": 231.5, "voltage_l2": 229.25, "frequency": 50.0, "energy_import_total": 1234.5}
ASKED = struct.pack(">BHH", 4, 0, 2)
TOLD = b"\x04\x04" + struct.pack(">f", 231.5)


class Steady:
    def at(self, when_s):
        return VALUES


@pytest.fixture
def meter():
    return SimulatedMeter(name="main", unit=3, profile=find_profile("eastron_sdm630"), source=Steady())


@pytest.fixture
def oplog():
    return OpLog()


@pytest.fixture
def served(meter, clock, oplog):
    def build(wire, **options):
        kinds = {"tcp": MeterServer, "rtu": RtuServer, "rtu_over_tcp": RtuTcpServer}
        return kinds[wire]([meter], clock=clock, oplog=oplog, **options)

    return build


class Line:
    """Raw bytes to and from a pseudo-terminal or a TCP port."""

    def __init__(self, server):
        self.server = server

    async def __aenter__(self):
        if isinstance(self.server, RtuServer):
            self.port = serial.Serial(self.server.path, timeout=0)
            self.heard = asyncio.Queue()
            asyncio.get_running_loop().add_reader(
                self.port.fileno(), lambda: self.heard.put_nowait(self.port.read(4096))
            )
        else:
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.server.port)
        return self

    async def __aexit__(self, *_):
        if isinstance(self.server, RtuServer):
            asyncio.get_running_loop().remove_reader(self.port.fileno())
            self.port.close()
        else:
            self.writer.close()
            with contextlib.suppress(ConnectionError):
                await self.writer.wait_closed()

    def say(self, data):
        (self.port if isinstance(self.server, RtuServer) else self.writer).write(data)

    async def hear(self, count, within_s=5.0):
        """So many bytes, or what came until then."""
        heard = b""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while len(heard) < count:
                    part = await (
                        self.heard.get() if isinstance(self.server, RtuServer) else self.reader.read(4096)
                    )
                    if not part:
                        break
                    heard += part
        return heard

    async def ask(self, pdu, count, unit=3, within_s=5.0):
        tcp = isinstance(self.server, MeterServer)
        self.say(tcp_frame(unit, pdu) if tcp else rtu_frame(unit, pdu))
        return await self.hear(count, within_s)


def tcp_frame(unit, pdu, transaction=77):
    return struct.pack(">HHHB", transaction, 0, len(pdu) + 1, unit) + pdu


def framed(wire, unit, pdu):
    return tcp_frame(unit, pdu) if wire == "tcp" else rtu_frame(unit, pdu)


def pymodbus_to(server):
    if isinstance(server, RtuServer):
        return AsyncModbusSerialClient(
            server.path, framer=FramerType.RTU, baudrate=9600, timeout=5, retries=0
        )
    framer = FramerType.RTU if isinstance(server, RtuTcpServer) else FramerType.SOCKET
    return AsyncModbusTcpClient("127.0.0.1", port=server.port, framer=framer, timeout=5, retries=0)


@pytest.mark.parametrize("wire", WIRES)
async def test_pymodbus_reads_the_values_that_were_said(served, wire, oplog):
    async with served(wire) as server:
        client = pymodbus_to(server)
        assert await client.connect()
        volts = await client.read_input_registers(0, count=4, device_id=3)
        energy = await client.read_input_registers(72, count=2, device_id=3)
        none = await client.read_input_registers(5000, count=2, device_id=3)
        client.close()

    assert client.convert_from_registers(volts.registers, client.DATATYPE.FLOAT32) == [231.5, 229.25]
    assert client.convert_from_registers(energy.registers, client.DATATYPE.FLOAT32) == 1234.5
    assert none.exception_code == 2
    assert [operation.outcome for operation in oplog.operations] == ["values", "values", "exception 2"]


@pytest.mark.parametrize("wire", WIRES)
async def test_pymodbus_reads_who_the_meter_is(served, wire):
    async with served(wire) as server:
        client = pymodbus_to(server)
        assert await client.connect()
        told = await client.read_device_information(read_code=2, object_id=0, device_id=3)
        client.close()

    assert told.information[0] == b"Eastron"
    assert told.information[4] == b"Eastron SDM630"


@pytest.mark.parametrize("wire", WIRES)
async def test_a_write_is_refused_and_counted(served, wire):
    async with served(wire) as server:
        client = pymodbus_to(server)
        assert await client.connect()
        answers = [
            await client.write_register(0, 1, device_id=3),
            await client.write_registers(0, [1, 2], device_id=3),
            await client.write_coil(0, value=True, device_id=3),
            await client.write_coils(0, [True], device_id=3),
        ]
        read = await client.read_input_registers(0, count=2, device_id=3)
        client.close()

        assert [answer.exception_code for answer in answers] == [1, 1, 1, 1]
        assert server.writes == 4
        assert not read.isError()


async def test_a_write_to_everybody_is_counted_too_and_answered_by_nobody(served):
    async with served("rtu") as server, Line(server) as line:
        assert await line.ask(b"\x06\0\0\0\1", 1, unit=0, within_s=0.05) == b""
        assert server.writes == 1


@pytest.mark.parametrize("wire", ["rtu", "rtu_over_tcp"])
async def test_a_unit_that_nobody_has_is_silence_on_a_serial_wire(served, wire, oplog):
    async with served(wire) as server, Line(server) as line:
        assert await line.ask(ASKED, 1, unit=9, within_s=0.05) == b""
        assert await line.ask(ASKED, 9) == rtu_frame(3, TOLD)

    assert len(oplog.operations) == 1


@pytest.mark.parametrize("wire", ["rtu", "rtu_over_tcp"])
async def test_a_request_is_heard_in_pieces_and_after_noise(served, wire):
    async with served(wire) as server, Line(server) as line:
        request = rtu_frame(3, ASKED)
        line.say(b"\x00\xff\x03\x04" + request[:3])
        await asyncio.sleep(0.01)
        line.say(request[3:])

        assert await line.hear(9) == rtu_frame(3, TOLD)


@pytest.mark.parametrize("wire", WIRES)
async def test_a_meter_takes_its_turnaround(served, wire, meter):
    meter.turnaround_s = 0.1
    loop = asyncio.get_running_loop()
    async with served(wire) as server, Line(server) as line:
        began_s = loop.time()
        answer = await line.ask(ASKED, 13 if wire == "tcp" else 9)
        took_s = loop.time() - began_s

    assert answer == framed(wire, 3, TOLD)
    assert 0.1 <= took_s < 5.0  # the machine may be busy


@pytest.mark.parametrize("wire", ["rtu", "rtu_over_tcp"])
@pytest.mark.parametrize(("parity", "bits"), [("N", 10), ("E", 11)])
async def test_an_answer_takes_the_time_that_its_bytes_and_the_requests_need(served, wire, parity, bits):
    loop = asyncio.get_running_loop()
    pdu = struct.pack(">BHH", 4, 0, 36)
    count = 5 + 72
    async with served(wire, baud=2400, parity=parity) as server, Line(server) as line:
        began_s = loop.time()
        first = await line.ask(pdu, 1)
        first_s = loop.time() - began_s
        answer = first + await line.hear(count - len(first))
        took_s = loop.time() - began_s

    byte_s = bits / 2400
    assert len(answer) == count
    assert first_s >= (8 + 3.5 + 16) * byte_s * 0.999
    assert (8 + 3.5 + count) * byte_s * 0.999 <= took_s < (8 + 3.5 + count) * byte_s + 0.2
    assert first_s < took_s / 2 + 0.1


async def test_clients_come_and_go_on_a_pseudo_terminal(served):
    async with served("rtu") as server:
        for _ in range(3):
            async with Line(server) as line:
                assert await line.ask(ASKED, 9) == rtu_frame(3, TOLD)


async def test_a_link_points_at_the_line_while_it_is_open(served, tmp_path):
    link = tmp_path / "ttyRS485"
    link.symlink_to("/dev/pts/999999")  # left by one that was killed

    async with served("rtu", link=link) as server, Line(server) as line:
        assert server.path == str(link)
        assert await line.ask(ASKED, 9) == rtu_frame(3, TOLD)

    assert not link.is_symlink()


async def test_a_file_is_never_replaced_by_a_link(served, tmp_path):
    link = tmp_path / "notes.txt"
    link.write_text("mine")

    with pytest.raises(ConfigError, match=r"cannot link .*notes\.txt"):
        async with served("rtu", link=link):
            pass

    assert link.read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


async def test_a_real_ports_path_can_be_played_on(served):
    ours, theirs = os.openpty()
    try:
        os.set_blocking(ours, False)
        async with served("rtu", device=os.ttyname(theirs), baud=9600, parity="E") as server:
            assert server.path == os.ttyname(theirs)
            os.write(ours, rtu_frame(3, ASKED))
            async with asyncio.timeout(5):
                heard = b""
                while len(heard) < 9:
                    await asyncio.sleep(0.005)
                    with contextlib.suppress(BlockingIOError):
                        heard += os.read(ours, 100)
    finally:
        os.close(ours)
        os.close(theirs)

    assert heard == rtu_frame(3, TOLD)


async def test_a_port_that_is_not_there_is_said_with_what_to_do(served):
    with pytest.raises(ConfigError, match="cannot open /dev/ttyNONE") as caught:
        async with served("rtu", device="/dev/ttyNONE"):
            pass

    assert "dialout" in caught.value.hint


async def test_two_clients_of_a_converter_share_its_wire(served):
    loop = asyncio.get_running_loop()
    async with served("rtu_over_tcp", baud=9600) as server, Line(server) as one, Line(server) as other:
        began_s = loop.time()
        answers = await asyncio.gather(one.ask(ASKED, 9), other.ask(ASKED, 9))
        took_s = loop.time() - began_s

    assert answers == [rtu_frame(3, TOLD)] * 2
    assert took_s >= 2 * 9 * 10 / 9600


class Shouting:
    """A slave of another protocol: its requests are !...! and it answers in capitals."""

    def hear(self, received):
        begin = received.find(b"!")
        end = received.find(b"!", begin + 1)
        if begin < 0 or end < 0:
            return len(received) if begin < 0 else begin, None  # done with what cannot become a request
        text = received[begin + 1 : end]
        return end + 1, None if text == b"others" else text.upper()


@pytest.mark.parametrize("wire", ["rtu", "rtu_over_tcp"])
async def test_a_slave_of_another_protocol_hears_what_is_not_modbus(served, wire):
    async with served(wire, slaves=[Shouting()]) as server, Line(server) as line:
        line.say(b"\xfe\xfe!vol")
        await asyncio.sleep(0.01)
        line.say(b"ts!")
        assert await line.hear(5) == b"VOLTS"
        line.say(b"!others!" + rtu_frame(3, ASKED)[:3])
        await asyncio.sleep(0.01)
        line.say(rtu_frame(3, ASKED)[3:])
        assert await line.hear(9) == rtu_frame(3, TOLD)
        assert await line.ask(ASKED, 9) == rtu_frame(3, TOLD)


def crossed(rng):
    return rng.randbytes(rng.randint(0, 40))


@pytest.mark.parametrize("wire", ["rtu", "rtu_over_tcp"])
async def test_after_any_garbage_the_next_request_is_answered(served, wire):
    rng = random.Random(5)
    async with served(wire) as server, Line(server) as line:
        for _ in range(60):
            line.say(crossed(rng))
            assert await line.ask(ASKED, 9) == rtu_frame(3, TOLD)


FAULTS_ON_EVERY_WIRE = [
    (Fault(kind="silent"), b""),
    (Fault(kind="busy"), b"\x84\x06"),
    (Fault(kind="exception", code=2), b"\x84\x02"),
    (Fault(kind="half"), b"\x04\x02" + TOLD[2:4]),
    (Fault(kind="swapped_words"), b"\x04\x04" + TOLD[4:6] + TOLD[2:4]),
    (Fault(kind="nan"), b"\x04\x04\x7f\xc0\x00\x00"),
    (Fault(kind="stuck"), TOLD),
]


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize(("fault", "pdu"), FAULTS_ON_EVERY_WIRE, ids=lambda part: getattr(part, "kind", ""))
async def test_a_fault_of_the_meter_is_the_same_on_every_wire(served, wire, meter, fault, pdu):
    meter.fault = fault
    async with served(wire) as server, Line(server) as line:
        wanted = framed(wire, 3, pdu) if pdu else b""

        assert await line.ask(ASKED, max(1, len(wanted)), within_s=5 if pdu else 0.05) == wanted


@pytest.mark.parametrize("wire", WIRES)
async def test_an_answer_under_another_meters_number(served, wire, meter):
    meter.fault = Fault(kind="wrong_unit")
    async with served(wire) as server, Line(server) as line:
        wanted = framed(wire, 2, TOLD)

        assert await line.ask(ASKED, len(wanted)) == wanted


async def test_an_answer_under_another_requests_number(served, meter):
    meter.fault = Fault(kind="wrong_transaction")
    async with served("tcp") as server, Line(server) as line:
        answer = await line.ask(ASKED, 13)

    assert answer[2:] == tcp_frame(3, TOLD)[2:]
    assert answer[:2] != tcp_frame(3, TOLD)[:2]


@pytest.mark.parametrize("wire", WIRES)
async def test_a_truncated_answer_is_its_first_half(served, wire, meter):
    meter.fault = Fault(kind="truncated")
    async with served(wire) as server, Line(server) as line:
        whole = framed(wire, 3, TOLD)

        assert await line.ask(ASKED, len(whole), within_s=0.1) == whole[: len(whole) // 2]


@pytest.mark.parametrize("wire", ["rtu", "rtu_over_tcp"])
async def test_a_wrong_check_sum_is_all_that_is_wrong(served, wire, meter):
    meter.fault = Fault(kind="crc")
    async with served(wire) as server, Line(server) as line:
        answer = await line.ask(ASKED, 9)

    assert answer[:-2] == rtu_frame(3, TOLD)[:-2]
    assert answer != rtu_frame(3, TOLD)


@pytest.mark.parametrize("wire", ["rtu", "rtu_over_tcp"])
async def test_noise_stands_before_the_answer(served, wire, meter):
    meter.fault = Fault(kind="noise")
    async with served(wire) as server, Line(server) as line:
        answer = await line.ask(ASKED, 100, within_s=0.1)

    noise, told = answer[:-9], answer[-9:]
    assert told == rtu_frame(3, TOLD)
    assert noise
    assert set(noise) <= {0x00, 0xFF}


@pytest.mark.parametrize("wire", ["rtu", "rtu_over_tcp"])
async def test_an_adapter_that_echoes_hears_its_request_even_where_nobody_answers(served, wire):
    async with served(wire, faults=[Fault(kind="echo")]) as server, Line(server) as line:
        assert await line.ask(ASKED, 17) == rtu_frame(3, ASKED) + rtu_frame(3, TOLD)
        assert await line.ask(ASKED, 8, unit=9) == rtu_frame(9, ASKED)


@pytest.mark.parametrize("wire", ["rtu", "rtu_over_tcp"])
async def test_another_masters_requests_and_answers_stand_around_ours(served, wire, meter, oplog):
    meter.fault = Fault(kind="another_master", seconds=0.05)
    exchange = 8 + 9  # the meter's values are all floats
    async with served(wire) as server, Line(server) as line:
        before = await line.ask(ASKED, exchange + 9)
        after = await line.hear(exchange)

    for foreign in (before[:exchange], after):
        assert foreign[:2] == b"\x03\x04"
        assert rtu_frame(3, foreign[1:6]) == foreign[:8]
        assert rtu_frame(3, foreign[9:15]) == foreign[8:]
    assert before[exchange:] == rtu_frame(3, TOLD)
    assert len(oplog.operations) == 1


@pytest.mark.parametrize("wire", ["tcp", "rtu_over_tcp"])
async def test_a_reset_cuts_the_connection(served, wire, meter):
    meter.fault = Fault(kind="reset")
    async with served(wire) as server, Line(server) as line:
        assert await line.ask(ASKED, 1) == b""
        assert line.reader.at_eof()


@pytest.mark.parametrize("wire", WIRES)
async def test_a_reboot_is_half_an_answer_then_silence_then_health_with_the_energy_kept(served, wire, meter):
    meter.fault = Fault(kind="reboot", seconds=0.3)
    energy = struct.pack(">BHH", 4, 72, 2)
    told = b"\x04\x04" + struct.pack(">f", 1234.5)
    whole = framed(wire, 3, TOLD)
    async with served(wire) as server, Line(server) as line:
        assert await line.ask(ASKED, len(whole), within_s=0.05) == whole[: len(whole) // 2]
        assert await line.ask(ASKED, 1, within_s=0.05) == b""
        await asyncio.sleep(0.3)

        assert await line.ask(energy, len(whole)) == framed(wire, 3, told)


@pytest.mark.parametrize("wire", WIRES)
async def test_a_late_meter_answers_every_request_however_late(served, wire, meter):
    meter.fault = Fault(kind="late", seconds=0.1)
    loop = asyncio.get_running_loop()
    async with served(wire) as server, Line(server) as line:
        whole = framed(wire, 3, TOLD)
        began_s = loop.time()
        assert await line.ask(ASKED, 1, within_s=0.03) == b""

        assert await line.ask(ASKED, 2 * len(whole)) == 2 * whole
        assert loop.time() - began_s >= 0.13


@pytest.mark.parametrize("wire", ["rtu", "rtu_over_tcp"])
async def test_a_slow_meter_on_a_serial_wire_forgets_what_it_was_asked_before(served, wire, meter, oplog):
    meter.fault = Fault(kind="slow", seconds=0.1)
    async with served(wire) as server, Line(server) as line:
        assert await line.ask(ASKED, 1, within_s=0.03) == b""
        assert await line.ask(ASKED, 10, within_s=0.3) == rtu_frame(3, TOLD)

    assert len(oplog.operations) == 1


@pytest.mark.parametrize("wire", WIRES)
async def test_garbage_is_something_and_not_the_answer(served, wire, meter, oplog):
    meter.fault = Fault(kind="garbage")
    async with served(wire) as server, Line(server) as line:
        heard = await line.ask(ASKED, 1)

    assert heard
    assert framed(wire, 3, TOLD) not in heard
    assert [operation.outcome for operation in oplog.operations] == ["garbage"]


async def test_a_fault_begins_and_ends_in_simulated_time(served, meter, clock):
    meter.faults = (Fault(kind="busy", from_s=3600, for_s=60, every_s=7200),)
    async with served("tcp") as server, Line(server) as line:
        said = []
        for seconds in (0, 3600, 59, 1, 7140):
            clock.advance(seconds)
            said.append((await line.ask(ASKED, 9))[8:9])

    assert said == [b"\x04", b"\x06", b"\x06", b"\x04", b"\x06"]
