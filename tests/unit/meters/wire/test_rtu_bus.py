"""The bus on a serial line: a pty pair, its far end played by hand."""

import asyncio
import os
import tty

import pytest

from plumbline.errors import Refused
from plumbline_edge.meters.modbus.frames import crc16
from plumbline_edge.meters.modbus.plan import Span
from plumbline_edge.meters.modbus.questions import read_registers
from plumbline_edge.meters.wire.bus import Bus, serial_bus
from plumbline_edge.meters.wire.failure import BusFailure
from plumbline_edge.meters.wire.line import SerialPort
from plumbline_edge.meters.wire.pace import Pace

SPAN = Span(0, 2)


def answer_of(unit, value, words=2):
    body = bytes((unit, 4, 2 * words)) + value.to_bytes(2 * words)
    return body + crc16(body).to_bytes(2, "little")


class Far:
    """The other end of the wire: `reply(request)` says what comes back, and after how many seconds."""

    def __init__(self, fd):
        self.fd = fd
        self.requests = []
        self.times = []
        self.reply = lambda request: [(0.0, answer_of(request[0], len(self.requests)))]
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(fd, self._heard)

    def _heard(self):
        request = os.read(self.fd, 300)
        self.requests.append(request)
        self.times.append(self._loop.time())
        for after_s, data in self.reply(request):
            if after_s:
                self._loop.call_later(after_s, self.say, data)
            else:
                self.say(data)

    def say(self, data):
        os.write(self.fd, data)

    def close(self):
        self._loop.remove_reader(self.fd)
        os.close(self.fd)


@pytest.fixture
async def wire():
    master, slave = os.openpty()
    tty.setraw(slave)
    far = Far(master)
    bus = serial_bus(SerialPort(device=os.ttyname(slave), baud=115_200))
    yield far, bus
    await bus.stop()
    far.close()
    os.close(slave)


async def ask(bus, unit=1, span=SPAN, pace=None, **how):
    question = read_registers(unit, 4, span, "rtu")
    return int.from_bytes(await bus.turn(lambda: bus.ask(question, pace or Pace(0.2), **how)))


async def test_a_value_comes_over_a_serial_line(wire):
    _, bus = wire

    assert [await ask(bus) for _ in range(3)] == [1, 2, 3]


async def test_a_late_answer_is_not_taken_for_the_next_one_and_tells_that_the_meter_is_slow(wire):
    far, bus = wire
    far.reply = lambda request: [(0.25, answer_of(1, 111))]
    pace = Pace(0.1)
    with pytest.raises(BusFailure) as silence:
        await ask(bus, pace=pace)
    far.reply = lambda request: [(0.0, answer_of(1, 222))]
    with pytest.raises(BusFailure) as held:
        await ask(bus, pace=pace)
    while not bus.counters["late"]:  # noqa: ASYNC110 - the wire is watched from outside
        await asyncio.sleep(0.01)

    assert (silence.value.kind, held.value.kind) == ("timeout", "late")
    assert len(far.requests) == 1
    assert await ask(bus, pace=pace) == 222
    assert pace.late == 1
    assert pace.smoothed_s >= 0.2


async def test_another_meters_late_answer_is_passed_over_while_we_wait_for_ours(wire):
    far, bus = wire
    far.reply = lambda request: [(0.15, answer_of(9, 999))] if request[0] == 9 else [(0.2, answer_of(1, 5))]
    slow, right = Pace(0.05), Pace(0.5)
    with pytest.raises(BusFailure):
        await ask(bus, unit=9, pace=slow)

    assert await ask(bus, unit=1, pace=right) == 5
    assert slow.late == 1


async def test_nothing_is_sent_while_somebody_else_talks(wire):
    far, bus = wire
    await ask(bus)
    stranger = asyncio.get_running_loop().time()
    far.say(b"\x07\x03\x00\x00\x00\x02\xc4\x6d")
    await asyncio.sleep(0.02)
    await ask(bus)

    assert far.times[-1] - stranger >= 0.1
    assert bus.counters["foreign"] == 1


async def test_a_meter_gets_its_silence_between_requests(wire):
    far, bus = wire
    for _ in range(3):
        await ask(bus, quiet_s=0.06)

    assert all(b - a >= 0.06 for a, b in zip(far.times, far.times[1:], strict=False))


async def test_a_wrong_checksum_fails_at_once_and_is_counted_as_such(wire):
    far, bus = wire
    far.reply = lambda request: [(0.0, answer_of(1, 5)[:-1] + b"\x99")]
    began = asyncio.get_running_loop().time()
    with pytest.raises(BusFailure, match="checksum") as caught:
        await ask(bus, pace=Pace(5.0))

    assert caught.value.kind == "crc"
    assert asyncio.get_running_loop().time() - began < 2


async def test_an_adapter_that_echoes_does_no_harm(wire):
    far, bus = wire
    far.reply = lambda request: [(0.0, request[:5]), (0.01, request[5:]), (0.02, answer_of(1, 77))]

    assert await ask(bus) == 77


async def test_an_adapter_pulled_out_is_said_and_found_again(wire):
    _, bus = wire
    await ask(bus)
    bus._line._gone("the adapter is gone")

    assert await ask(bus) == 2
    assert bus.counters["connects"] == 2


async def test_a_port_that_is_not_there_is_said_in_words(tmp_path):
    bus = serial_bus(SerialPort(device=str(tmp_path / "ttyUSB7")))
    with pytest.raises(BusFailure, match="no such file") as caught:
        await ask(bus)

    assert caught.value.kind == "connection"
    await bus.stop()


async def test_a_port_in_use_by_another_program_is_not_shared(wire):
    _, bus = wire
    await ask(bus)
    second = serial_bus(SerialPort(device=bus.name))
    with pytest.raises(BusFailure, match="another program"):
        await ask(second)
    await second.stop()


async def test_bytes_that_would_write_never_leave_whatever_asks(wire):
    far, bus = wire
    await ask(bus)

    class Writing:
        whom, what, answer_bytes = "unit 1", "a coil", 8

        def request(self, transaction):
            body = b"\x01\x05\x00\x00\xff\x00"
            return body + crc16(body).to_bytes(2, "little")

        def alike(self, other):
            return False

    with pytest.raises(Refused, match="never writes"):
        await bus.turn(lambda: bus.ask(Writing(), Pace(0.1)))

    assert len(far.requests) == 1


async def test_turns_go_by_who_came_first_and_who_may_wait_lets_others_pass():
    bus, order = Bus("none", None, "tcp"), []

    def work(name):
        async def run():
            order.append(name)
            await asyncio.sleep(0)

        return run

    comers = (("a", 0), ("silent", 5.0), ("b", 0), ("c", 0))
    await asyncio.gather(*(bus.turn(work(name), may_wait_s=wait_s) for name, wait_s in comers))
    await bus.stop()

    assert order == ["a", "b", "c", "silent"]


async def test_who_may_wait_has_its_turn_on_a_wire_that_is_never_free():
    bus = Bus("none", None, "tcp")
    busy_s = asyncio.get_running_loop().time() + 5

    async def ask_and_come_again():
        await asyncio.sleep(0.001)
        if not probe.done() and asyncio.get_running_loop().time() < busy_s:
            live.append(bus.turn(ask_and_come_again))

    live = []
    probe = bus.turn(lambda: asyncio.sleep(0, len(live)), may_wait_s=0.05)
    live.append(bus.turn(ask_and_come_again))

    assert await probe < 60
    await bus.stop()


async def test_a_turn_that_nobody_waits_for_any_more_is_left_out():
    bus, ran = Bus("none", None, "tcp"), []
    gate = asyncio.Event()
    first = bus.turn(gate.wait)
    given_up = bus.turn(lambda: asyncio.sleep(0, ran.append("given up")))
    last = bus.turn(lambda: asyncio.sleep(0, "last"))
    given_up.cancel()
    gate.set()
    await first

    assert await last == "last"
    assert ran == []
    await bus.stop()


@pytest.mark.parametrize("what", ["folder", "file", "null"])
async def test_what_is_no_serial_port_is_said_in_words(tmp_path, what):
    (tmp_path / "file").write_text("x")
    device = {"folder": tmp_path, "file": tmp_path / "file", "null": "/dev/null"}[what]
    bus = serial_bus(SerialPort(device=str(device)))
    with pytest.raises(BusFailure) as caught:
        await ask(bus)

    assert caught.value.kind == "connection"
    await bus.stop()


async def test_a_pseudo_terminal_takes_any_parity(wire):
    _, bus = wire
    even = serial_bus(SerialPort(device=bus.name, baud=2400, parity="E"))

    for _ in range(2):
        assert await ask(even) > 0
        even._drop()
    await even.stop()


async def test_a_late_exception_to_one_read_is_not_taken_for_one_to_another_read_of_that_meter(wire):
    far, bus = wire
    no = b"\x01\x84\x02"
    far.reply = lambda request: [(0.15, no + crc16(no).to_bytes(2, "little"))]
    pace = Pace(0.1)
    with pytest.raises(BusFailure):
        await ask(bus, pace=pace)
    far.reply = lambda request: [(0.1, answer_of(1, 222, words=4))]
    with pytest.raises(BusFailure) as held:
        await ask(bus, span=Span(10, 14), pace=Pace(0.5))

    assert held.value.kind == "late"
