"""Real captures, converted and replayed on a port: every recorded answer comes back byte for byte."""

import asyncio
import contextlib
import os
import socket
from collections import Counter
from pathlib import Path

import pytest

from plumbline.cli import run
from plumbline_sim.record.player import Player
from plumbline_sim.record.replay import ReplayServer
from plumbline_sim.record.tape import load_tape

DATA = Path(os.environ.get("PLUMBLINE_DATA", Path(__file__).parents[4] / "shared" / "data")) / "pcaps"
CAPTURES = sorted(DATA.glob("*.pcap"))
EXCEPTIONS = {"modbus_test_data_part1": 14, "modbus_test_data_part2": 130}  # as their collector counted them
SERVERS = {"ModbusTCP": 13}

pytestmark = pytest.mark.skipif(
    not CAPTURES, reason=f"no captures at {DATA}: set PLUMBLINE_DATA to the folder that holds pcaps/"
)


@pytest.fixture(params=CAPTURES, ids=lambda path: path.stem)
def capture(request, tmp_path):
    """A capture's name, and the tape that the command makes of it."""
    out = tmp_path / "bus.jsonl"
    assert run(["sim", "record", "--from-pcap", str(request.param), "--out", str(out)]) == 0
    return request.param.stem, out


def ask_all(port, exchanges):
    """What a plain client gets back for each request, in order; what came for none of them is an error."""
    got = []
    with contextlib.closing(socket.create_connection(("127.0.0.1", port), 10)) as line:
        stream = line.makefile("rb")
        for number, exchange in enumerate(exchanges):
            line.sendall(number.to_bytes(2) + exchange.request.raw[2:])
            if exchange.answer is None:
                got.append(None)
                continue
            head = stream.read(6)
            got.append(head + stream.read(int.from_bytes(head[4:])))
        line.settimeout(0.05)
        with contextlib.suppress(TimeoutError):
            assert line.recv(1) == b"", "an answer where the recorded bus was silent"
    return got


async def test_every_recorded_answer_comes_back(capture):
    name, path = capture
    tape = load_tape(path)
    answered = Counter()
    for server in tape.servers:
        exchanges = [e for e in tape.exchanges if e.server == server and e.request.pdu]
        player = Player(tape, server=server, speed=1e9)
        async with ReplayServer(player) as replaying:
            got = await asyncio.to_thread(ask_all, replaying.port, exchanges)
        wanted = [
            exchange.answer
            and (number + exchange.answer.transaction - exchange.request.transaction & 0xFFFF).to_bytes(2)
            + exchange.answer.raw[2:]
            for number, exchange in enumerate(exchanges)
        ]
        answered[server] = player.answered

        assert got == wanted
        assert player.unknown == {}
    assert len(tape.servers) == SERVERS.get(name, len(tape.servers))
    assert answered.total() > 0.9 * sum(bool(e.request.pdu and e.answer) for e in tape.exchanges)


def test_as_many_exceptions_are_found_as_its_collector_counted(capture):
    name, path = capture
    if name not in EXCEPTIONS:
        return

    assert path.read_text().count('"exception":') == EXCEPTIONS[name]
