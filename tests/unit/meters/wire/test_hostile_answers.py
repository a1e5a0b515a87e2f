"""Hostile answers to all three protocols: no crash, no hang, no wrong value taken for a good one.

`make fuzz` plays over 100,000 cases; a plain test run a share of them.
"""

import asyncio
import os
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plumbline.errors import PlumblineError
from plumbline_edge.meters.dlt645.frames import ReadData
from plumbline_edge.meters.modbus.decode import Decoder
from plumbline_edge.meters.modbus.frames import crc16
from plumbline_edge.meters.modbus.plan import Span
from plumbline_edge.meters.modbus.questions import ReadIdentification, ReadRegisters
from plumbline_edge.meters.profiles.file import find_profile
from plumbline_edge.meters.wire.bus import Bus
from plumbline_edge.meters.wire.pace import Pace

CASES = int(os.environ.get("PLUMBLINE_FUZZ_CASES", "400"))
many = settings(
    max_examples=CASES,
    deadline=2_000,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
few = settings(
    max_examples=max(60, CASES // 100), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)

SDM120 = find_profile("eastron_sdm120")
SPAN = Span(0, 2)
TRANSACTION = 0x0107
TRUE = bytes.fromhex("43669999")
ADDRESS = "000012345678"
DI = 0x02010100


def rtu(*parts):
    body = b"".join(parts)
    return body + crc16(body).to_bytes(2, "little")


def mbap(transaction, pdu):
    return transaction.to_bytes(2) + b"\0\0" + len(pdu).to_bytes(2) + pdu


def dlt(control, data, address=ADDRESS):
    body = b"\x68" + bytes.fromhex(address)[::-1] + b"\x68" + bytes((control, len(data)))
    body += bytes((byte + 0x33) & 0xFF for byte in data)
    return body + bytes((sum(body) & 0xFF, 0x16))


def pieces(honest, others):
    """What a dirty wire may say: the answer, whole answers to others, parts and bent copies of both, noise."""
    frames = st.sampled_from([honest, *others])
    cut = st.tuples(frames, st.integers(0, 40), st.integers(0, 40)).map(lambda t: t[0][t[1] : t[1] + t[2]])
    bent = st.tuples(frames, st.integers(0, 400), st.integers(1, 255)).map(_bent)
    noise = st.binary(max_size=40)
    return st.lists(st.one_of(frames, cut, bent, noise), max_size=5)


def _bent(what):
    frame, place, by = what
    place %= len(frame)
    return frame[:place] + bytes((frame[place] ^ by,)) + frame[place + 1 :]


QUESTIONS = {
    "tcp": (
        ReadRegisters(1, 4, SPAN, "tcp"),
        mbap(TRANSACTION, b"\1\4\4" + TRUE),
        [
            mbap(TRANSACTION - 1, b"\1\4\4\0\0\0\0"),
            mbap(0, b"\1\4\4\1\1\1\1"),
            mbap(TRANSACTION, b"\2\4\4\2\2\2\2"),
            mbap(TRANSACTION, b"\1\3\4\3\3\3\3"),
            mbap(TRANSACTION, b"\1\4\2\4\4"),
            mbap(TRANSACTION, b"\1\x84\6"),
        ],
    ),
    "rtu": (
        ReadRegisters(1, 4, SPAN, "rtu"),
        rtu(b"\1\4\4" + TRUE),
        [
            rtu(b"\2\4\4\0\0\0\0"),
            rtu(b"\1\3\4\1\1\1\1"),
            rtu(b"\1\4\2\2\2"),
            rtu(b"\1\4\0\0\0\2"),
            rtu(b"\1\4\0\x46\0\2") + rtu(b"\1\4\4\3\3\3\3"),
            rtu(b"\1\x84\6"),
        ],
    ),
    "dlt645": (
        ReadData(address=ADDRESS, di=DI, size=2),
        dlt(0x91, DI.to_bytes(4, "little") + b"\x05\x23"),
        [
            dlt(0x91, (DI + 0x100).to_bytes(4, "little") + b"\x01\x01"),
            dlt(0x91, DI.to_bytes(4, "little") + b"\x02\x02", "000012345679"),
            dlt(0x92, DI.to_bytes(4, "little") + b"\x03\x03"),
            dlt(0x93, bytes(6)),
            dlt(0xD1, b"\x02"),
        ],
    ),
}
STRANGERS = rtu(b"\1\4\4\3\3\3\3")
"""Another master's answer from the same meter, of the same length: alone on the wire nothing tells it from ours."""
PAYLOADS = {"tcp": TRUE, "rtu": TRUE, "dlt645": b"\x05\x23"}


def taken(question, transaction, received):
    """The payload that is accepted of these bytes; None where none is."""
    verdict = question.judge(transaction, received)
    if not verdict.frame:
        return None
    try:
        return question.payload(verdict.frame)
    except PlumblineError:
        return None


def could_be_true(protocol, said, payload):
    """Modbus TCP has no checksum: bent data in a whole frame cannot be told, TCP itself guards it."""
    if payload is None or payload == PAYLOADS[protocol]:
        return True
    if protocol == "rtu" and payload == STRANGERS[3:-2]:
        return b"".join(said).lstrip(b"\0\xff").startswith(STRANGERS)
    return protocol == "tcp" and any(
        len(piece) == 13 and piece[:9] == QUESTIONS["tcp"][1][:9] and piece[9:] == payload for piece in said
    )


@pytest.mark.parametrize("protocol", QUESTIONS)
@many
@given(data=st.data())
def test_of_all_that_a_dirty_wire_says_only_the_answer_is_taken(protocol, data):
    question, honest, others = QUESTIONS[protocol]
    said = data.draw(pieces(honest, others))

    payload = taken(question, TRANSACTION, b"".join(said))

    if protocol == "tcp":  # pieces may join to a whole frame with other data in it
        stream = b"".join(said)
        assert payload is None or payload == TRUE or QUESTIONS["tcp"][1][:9] + payload in stream
    else:
        assert could_be_true(protocol, said, payload)


@pytest.mark.parametrize("protocol", QUESTIONS)
@many
@given(noise=st.binary(max_size=600))
def test_noise_never_crashes_and_is_no_answer(protocol, noise):
    question, honest, _ = QUESTIONS[protocol]

    payload = taken(question, TRANSACTION, noise)

    assert payload is None or honest[:6] in noise


@many
@given(noise=st.binary(max_size=300), unit=st.integers(0, 247), framing=st.sampled_from(["tcp", "rtu"]))
def test_a_hostile_identification_never_crashes(noise, unit, framing):
    question = ReadIdentification(unit, 4, framing)
    body = bytes((unit, 43)) + noise[:240]
    frame = mbap(TRANSACTION, body) if framing == "tcp" else rtu(body)

    assert taken(question, TRANSACTION, frame) is None or frame[2 if framing == "rtu" else 8] == 0x0E


@many
@given(block=st.binary(min_size=160, max_size=160))
def test_any_registers_decode_to_numbers_in_range_or_to_flaws(block):
    profile = find_profile("eastron_sdm630")
    span = Span(0, 80)
    inside = [r for r in profile.registers if r.end <= 80]
    decoder = Decoder(replace(profile, registers=tuple(inside)), [span])
    values, flaws = decoder.decode([block])
    flawed = dict(flaws)

    for i, (value, register) in enumerate(zip(values, inside, strict=True)):
        if i not in flawed:
            low, high = register.low, register.high
            assert value is not None
            assert low <= register.metric.from_wire(value) <= high


class Hostile:
    """A line that answers each request with the next script: what is said at once, piece by piece."""

    def __init__(self, script):
        self.script = list(script)

    async def open(self, ears):
        self.ears = ears
        return self

    def send(self, request):
        loop = asyncio.get_running_loop()
        for piece in self.script.pop(0) if self.script else []:
            loop.call_soon(self.ears.heard, piece)

    def close(self):
        pass


@pytest.mark.parametrize("protocol", QUESTIONS)
@few
@given(data=st.data())
def test_the_bus_always_ends_in_time_and_takes_nothing_wrong(protocol, data):
    question, honest, others = QUESTIONS[protocol]
    scripts = data.draw(st.lists(pieces(honest, others), min_size=1, max_size=4))

    async def play():
        loop = asyncio.get_running_loop()
        line = Hostile(scripts)
        bus = Bus("hostile", line.open, "tcp" if protocol == "tcp" else "rtu")
        bus._transaction = TRANSACTION - 1
        for said in scripts:
            began_s = loop.time()
            try:
                payload = await bus.once(question, Pace(0.01))
            except PlumblineError:
                payload = None
            assert loop.time() - began_s < 3
            assert could_be_true(protocol, said, payload) or protocol == "tcp"
        await bus.stop()

    asyncio.run(play())
