"""The service moves old blocks out by itself, now and then."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta

import pytest

from plumbline import codec
from plumbline.clock import ManualClock
from plumbline_central.ledger import Arrival, Ledger
from plumbline_central.ledger.keeper import ArchiveKeeper


@pytest.fixture
def filled(tmp_path, gateway):
    """Ten rows from 1970; with four rows to a block, two blocks can be archived."""
    ledger = Ledger.open(tmp_path / "ledger.db", block=4)
    gateway.frames(10)
    for n in range(1, 11):
        payload = gateway.pack(n, n)
        ledger.append([Arrival(received_us=n, payload=payload, batch=codec.open_batch(payload))])
    yield ledger
    ledger.close()


async def reached(condition):
    while not condition():  # noqa: ASYNC110 - the keeper works in a thread
        await asyncio.sleep(0)


async def test_the_keeper_moves_what_grows_old_and_survives_a_full_disk(filled, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    start = datetime(2026, 5, 1, tzinfo=UTC)
    clock = ManualClock(start)
    gateway_rows = filled.last_id()
    blocked = tmp_path / "archive"
    blocked.write_text("in the way")
    keeper = ArchiveKeeper(filled, clock, timedelta(days=1).total_seconds(), least_real_s=0, between_s=0)
    task = asyncio.create_task(keeper.run())

    async with asyncio.timeout(20):
        await reached(lambda: clock.sleeping)
        blocked.unlink()
        clock.advance(3600)
        await reached(lambda: "works again" in caplog.text)
    task.cancel()

    assert [segment.first_id for segment in filled.segments()] == [1, 5]
    assert filled.last_id() == gateway_rows
    assert "2 blocks of old rows moved" in caplog.text


async def test_an_age_of_nought_means_never(filled):
    await ArchiveKeeper(filled, ManualClock(datetime(2026, 5, 1, tzinfo=UTC)), 0).run()

    assert filled.segments() == []
