"""What apprise is asked, and what becomes of its no."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from http_receiver import Receiver, status

from plumbline.clock import ManualClock
from plumbline.errors import ConfigError, Unreachable
from plumbline_central.channels.chat import AppriseChannel
from plumbline_central.channels.port import Busy
from plumbline_central.channels.wording import Wording

NOW = datetime(2026, 3, 3, 5, 10, tzinfo=UTC)
WORDS = Wording("en", ZoneInfo("Asia/Shanghai"))


@pytest.fixture
def receiver():
    made = Receiver()
    yield made
    made.stop()


def channel(receiver, **asked):
    return AppriseChannel(
        "team", receiver.url.replace("http://", "json://"), WORDS, clock=ManualClock(NOW), **asked
    )


def test_any_service_of_apprise_is_told(receiver, notice):
    asyncio.run(channel(receiver).send(notice()))
    said = json.loads(receiver.got[0][2])

    assert said["title"] == "[ALERT] school: off plan (attention)"
    assert "8 points behind" in said["message"]


def test_what_was_not_taken_is_told_again_with_the_reason(receiver, notice):
    receiver.answers = [status(500)]

    with pytest.raises(Unreachable, match="500"):
        asyncio.run(channel(receiver).send(notice()))


def test_more_than_was_allowed_waits(receiver, notice):
    async def storm():
        team = channel(receiver, per_minute=4)
        await team.send(notice())
        with pytest.raises(Busy):
            await team.send(notice())

    asyncio.run(storm())

    assert len(receiver.got) == 1


def test_an_address_that_apprise_does_not_know_stops_the_start():
    with pytest.raises(ConfigError, match=r"chats\.team"):
        AppriseChannel("team", "nonsense://x", WORDS)
