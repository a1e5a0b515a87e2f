import struct

from hypothesis import given
from hypothesis import strategies as st

from plumbline_sim.meter.rtuframe import crc16, find_request, rtu_frame

units = st.integers(0, 247)
words = st.integers(0, 0xFFFF)
reads = st.builds(
    lambda code, start, count: struct.pack(">BHH", code, start, count), st.integers(1, 6), words, words
)
writes = st.builds(
    lambda start, data: struct.pack(">BHHB", 16, start, len(data) // 2, len(data)) + data,
    words,
    st.binary(max_size=246),
)
identifications = st.builds(
    lambda code, number: bytes((43, 14, code, number)), st.integers(1, 4), st.integers(0, 6)
)
requests = st.one_of(reads, writes, identifications)


def test_the_check_sum_is_the_standards_own_example():
    assert crc16(b"\x02\x07") == b"\x41\x12"  # Modbus over serial line V1.02, appendix B


@given(unit=units, pdu=requests)
def test_a_request_is_found_when_its_last_byte_is_there_and_not_before(unit, pdu):
    frame = rtu_frame(unit, pdu)

    found = find_request(frame)

    assert (found.unit, found.pdu, found.begin, found.end) == (unit, pdu, 0, len(frame))
    assert all(find_request(frame[:length]) is None for length in range(len(frame)))


@given(unit=units, pdu=requests, noise=st.lists(st.sampled_from((0x00, 0xFF)), max_size=12))
def test_a_request_is_found_after_noise(unit, pdu, noise):
    frame = rtu_frame(unit, pdu)

    found = find_request(bytes(noise) + frame + b"\x01")

    assert (found.unit, found.pdu, found.end) == (unit, pdu, len(noise) + len(frame))


@given(unit=units, pdu=requests, bit=st.integers(0))
def test_a_request_with_one_bit_turned_is_not_believed(unit, pdu, bit):
    frame = bytearray(rtu_frame(unit, pdu))
    at = bit % (8 * len(frame))
    frame[at // 8] ^= 1 << at % 8

    found = find_request(bytes(frame))

    assert found is None or found.begin > 0


@given(received=st.binary(max_size=300))
def test_any_bytes_are_gone_through_without_an_error(received):
    found = find_request(received)

    assert found is None or crc16(received[found.begin : found.end]) == b"\0\0"
