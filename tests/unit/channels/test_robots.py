"""Group robots answer 200 whatever became of a message; the code in the body says it."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import pytest
from http_receiver import Receiver, status

from plumbline.clock import ManualClock
from plumbline.errors import Refused, Unreachable
from plumbline_central.channels.port import Busy
from plumbline_central.channels.robots import ROBOTS, RobotChannel
from plumbline_central.channels.wording import Wording

NOW = datetime(2026, 3, 3, 5, 10, tzinfo=UTC)
GOOD = {"dingtalk": {"errcode": 0, "errmsg": "ok"}, "feishu": {"code": 0}, "wecom": {"errcode": 0}}
KINDS = tuple(ROBOTS)


@pytest.fixture
def receiver():
    made = Receiver()
    yield made
    made.stop()


def robot(receiver, kind, *, secret="", now=NOW, **asked):
    clock = ManualClock(now)
    url = f"{receiver.url}?access_token=t"
    wording = Wording("zh", ZoneInfo("Asia/Shanghai"))
    return RobotChannel("site", kind, url, wording, secret=secret, clock=clock, **asked), clock


def answer(**said):
    return status(200, json.dumps(said).encode())


@pytest.mark.parametrize("kind", KINDS)
def test_a_message_in_the_vendors_form_is_taken(receiver, notice, kind):
    receiver.answers = [answer(**GOOD[kind])]
    channel, _ = robot(receiver, kind)
    asyncio.run(channel.send(notice()))
    said = json.loads(receiver.got[0][2])

    assert said.get("msgtype") == "markdown" or said["msg_type"] == "text"
    assert "进度偏离计划" in json.dumps(said, ensure_ascii=False)


@pytest.mark.parametrize(
    ("kind", "said", "error"),
    [
        ("dingtalk", {"errcode": 310000, "errmsg": "sign not match"}, Refused),
        ("dingtalk", {"errcode": 130101, "errmsg": "send too fast"}, Busy),
        ("dingtalk", {"errcode": -1, "errmsg": "system busy"}, Unreachable),
        ("feishu", {"code": 19021, "msg": "sign match fail"}, Refused),
        ("feishu", {"code": 11232, "msg": "too many"}, Busy),
        ("wecom", {"errcode": 93000, "errmsg": "invalid webhook url"}, Refused),
        ("wecom", {"errcode": 45009, "errmsg": "api freq out of limit"}, Busy),
        ("wecom", {"hello": 1}, Unreachable),
    ],
)
def test_a_200_with_another_code_is_no_success(receiver, notice, kind, said, error):
    receiver.answers = [answer(**said)]
    channel, _ = robot(receiver, kind)

    with pytest.raises(error) as caught:
        asyncio.run(channel.send(notice()))
    assert type(caught.value) is error
    assert "access_token" not in str(caught.value)


def test_dingtalk_is_signed_in_the_address(receiver, notice):
    receiver.answers = [answer(errcode=0)]
    channel, _ = robot(receiver, "dingtalk", secret="SEC1")
    asyncio.run(channel.send(notice()))
    asked = parse_qs(urlsplit(receiver.got[0][0]).query)
    mac = hmac.new(b"SEC1", f"{asked['timestamp'][0]}\nSEC1".encode(), hashlib.sha256).digest()

    assert asked["sign"] == [base64.b64encode(mac).decode()]
    assert asked["timestamp"] == [str(int(NOW.timestamp()) * 1000)]


def test_feishu_is_signed_in_the_body(receiver, notice):
    receiver.answers = [answer(code=0)]
    channel, _ = robot(receiver, "feishu", secret="SEC1")
    asyncio.run(channel.send(notice()))
    said = json.loads(receiver.got[0][2])
    mac = hmac.new(f"{said['timestamp']}\nSEC1".encode(), b"", hashlib.sha256).digest()

    assert said["sign"] == base64.b64encode(mac).decode()


def test_a_robot_is_written_to_no_more_often_than_it_takes(receiver, notice):
    receiver.answers = [answer(errcode=0) for _ in range(9)]
    channel, clock = robot(receiver, "dingtalk", per_minute=20)

    async def storm():
        for _ in range(5):
            await channel.send(notice())
        with pytest.raises(Busy) as busy:
            await channel.send(notice())
        clock.advance(busy.value.after_s + 0.01)
        await channel.send(notice())

    asyncio.run(storm())

    assert len(receiver.got) == 6


def test_feishu_is_left_alone_on_the_half_hour(receiver, notice):
    channel, _ = robot(receiver, "feishu", now=NOW.replace(minute=30, second=4))

    with pytest.raises(Busy) as busy:
        asyncio.run(channel.send(notice()))
    assert busy.value.after_s == 16
    assert receiver.got == []


def test_a_digest_fits_what_wecom_takes(receiver, notice):
    receiver.answers = [answer(errcode=0)]
    channel, _ = robot(receiver, "wecom")
    asyncio.run(channel.send_together([notice(number=n, site="工地" * 60) for n in range(100)]))
    content = json.loads(receiver.got[0][2])["markdown"]["content"]

    assert len(content.encode()) <= ROBOTS["wecom"].most_bytes
    assert content.startswith("**100 条告警有变化")
