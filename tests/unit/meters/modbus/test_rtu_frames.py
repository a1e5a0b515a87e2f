"""Answers on a serial line, where nothing but their place says what they answer."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pymodbus.framer import FramerRTU

from plumbline_edge.meters.dlt645.frames import READS as DLT645_READS
from plumbline_edge.meters.modbus.frames import Expected, crc16, find_rtu_answer
from plumbline_edge.meters.modbus.plan import Span
from plumbline_edge.meters.modbus.questions import ReadIdentification, ReadRegisters
from plumbline_edge.meters.wire.readonly import MODBUS_READS, only_asks


def framed(*parts):
    body = b"".join(parts)
    return body + crc16(body).to_bytes(2, "little")


REQUEST = framed(b"\x11\x04\0\0\0\2")
ANSWER = framed(b"\x11\x04\x04\x43\x66\x19\x99")
EXCEPTION = framed(b"\x11\x84\x02")
EXPECTED = Expected(unit=0x11, function=4, size=4)
OTHER = framed(b"\x12\x04\x04\x43\x66\x19\x99")


def find(received):
    return find_rtu_answer(EXPECTED, REQUEST, received)


@given(st.binary(max_size=80))
def test_the_checksum_is_the_one_that_the_field_computes(data):
    assert crc16(data).to_bytes(2, "big") == FramerRTU.compute_CRC(data).to_bytes(2, "big") or (
        crc16(data).to_bytes(2, "little") == FramerRTU.compute_CRC(data).to_bytes(2, "big")
    )


@pytest.mark.parametrize("before", [b"", b"\0", b"\xff\0", REQUEST, REQUEST + b"\0"])
@pytest.mark.parametrize("after", [b"", b"\0", b"\xff\xff"])
@pytest.mark.parametrize("answer", [ANSWER, EXCEPTION])
def test_an_answer_is_taken_alone_behind_an_echo_and_between_strays(before, after, answer):
    assert find(before + answer + after).frame == answer


@pytest.mark.parametrize(
    "received",
    [
        OTHER + ANSWER,
        b"\x55" + ANSWER,
        ANSWER + ANSWER,
        ANSWER + b"\x55",
        framed(b"\x11\x03\0\0\0\2") + framed(b"\x11\x03\x04\0\0\0\0"),
        framed(b"\x12\x04\0\0\0\2") + OTHER,
        bytes(5) + ANSWER,
        framed(b"\x11\x04\x02\0\0"),
        framed(b"\x11\x04\x06\0\0\0\0\0\0"),
    ],
    ids=["another's answer first", "noise first", "twice", "more after", "another master", "another master elsewhere",
         "many strays", "too short", "too long"],
)  # fmt: skip
def test_what_somebody_else_says_around_it_makes_an_answer_worthless(received):
    verdict = find(received)

    assert verdict.frame == b""
    assert verdict.odd


@given(st.integers(0, len(ANSWER) * 8 - 1))
def test_a_flipped_bit_is_never_taken(bit):
    bent = bytearray(ANSWER)
    bent[bit // 8] ^= 1 << bit % 8

    assert find(bytes(bent)).frame == b""


@given(st.integers(0, len(REQUEST)), st.integers(0, len(ANSWER) - 1))
def test_a_beginning_is_waited_for(echo, cut):
    received = REQUEST[:echo] if echo < len(REQUEST) else REQUEST + ANSWER[:cut]
    verdict = find(received)

    assert verdict.frame == b""
    assert not verdict.hopeless


@given(st.binary(max_size=300))
def test_noise_is_never_an_answer(noise):
    assume(crc16(noise[:9]) != 0)

    verdict = find(noise)

    assert not verdict.frame or crc16(verdict.frame[:-2]) == int.from_bytes(verdict.frame[-2:], "little")


def test_a_device_identification_is_found_by_its_own_lengths():
    expected = Expected(unit=1, function=43, size=0)
    answer = framed(b"\1\x2b\x0e\4\x83\0\0\1\4\7iEM3155")
    request = ReadIdentification(1, 4, "rtu").request(0)

    assert find_rtu_answer(expected, request, answer).frame == answer
    assert not find_rtu_answer(expected, request, answer[:-3]).frame


@pytest.mark.parametrize("framing", ["tcp", "rtu"])
@given(unit=st.integers(0, 247), start=st.integers(0, 65_000), count=st.integers(1, 125))
def test_every_question_only_asks(framing, unit, start, count):
    for function in (3, 4):
        question = ReadRegisters(unit, function, Span(start, start + count), framing)
        assert only_asks(framing, question.request(7))
    assert only_asks(framing, ReadIdentification(unit, start % 7, framing).request(7))


@given(function=st.integers(0, 255), rest=st.binary(max_size=12), unit=st.integers(0, 255))
def test_whole_frames_with_a_writing_function_stay_here(function, rest, unit):
    assume(function not in MODBUS_READS)
    pdu = bytes((unit, function)) + rest
    tcp = b"\0\7\0\0" + len(pdu).to_bytes(2) + pdu

    assert not only_asks("tcp", tcp)
    assert not only_asks("rtu", framed(pdu))


@given(control=st.integers(0, 255), data=st.binary(max_size=8), address=st.binary(min_size=6, max_size=6))
def test_a_dlt645_frame_leaves_only_where_it_reads(control, data, address):
    body = b"\x68" + address + b"\x68" + bytes((control, len(data))) + data
    frame = body + bytes((sum(body) & 0xFF, 0x16))

    assert only_asks("rtu", b"\xfe\xfe" + frame) == (control in DLT645_READS)
    assert not only_asks("tcp", frame)
