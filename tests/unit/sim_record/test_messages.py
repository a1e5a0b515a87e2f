from hypothesis import given
from hypothesis import strategies as st

from plumbline_sim.meter.rtuframe import crc16, rtu_frame
from plumbline_sim.record.messages import (
    MOST_BYTES,
    Cutter,
    Meaning,
    meaning,
    read_message,
    tcp_frame,
)

units = st.integers(0, 255)
reads = st.builds(
    lambda fc, start, count: bytes((fc,)) + start.to_bytes(2) + count.to_bytes(2),
    st.sampled_from((1, 2, 3, 4)), st.integers(0, 65_535), st.integers(1, 125),
)  # fmt: skip
values = st.builds(
    lambda fc, data: bytes((fc, len(data))) + data,
    st.sampled_from((3, 4)),
    st.binary(min_size=2, max_size=250),
)
refusals = st.builds(lambda fc, code: bytes((fc | 0x80, code)), st.integers(1, 43), st.integers(1, 11))
any_pdu = st.binary(min_size=1, max_size=250)


@st.composite
def cut_up(draw, frames):
    """Some frames, and the pieces in which a network might bring them."""
    whole = draw(st.lists(frames, max_size=6))
    stream = b"".join(whole)
    cuts = sorted(draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    return whole, [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]


def cut(framing, direction, pieces):
    cutter = Cutter(framing, direction)
    return [message for piece in pieces for message in cutter.feed(piece)], cutter.begun


@given(cut_up(st.builds(tcp_frame, st.integers(0, 65_535), units, any_pdu)))
def test_tcp_frames_come_out_as_they_went_in_however_they_are_cut(case):
    frames, pieces = case
    messages, left = cut("tcp", "answer", pieces)

    assert [message.raw for message in messages] == frames
    assert left == b""


@given(cut_up(st.builds(rtu_frame, units, reads)))
def test_rtu_requests_come_out_as_they_went_in_however_they_are_cut(case):
    frames, pieces = case

    assert [message.raw for message in cut("rtu", "request", pieces)[0]] == frames


@given(cut_up(st.builds(rtu_frame, units, values | refusals)))
def test_rtu_answers_come_out_as_they_went_in_however_they_are_cut(case):
    frames, pieces = case

    assert [message.raw for message in cut("rtu", "answer", pieces)[0]] == frames


@given(st.lists(st.binary(max_size=600), max_size=8), st.sampled_from(("tcp", "rtu")))
def test_no_byte_is_lost_or_invented_and_little_is_held(pieces, framing):
    cutter = Cutter(framing, "answer")
    said = b""
    for piece in pieces:
        for message in cutter.feed(piece):
            said += message.raw
        assert len(cutter.begun) <= MOST_BYTES
    rest = cutter.rest()

    assert said + (rest.raw if rest else b"") == b"".join(pieces)


def test_the_checksum_is_the_standards_own_example():
    assert crc16(bytes.fromhex("0207")) == bytes.fromhex("4112")  # Modbus over Serial Line V1.02, appendix B


def test_a_broken_checksum_makes_no_message():
    frame = rtu_frame(1, bytes.fromhex("0300000002"))

    assert read_message("rtu", frame).pdu == bytes.fromhex("0300000002")
    assert read_message("rtu", frame[:-1] + bytes((frame[-1] ^ 1,))).pdu == b""


def test_what_a_message_says_is_told_as_far_as_it_can_be():
    def said(pdu, direction):
        return meaning(read_message("tcp", tcp_frame(7, 3, bytes.fromhex(pdu))), direction)

    assert said("0400340002", "request") == Meaning(unit=3, function=4, start=52, count=2)
    assert said("040443664000", "answer") == Meaning(unit=3, function=4)
    assert said("0600050001", "request") == Meaning(unit=3, function=6, start=5, count=1)
    assert said("8402", "answer") == Meaning(unit=3, function=4, exception=2)
    assert said("2b0e0100", "request") == Meaning(unit=3, function=43)
