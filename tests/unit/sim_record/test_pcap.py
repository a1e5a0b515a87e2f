import io
import itertools
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.errors import ConfigError
from plumbline_sim.record.pcap import Count, conversations, segments

MASTER, METER = ("10.0.0.9", 40_000), ("10.0.0.5", 502)
SYN, ACK = 2, 16
MAGIC = {("<", 1_000_000): 0xA1B2C3D4, ("<", 1_000_000_000): 0xA1B23C4D}


def packet(source, target, sequence, data=b"", flags=ACK, *, padding=b""):
    tcp = struct.pack(">HHIIBBHHH", source[1], target[1], sequence % 2**32, 0, 5 << 4, flags, 8192, 0, 0)
    addresses = b"".join(bytes(map(int, end[0].split("."))) for end in (source, target))
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 40 + len(data), 0, 0, 64, 6, 0) + addresses
    return b"\xaa" * 12 + b"\x08\x00" + ip + tcp + data + padding


def capture(packets, *, order="<", ticks=1_000_000, link=1):
    file = struct.pack(order + "IHHiIII", MAGIC["<", ticks], 2, 4, 0, 0, 65_535, link)
    for i, raw in enumerate(packets):
        file += struct.pack(order + "IIII", 1_700_000_000 + i, ticks // 4, len(raw), len(raw)) + raw
    return file


def read(file):
    count = Count()
    return list(conversations(segments(io.BytesIO(file), count), count)), count


def stream(heard, direction="request"):
    return b"".join(said.data for said in heard if said.direction == direction)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("ticks", [1_000_000, 1_000_000_000])
def test_both_byte_orders_and_both_resolutions_are_read(order, ticks):
    packets = [packet(MASTER, METER, 100, b"ask"), packet(METER, MASTER, 900, b"say")]
    heard, _ = read(capture(packets, order=order, ticks=ticks))

    assert [(said.t_s, said.direction, said.data) for said in heard] == [
        (0.0, "request", b"ask"),
        (1.0, "answer", b"say"),
    ]
    assert heard[0].server == "10.0.0.5:502"


@given(
    st.binary(min_size=1, max_size=60),
    st.lists(st.integers(1, 59), max_size=6),
    st.integers(0, 2**32 - 1),
    st.randoms(use_true_random=False),
)
def test_repeats_overlaps_and_disorder_make_no_difference(data, cuts, first, rng):
    edges = [0, *sorted({cut for cut in cuts if cut < len(data)}), len(data)]
    pieces = [(a, data[a:b]) for a, b in itertools.pairwise(edges)]
    pieces += [(a, data[a : a + 7]) for a in rng.sample(range(len(data)), min(3, len(data)))]
    rng.shuffle(pieces)
    opening = packet(MASTER, METER, first - 1, flags=SYN)
    heard, count = read(
        capture([opening, *(packet(MASTER, METER, first + at, piece) for at, piece in pieces)])
    )

    assert stream(heard) == data
    assert (count.holes, count.connections) == (0, 1)


def test_a_hole_is_told_and_what_follows_it_is_read():
    packets = [packet(MASTER, METER, 100, b"abc"), packet(MASTER, METER, 110, b"xyz")]
    heard, count = read(capture(packets))

    assert [(said.data, said.after_a_hole) for said in heard] == [(b"abc", False), (b"xyz", True)]
    assert count.holes == 1


def test_a_port_used_again_is_another_connection():
    packets = [
        packet(MASTER, METER, 99, flags=SYN),
        packet(MASTER, METER, 100, b"abc"),
        packet(MASTER, METER, 4999, flags=SYN),
        packet(MASTER, METER, 4999, flags=SYN),
        packet(MASTER, METER, 5000, b"xyz"),
    ]
    heard, _ = read(capture(packets))

    assert [(said.connection, said.data) for said in heard] == [(1, b"abc"), (2, b"xyz")]


def test_padding_of_short_packets_is_no_data():
    assert stream(read(capture([packet(MASTER, METER, 1, b"a", padding=b"\0" * 6)]))[0]) == b"a"


def test_other_ports_and_other_traffic_are_left_out():
    arp = b"\xff" * 12 + b"\x08\x06" + b"\0" * 28
    other = packet(("10.0.0.9", 40_001), ("10.0.0.5", 102), 1, b"iso")

    assert read(capture([arp, other]))[0] == []


def test_a_capture_that_ends_within_a_packet_says_so():
    heard, count = read(capture([packet(MASTER, METER, 1, b"abc"), packet(MASTER, METER, 4, b"def")])[:-2])

    assert (stream(heard), count.cut_short) == (b"abc", True)


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (b"", "not a packet capture"),
        (b"PK\x03\x04" + b"\0" * 40, "not a packet capture"),
        (b"\x0a\x0d\x0d\x0a" + b"\0" * 40, "pcapng"),
        (capture([], link=113), "link type 113"),
        (capture([]) + struct.pack("<IIII", 0, 0, 0x7FFFFFFF, 0), "2147483647 bytes"),
    ],
)
def test_what_is_no_capture_is_a_sentence(file, words):
    with pytest.raises(ConfigError, match=words):
        read(file)


@given(st.lists(st.binary(max_size=120), max_size=8), st.binary(max_size=40))
def test_no_capture_crashes_the_reader(packets, tail):
    try:
        heard, _ = read(capture(packets) + tail)
    except ConfigError:
        return

    assert len(stream(heard)) <= sum(map(len, packets))


@given(st.binary(max_size=80))
def test_no_tcp_header_crashes_the_reader(rest):
    raw = packet(MASTER, METER, 1)
    heard, _ = read(capture([raw[:14] + rest, raw[:34] + rest]))

    assert len(stream(heard) + stream(heard, "answer")) <= 2 * len(rest)
