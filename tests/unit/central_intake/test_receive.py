import asyncio
import contextlib
import logging
from datetime import UTC, datetime

import msgspec
import pytest

from plumbline import codec
from plumbline.clock import ManualClock
from plumbline.errors import Unreachable
from plumbline.messages import Ack, Frame, GatewayState, Photo, Refusal
from plumbline_central import receive
from plumbline_central.ledger import Ledger
from plumbline_central.mqtt import Delivery
from plumbline_central.receive import Receiver


class PaperPost:
    """Remembers what it was given; `away` makes it a broken link."""

    def __init__(self):
        self.sent = []
        self.away = False
        self.order = []

    async def publish(self, topic, payload):
        if self.away:
            raise Unreachable("away")
        self.sent.append((topic, codec.decode_ack(payload)))
        self.order.append("ack")


class Intake:
    def __init__(self, ledger, gateway):
        self.post = PaperPost()
        self.enrolled = {gateway.name: gateway.enrolled}
        self.states = []
        self.stored = 0
        self.done = asyncio.Event()
        self.ledger = ledger
        self.receiver = Receiver(
            ledger,
            self.enrolled.get,
            self.post,
            ManualClock(datetime(2026, 5, 1, tzinfo=UTC)),
            on_stored=lambda: setattr(self, "stored", self.stored + 1),
            on_state=lambda state, at_us: self.states.append(state),
        )

    async def take(self, *messages):
        """Hand over `messages`, and return when the broker was told that it may forget the last."""
        self.done.clear()
        for i, (topic, payload) in enumerate(messages):
            last = i == len(messages) - 1
            self.receiver.received(Delivery(topic, payload, self._last_done if last else self._done))
        await asyncio.wait_for(self.done.wait(), 20)

    def _done(self):
        self.post.order.append("done")

    def _last_done(self):
        self._done()
        self.done.set()


@pytest.fixture
async def intake(tmp_path, gateway):
    ledger = Ledger.open(tmp_path / "ledger.db")
    made = Intake(ledger, gateway)
    running = asyncio.create_task(made.receiver.run())
    yield made
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    ledger.close()


async def test_the_gateway_is_told_and_then_the_broker_may_forget(intake, gateway):
    gateway.frames(3)

    await intake.take((gateway.topic, gateway.pack(1, 3)))

    assert intake.post.sent == [("plumbline/1/a12/gw-1/ack", Ack(epoch="e1", lane="data", through=3))]
    assert intake.post.order == ["ack", "done"]
    assert intake.stored >= 1


async def test_a_group_is_answered_once_per_lane_with_all_that_is_stored(intake, gateway):
    gateway.frames(30)
    gateway.frames(5, lane="photo")

    await intake.take(
        (gateway.topic, gateway.pack(1, 5)),
        (gateway.topic, gateway.pack(11, 20)),
        (gateway.topic, gateway.pack(2, 5, lane="photo")),
        (gateway.topic, gateway.pack(25, 30)),
    )

    last = {ack.lane: ack for _, ack in intake.post.sent}
    assert last["data"] == Ack(epoch="e1", lane="data", through=5, also=((11, 20), (25, 30)))
    assert last["photo"] == Ack(epoch="e1", lane="photo", through=0, also=((2, 5),))


async def test_an_answer_names_no_island_that_its_group_did_not_touch(intake, gateway):
    gateway.frames(30)
    for first in (4, 14, 24):
        await intake.take((gateway.topic, gateway.pack(first, first + 2)))

    await intake.take((gateway.topic, gateway.pack(15, 18)))

    assert [ack.also for _, ack in intake.post.sent] == [((4, 6),), ((14, 16),), ((24, 26),), ((14, 18),)]


async def test_one_gateways_flood_keeps_no_other_waiting(intake, gateway, new_gateway, monkeypatch):
    monkeypatch.setattr(receive, "_GROUP", 10)
    gateway.frames(60)
    other = new_gateway(name="gw-2")
    other.frames(1)
    intake.enrolled[other.name] = other.enrolled
    flood = [(gateway.topic, gateway.pack(n, n)) for n in range(1, 61)]

    await intake.take(*flood, (other.topic, other.pack(1, 1)))

    assert "plumbline/1/a12/gw-2/ack" in [topic for topic, _ in intake.post.sent[:2]]
    assert max(ack.through for _, ack in intake.post.sent) == 60


async def test_a_duplicate_is_acknowledged_again(intake, gateway):
    gateway.frames(3)
    await intake.take((gateway.topic, gateway.pack(1, 3)))
    await intake.take((gateway.topic, gateway.pack(1, 2)))

    assert [ack.through for _, ack in intake.post.sent] == [3, 3]


async def test_garbage_becomes_a_dead_letter_and_the_stream_goes_on(intake, gateway, caplog):
    gateway.frames(3)

    await intake.take((gateway.topic, b"\xff\x00garbage"), (gateway.topic, gateway.pack(1, 3)), ("a/b", b""))

    counters = intake.ledger.counters()
    assert (counters["batches_received"], counters["batches_stored"], counters["batches_refused"]) == (
        3,
        1,
        2,
    )
    assert [letter.topic for letter in intake.ledger.dead_letters()] == ["a/b", gateway.topic]
    assert "dead letter" in caplog.text


DEEP = b"\x91" * 5000 + b"\xc0"


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        ("plumbline/1/a12/gw-1/up", DEEP),
        ("plumbline/1/x/y/state", b'{"online":true,"site":"n","gateway":"n","x":' + b"[" * 5000 + b"]" * 5000 + b"}"),
        ("plumbline/1/a12/gw-1/state", b'{"online":true,"site":"a12","gateway":"gw-1","since_us":18446744073709551615}'),
    ],
)  # fmt: skip
async def test_no_message_ends_the_service(intake, gateway, topic, payload):
    gateway.frames(1)

    await intake.take((topic, payload), (gateway.topic, gateway.pack(1, 1)))

    assert [ack.through for _, ack in intake.post.sent] == [1]
    assert [letter.topic for letter in intake.ledger.dead_letters()] == [topic]


async def test_what_nobody_foresaw_is_a_dead_letter_too(intake, gateway, monkeypatch, caplog):
    def stumble(*_):
        raise ZeroDivisionError

    gateway.frames(2)
    with monkeypatch.context() as patch:
        patch.setattr(receive, "judge", stumble)
        await intake.take((gateway.topic, gateway.pack(1, 1)))
    await intake.take((gateway.topic, gateway.pack(1, 2)))

    assert "ZeroDivisionError" in intake.ledger.dead_letters()[0].why
    assert [ack.through for _, ack in intake.post.sent] == [2]


async def test_a_signed_record_without_sense_is_refused_to_its_gateway(intake, gateway):
    gateway.frames(1)
    gateway.record(Photo(camera="east", photo="p", width_px=1 << 40))

    await intake.take((gateway.topic, gateway.pack(1, 2)))

    ((_, ack),) = intake.post.sent
    assert ack.refused == (Refusal(1, 2, "record 2: a picture of an impossible size"),)
    assert intake.ledger.counters()["records_stored"] == 0


async def test_a_stranger_is_not_answered_and_named_once(intake, gateway, new_gateway, caplog):
    stranger = new_gateway(name="gw-7")
    stranger.frames(2)

    await intake.take(*[(stranger.topic, stranger.pack(1, 2))] * 5)

    assert intake.post.sent == []
    assert caplog.text.count("not enrolled") == 1


async def test_a_batch_that_contradicts_the_chain_is_refused_to_its_gateway(intake, gateway, new_gateway):
    gateway.frames(3)
    await intake.take((gateway.topic, gateway.pack(1, 3)))
    other = new_gateway(key=gateway.key)
    for value in range(5):
        other.record(Frame(device="m1", metrics=(1,), values=(value,)))

    await intake.take((other.topic, other.pack(2, 5)))

    _, ack = intake.post.sent[-1]
    assert ack.through == 3
    assert ack.refused == (Refusal(2, 5, "the chain after record 3 is not the one already stored"),)


async def test_without_a_link_the_records_are_stored_all_the_same(intake, gateway):
    gateway.frames(3)
    intake.post.away = True

    await intake.take((gateway.topic, gateway.pack(1, 3)))

    assert intake.ledger.coverage("gw-1", "e1", "data") == ((1, 3),)


async def test_a_full_disk_acknowledges_nothing_until_it_has_room(intake, gateway, monkeypatch, caplog):
    caplog.set_level(logging.WARNING)
    monkeypatch.setattr(receive, "_RETRY_S", 0.0)
    append, failures = intake.ledger.append, iter(range(3))

    def full(arrivals, dead):
        if next(failures, None) is not None:
            raise Unreachable("ledger.db did not take a write", hint="Check the disk.")
        return append(arrivals, dead)

    monkeypatch.setattr(intake.ledger, "append", full)
    gateway.frames(3)

    await intake.take((gateway.topic, gateway.pack(1, 3)))

    assert intake.post.order == ["ack", "done"]
    assert caplog.text.count("Check the disk") == 1
    assert "again after 3 attempts" in caplog.text


async def test_an_enrolled_gateways_birth_is_noted_and_a_false_one_is_not(intake, gateway):
    state = GatewayState(online=True, site="a12", gateway="gw-1", version="0.1")
    topic = "plumbline/1/a12/gw-1/state"

    await intake.take(
        (topic, msgspec.json.encode(state)),
        ("plumbline/1/a12/gw-2/state", msgspec.json.encode(state)),
        (topic, b"{"),
        (topic, b""),
    )

    assert intake.states == [state]
    assert len(intake.ledger.dead_letters()) == 2
