"""What real devices answered in public captures, given to the gateway's own judging."""

import os
from pathlib import Path

import pytest

from plumbline.cli import run
from plumbline_edge.meters.modbus.plan import Span
from plumbline_edge.meters.modbus.questions import ReadIdentification, ReadRegisters
from plumbline_edge.meters.wire.bus import tcp_bus
from plumbline_edge.meters.wire.failure import BusFailure, ExceptionAnswer
from plumbline_edge.meters.wire.pace import Pace
from plumbline_sim.record.player import Player
from plumbline_sim.record.replay import ReplayServer
from plumbline_sim.record.tape import load_tape

DATA = Path(os.environ.get("PLUMBLINE_DATA", Path(__file__).parents[3] / "shared" / "data")) / "pcaps"
CAPTURES = sorted(DATA.glob("*.pcap"))
REGISTERS = (3, 4)

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(
        not CAPTURES, reason=f"no captures at {DATA}: set PLUMBLINE_DATA to the folder of pcaps/"
    ),
]


@pytest.fixture(params=CAPTURES, ids=lambda path: path.stem)
def tape(request, tmp_path):
    out = tmp_path / "bus.jsonl"
    assert run(["sim", "record", "--from-pcap", str(request.param), "--out", str(out)]) == 0
    return load_tape(out)


def question_of(exchange):
    """Our own question for a recorded read of registers; None for anything else."""
    pdu = exchange.request.pdu
    if len(pdu) != 5 or pdu[0] not in REGISTERS:
        return None
    start, count = int.from_bytes(pdu[1:3]), int.from_bytes(pdu[3:5])
    if not 1 <= count <= 125 or start + count > 65_536:
        return None
    return ReadRegisters(exchange.request.unit, pdu[0], Span(start, start + count), "tcp")


def test_our_questions_are_the_recorded_ones_byte_for_byte(tape):
    for exchange in tape.exchanges:
        if (question := question_of(exchange)) is not None:
            assert question.request(exchange.request.transaction) == exchange.request.raw


def test_each_recorded_answer_is_taken_whole_or_refused_by_its_exception_and_no_other_is(tape):
    reads = [(e, q) for e in tape.exchanges if e.answer is not None and (q := question_of(e)) is not None]
    taken = 0
    for exchange, question in reads:
        answer, transaction = exchange.answer, exchange.request.transaction
        verdict = question.judge(transaction, answer.raw)
        honest = answer.pdu[0] == exchange.request.pdu[0] and len(answer.pdu) == 2 + question.answer_bytes - 9
        if honest:
            taken += 1
            assert question.payload(verdict.frame) == answer.pdu[2:]
        elif answer.pdu[0] & 0x80:
            with pytest.raises((ExceptionAnswer, BusFailure)):
                question.payload(verdict.frame)
        else:
            assert not verdict.frame
        assert not question.judge(transaction ^ 1, answer.raw).frame
    assert taken or not reads


async def test_the_gateways_bus_reads_a_replayed_capture(tape):
    read = 0
    for server in tape.servers:
        questions = {}
        for exchange in tape.exchanges:
            if exchange.server == server and exchange.answer is not None:
                question = question_of(exchange)
                if question is not None:
                    questions.setdefault(exchange.request.raw[6:], (question, exchange))
        if not questions:
            continue
        async with (
            ReplayServer(Player(tape, server=server, speed=1e9)) as replaying,
            tcp_bus("127.0.0.1", replaying.port) as bus,
        ):
            for question, exchange in questions.values():
                try:
                    payload = await bus.once(question, Pace(2.0))
                except (BusFailure, ExceptionAnswer):
                    continue
                assert payload == exchange.answer.pdu[2:]
                read += 1
    assert read or not any(question_of(e) for e in tape.exchanges if e.answer and not e.answer.pdu[0] & 0x80)


def test_recorded_device_identifications_are_read_without_harm(tape):
    for exchange in tape.exchanges:
        pdu = exchange.request.pdu
        if exchange.answer is None or pdu[:2] != b"\x2b\x0e":
            continue
        question = ReadIdentification(exchange.request.unit, pdu[3], "tcp")
        verdict = question.judge(exchange.request.transaction, exchange.answer.raw)
        if verdict.frame and not exchange.answer.pdu[0] & 0x80:
            assert isinstance(question.payload(verdict.frame), bytes)
