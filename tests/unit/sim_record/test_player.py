import pytest

from plumbline_sim.meter.rtuframe import rtu_frame
from plumbline_sim.record.messages import tcp_frame
from plumbline_sim.record.player import Player
from plumbline_sim.record.tape import Line, pair

ASK, OTHER = bytes.fromhex("0400000002"), bytes.fromhex("0400340002")
SAID = [bytes.fromhex("0404") + bytes((0, 0, 0, number)) for number in range(3)]


def tape(*said, protocol="tcp"):
    """(t_s, direction, bytes, server)"""
    return pair(
        protocol,
        [
            Line(t_s=t, dir=way, hex=raw.hex(), connection=1 + len(rest), server="".join(rest))
            for t, way, raw, *rest in said
        ],
    )


@pytest.fixture
def three_polls():
    return tape(
        *(
            line
            for i, pdu in enumerate(SAID)
            for line in (
                (i, "request", tcp_frame(i, 1, ASK)),
                (i + 0.2 + i / 10, "answer", tcp_frame(i, 1, pdu)),
            )
        )
    )


def said(player, times, *, pdu=ASK):
    return [player.answer(tcp_frame(100 + i, 1, pdu), float(i))[1] for i in range(times)]


def test_answers_come_in_recorded_order_then_the_last_again(three_polls):
    assert said(Player(three_polls), 5) == [tcp_frame(100 + i, 1, SAID[min(i, 2)]) for i in range(5)]


def test_with_loop_the_first_comes_after_the_last(three_polls):
    assert said(Player(three_polls, loop=True), 5) == [tcp_frame(100 + i, 1, SAID[i % 3]) for i in range(5)]


def test_each_answer_takes_as_long_as_recorded_by_speed(three_polls):
    player = Player(three_polls, speed=2.0)

    assert [player.answer(tcp_frame(1, 1, ASK), 0.0)[0] for _ in SAID] == pytest.approx([0.1, 0.15, 0.2])


def test_recorded_silence_is_silence_in_its_turn():
    player = Player(
        tape(
            (0, "request", tcp_frame(1, 1, ASK)),
            (5, "request", tcp_frame(2, 1, ASK)),
            (6, "answer", tcp_frame(2, 1, SAID[0])),
        )
    )

    assert said(player, 2) == [None, tcp_frame(101, 1, SAID[0])]
    assert (player.left_silent, player.answered) == (1, 1)


def test_what_was_never_recorded_is_exception_11_and_counted(three_polls):
    player = Player(three_polls)

    assert said(player, 2, pdu=OTHER) == [tcp_frame(100, 1, b"\x84\x0b"), tcp_frame(101, 1, b"\x84\x0b")]
    (unknown,) = player.unknown.values()
    assert (unknown.times, unknown.first_s, unknown.request.pdu) == (2, 0.0, OTHER)


def test_another_unit_is_another_request(three_polls):
    assert Player(three_polls).answer(tcp_frame(1, 2, ASK), 0.0)[1] == tcp_frame(1, 2, b"\x84\x0b")


def test_on_a_serial_bus_what_was_never_recorded_is_silence():
    player = Player(
        tape((0, "request", rtu_frame(1, ASK)), (1, "answer", rtu_frame(1, SAID[0])), protocol="rtu")
    )

    assert player.answer(rtu_frame(1, OTHER), 0.0)[1] is None
    assert player.answer(rtu_frame(1, ASK), 0.0)[1] == rtu_frame(1, SAID[0])


def test_a_wrong_transaction_is_wrong_by_as_much():
    player = Player(tape((0, "request", tcp_frame(1, 1, ASK)), (1, "answer", tcp_frame(0, 1, SAID[0]))))

    assert player.answer(tcp_frame(0, 1, ASK), 0.0)[1] == tcp_frame(65_535, 1, SAID[0])


def test_broken_bytes_are_played_as_they_were():
    player = Player(tape((0, "request", tcp_frame(1, 1, ASK)), (1, "answer", b"\xff\x00half")))

    assert said(player, 1) == [b"\xff\x00half"]


def test_a_request_that_was_no_frame_gets_what_it_got():
    player = Player(tape((0, "request", b"\0\1\0\1junk"), (1, "answer", tcp_frame(1, 1, SAID[0]))))

    assert player.answer(b"\0\1\0\1junk", 0.0)[1] == tcp_frame(1, 1, SAID[0])


def test_a_tcp_recording_can_be_played_on_a_serial_bus(three_polls):
    player = Player(three_polls, framing="rtu")

    assert player.is_whole(rtu_frame(1, ASK))
    assert player.answer(rtu_frame(1, ASK), 0.0)[1] == rtu_frame(1, SAID[0])


def test_a_serial_recording_can_be_played_over_tcp():
    player = Player(
        tape((0, "request", rtu_frame(1, ASK)), (1, "answer", rtu_frame(1, SAID[0])), protocol="rtu"),
        framing="tcp",
    )

    assert said(player, 1) == [tcp_frame(100, 1, SAID[0])]


def test_one_of_several_servers_can_be_played():
    both = tape(
        (0, "request", tcp_frame(1, 255, ASK), "a"), (1, "answer", tcp_frame(1, 255, SAID[0]), "a"),
        (2, "request", tcp_frame(2, 255, ASK), "b"), (3, "answer", tcp_frame(2, 255, SAID[1]), "b"),
    )  # fmt: skip

    assert both.servers == ("a", "b")
    assert Player(both, server="b").answer(tcp_frame(3, 255, ASK), 0.0)[1] == tcp_frame(3, 255, SAID[1])
