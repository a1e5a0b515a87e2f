"""What has gathered for people comes as one message; what has gathered for programs comes one by one."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import msgspec
import pytest

from plumbline.clock import ManualClock, to_us
from plumbline.errors import Refused, Unreachable
from plumbline_central.alerts.tables import open_control
from plumbline_central.channels.deliver import Deliverer, Deliveries, Patience

NOW = datetime(2026, 3, 3, 6, tzinfo=UTC)
PATIENCE = Patience(first_wait_s=0.01, longest_wait_s=0.01)


class Program:
    name = "webhook:p"

    def __init__(self, *answers):
        self.answers, self.got = list(answers), []

    async def send(self, notice):
        self.take([notice.id])

    def take(self, ids):
        if self.answers and (answer := self.answers.pop(0)) is not None:
            raise answer
        self.got.append(ids)


class People(Program):
    name = "chat:p"

    async def send_together(self, notices):
        self.take([notice.id for notice in notices])


@pytest.fixture
def db(tmp_path):
    made = open_control(tmp_path / "control.db")
    yield made
    made.close()


def waiting(db, channel, notices, first_try_us=None):

    with db.write() as writer:
        writer.executemany(
            "INSERT INTO alert_delivery (channel, notice, state, attempts, first_try_us, why)"
            " VALUES (?, ?, 'waiting', 0, ?, '')",
            [(channel, msgspec.json.encode(notice).decode(), first_try_us) for notice in notices],
        )


def delivered(db, channel, clock, until):
    async def run():
        deliverer = Deliverer(Deliveries(db), [channel], clock=clock, patience=PATIENCE)
        task = asyncio.create_task(deliverer.run())
        async with asyncio.timeout(10):
            while not until():
                await asyncio.sleep(0.005)
                clock.advance(1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())


@pytest.fixture
def notices(notice):
    return [notice(number=n) for n in range(1, 6)]


def test_people_get_one_message_for_all_and_programs_one_for_each(db, notices):
    for channel, said in (
        (People(), [["1", "2", "3", "4", "5"]]),
        (Program(), [[str(n)] for n in range(1, 6)]),
    ):
        waiting(db, channel.name, notices)
        delivered(db, channel, ManualClock(notices[0].at), lambda c=channel, s=said: len(c.got) == len(s))

        assert channel.got == said


def test_a_digest_that_was_not_taken_comes_whole_again(db, notices):
    channel = People(Unreachable("away"), None)
    waiting(db, channel.name, notices)
    delivered(db, channel, ManualClock(notices[0].at), lambda: channel.got)

    assert channel.got == [["1", "2", "3", "4", "5"]]


def test_a_refused_digest_is_parked_whole(db, notices):
    channel = People(Refused("no"))
    waiting(db, channel.name, notices)
    delivered(db, channel, ManualClock(notices[0].at), lambda: len(Deliveries(db).list("parked")) == 5)

    assert {one.why for one in Deliveries(db).list("parked")} == {"no"}


def test_only_what_is_too_old_is_given_up(db, notices):
    channel, at = People(Unreachable("away"), None), notices[0].at
    waiting(db, channel.name, notices[:2], first_try_us=to_us(at) - 4 * 86_400_000_000)
    waiting(db, channel.name, notices[2:])
    delivered(db, channel, ManualClock(at), lambda: channel.got)

    assert [one.notice.id for one in Deliveries(db).list("parked")] == ["2", "1"]
    assert channel.got == [["3", "4", "5"]]


def test_a_single_notice_is_no_digest(db, notices):
    channel = People()
    waiting(db, channel.name, notices[:1])
    delivered(db, channel, ManualClock(notices[0].at), lambda: channel.got)

    assert channel.got == [["1"]]


def test_a_reminder_taken_back_while_it_is_offered_is_no_failure(db, notices, caplog):
    """A newer round of reminders deletes those that wait."""
    waiting(db, "webhook:p", notices[:2])
    deliveries, program = Deliveries(db), Program()
    looked = deliveries.waiting

    def looked_and_lost(channel, limit):
        found = looked(channel, limit)
        if found and found[0].notice.id == "1":
            with db.write() as writer:
                writer.execute("DELETE FROM alert_delivery WHERE id = ?", (found[0].id,))
        return found

    deliveries.waiting = looked_and_lost
    clock = ManualClock(NOW)

    async def run():
        task = asyncio.create_task(Deliverer(deliveries, [program], clock=clock, patience=PATIENCE).run())
        async with asyncio.timeout(10):
            while not program.got:
                await asyncio.sleep(0.005)
                clock.advance(1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())

    assert program.got == [["2"]]
    assert not caplog.records


@pytest.mark.parametrize("fault", [Unreachable("away"), ValueError("a bug of ours")])
def test_what_waited_three_days_at_a_dead_receiver_is_parked_together(db, notices, fault):
    waiting(db, "webhook:p", notices, first_try_us=None)
    clock = ManualClock(NOW)
    deliveries = Deliveries(db)
    program = Program(*[fault] * 1000)

    async def run():
        task = asyncio.create_task(Deliverer(deliveries, [program], clock=clock, patience=PATIENCE).run())
        async with asyncio.timeout(10):
            while not deliveries.list("parked"):
                await asyncio.sleep(0.005)
                clock.advance(3600)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())

    assert [one.notice.id for one in deliveries.list("parked")] == ["5", "4", "3", "2", "1"]
