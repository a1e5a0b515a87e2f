import asyncio
import contextlib
import logging
import struct
from dataclasses import replace

import pytest

from plumbline.errors import Busy, Unreachable
from plumbline_central import project
from plumbline_central.project import Follower, LedgerRow, catch_up


def row(id_):
    return LedgerRow(id=id_, received_us=id_, site="a12", gateway="g", epoch="e", lane="data", records=())


class PaperLedger:
    def __init__(self, count):
        self.rows = [row(n) for n in range(1, count + 1)]

    def read(self, after_id, limit):
        return self.rows[after_id : after_id + limit]


class PaperProjection:
    """Keeps its effects and its cursor together, as a transaction would; fails when told to."""

    name = "paper"

    def __init__(self):
        self.applied = []
        self.failures = []
        self.reached = asyncio.Event()
        self.loop = None

    def cursor(self):
        return self.applied[-1] if self.applied else 0

    def apply(self, rows):
        if self.failures:
            raise self.failures.pop(0)
        self.applied += [row.id for row in rows]
        if self.loop:
            self.loop.call_soon_threadsafe(self.reached.set)

    def reset(self):
        self.applied.clear()


@contextlib.asynccontextmanager
async def following(ledger, projection):
    projection.loop = asyncio.get_running_loop()
    follower = Follower(ledger, projection)
    task = asyncio.create_task(follower.run())
    yield follower
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def reaches(projection, last):
    async with asyncio.timeout(10):
        while projection.cursor() < last:
            projection.reached.clear()
            await projection.reached.wait()


def test_catching_up_goes_on_where_the_projection_stands():
    ledger, projection, seen = PaperLedger(200), PaperProjection(), []
    projection.applied = [1, 2, 3]

    assert catch_up(ledger, projection, on_step=seen.append) == 200
    assert projection.applied == list(range(1, 201))
    assert seen[-1] == 200


async def test_a_follower_catches_up_at_start_and_goes_on_when_woken():
    ledger, projection = PaperLedger(100), PaperProjection()
    async with following(ledger, projection) as follower:
        await reaches(projection, 100)
        ledger.rows += [row(101), row(102)]
        follower.wake()
        await reaches(projection, 102)

    assert projection.applied == list(range(1, 103))


@pytest.mark.parametrize(
    "failure", [Unreachable("the store is away"), ZeroDivisionError("a mistake of ours")]
)
async def test_a_projection_that_fails_is_retried_from_its_own_cursor(failure, monkeypatch, caplog):
    caplog.set_level(logging.WARNING)
    monkeypatch.setattr(project, "_FIRST_WAIT_S", 0.0)
    ledger, projection = PaperLedger(100), PaperProjection()
    projection.failures = [failure] * 3
    async with following(ledger, projection) as follower:
        await reaches(projection, 100)
        ledger.rows.append(row(101))
        follower.wake()
        await reaches(projection, 101)
        async with asyncio.timeout(10):
            while follower.position < 101:  # noqa: ASYNC110 - it says so after the projection is through
                await asyncio.sleep(0)

    assert projection.applied == list(range(1, 102))
    assert "works again after 3 failures" in caplog.text
    assert ("Traceback" in caplog.text) == isinstance(failure, ZeroDivisionError)


class Choosy(PaperProjection):
    """Digests every record but one."""

    def __init__(self, failure):
        super().__init__()
        self.failure = failure
        self.records = []

    def apply(self, rows):
        records = [record for row in rows for record in row.records]
        if "poison" in records:
            raise self.failure
        super().apply(rows)
        self.records += records


@pytest.mark.parametrize("failure", [OverflowError("no such date"), TypeError("str"), struct.error("q")])
def test_only_the_record_that_cannot_be_digested_is_passed_over_and_its_row_named(caplog, failure):
    ledger, projection = PaperLedger(20), Choosy(failure)
    ledger.rows[6] = replace(ledger.rows[6], records=("before", "poison", "after"))

    assert catch_up(ledger, projection) == 20
    assert projection.records == ["before", "after"]
    assert projection.cursor() == 20
    assert "passes over 1 of 3 records in ledger row 7 of g" in caplog.text


async def test_a_store_that_asks_for_a_pause_gets_it(monkeypatch):
    """Its Retry-After, where that is longer than the Follower would have waited."""
    waited = []

    async def sleep(seconds):
        waited.append(seconds)

    monkeypatch.setattr(project.asyncio, "sleep", sleep)
    projection = PaperProjection()
    projection.failures = [Busy("429", after_s=7.0), Unreachable("gone"), Busy("429", after_s=0.1)]
    async with following(PaperLedger(3), projection):
        await projection.reached.wait()

    assert waited == [7.0, 1.0, 2.0]
    assert projection.applied == [1, 2, 3]
