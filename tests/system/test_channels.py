"""Notices against a real HTTP server, good and bad."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from http_receiver import Receiver, status

from plumbline.clock import ManualClock
from plumbline.errors import ConfigError, Refused, Unreachable
from plumbline_central.alerts.alert import Alert, Notice, Slot
from plumbline_central.alerts.book import AlertBook
from plumbline_central.alerts.states import State
from plumbline_central.alerts.tables import open_control
from plumbline_central.channels.deliver import Deliverer, Deliveries, Patience
from plumbline_central.channels.mqtt import MqttChannel
from plumbline_central.channels.port import Busy
from plumbline_central.channels.webhook import WebhookChannel, load_secret
from plumbline_central.deviation import Point

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 3, 3, 5, tzinfo=UTC)
SECRET = b"sixteen bytes or more"
POINT = Point(ref="g/e/data/1", at=NOW, percent=42.0, low=41.0, high=43.0, planned=50.0, photo="p1")
SLOT = Slot(site="demo", rule="deviation", subject="cam1")


@pytest.fixture
def receiver():
    made = Receiver()
    yield made
    made.stop()


@pytest.fixture
def db(tmp_path):
    made = open_control(tmp_path / "control.db")
    yield made
    made.close()


def notice(**changed):
    alert = Alert(
        id=7, slot=SLOT, severity="red", state=State.UNACKNOWLEDGED, raised_at=NOW, evidence=(POINT,)
    )
    return Notice(**{"id": "31", "what": "raised", "at": NOW, "alert": alert, **changed})


def example_from_the_docs():
    """The receiver's check as docs/alerts.md gives it."""
    text = (ROOT / "docs" / "alerts.md").read_text(encoding="utf-8")
    code = re.search(r"```python\n(.*?)```", text, re.DOTALL).group(1)
    names = {}
    exec(compile(code, "docs/alerts.md", "exec"), names)
    return names["verify"]


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - what is waited for happens in another thread
            await asyncio.sleep(0.005)


async def test_a_receiver_gets_a_cloud_event_that_the_documented_check_accepts(receiver):
    await WebhookChannel("ops", receiver.url, SECRET).send(notice())

    ((path, headers, body),) = receiver.got
    headers = {name.lower(): value for name, value in headers.items()}
    event = json.loads(body)
    assert path == "/hook"
    assert headers["content-type"] == "application/cloudevents+json"
    assert {name: event[name] for name in ("specversion", "id", "source", "type", "subject", "time")} == {
        "specversion": "1.0",
        "id": "plumbline-31",
        "source": "/plumbline/sites/demo",
        "type": "plumbline.alert.raised",
        "subject": "deviation-cam1",
        "time": "2026-03-03T05:00:00Z",
    }
    assert event["data"]["evidence"][0]["deviation_pp"] == -8.0
    assert event["data"]["state"] == "unacknowledged"
    verify = example_from_the_docs()
    verify(SECRET, headers, body)
    for wrong in (
        (b"another secret at all", headers, body),
        (SECRET, headers, body.replace(b"demo", b"home")),
        (SECRET, {**headers, "webhook-timestamp": str(int(headers["webhook-timestamp"]) - 301)}, body),
        (SECRET, {**headers, "webhook-id": "plumbline-32"}, body),
    ):
        with pytest.raises(ValueError, match=r"not from us|too old"):
            verify(*wrong)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (500, Unreachable),
        (503, Unreachable),
        (408, Unreachable),
        (429, Unreachable),
        (301, Refused),
        (400, Refused),
        (404, Refused),
        (410, Refused),
    ],
)
async def test_each_answer_says_whether_to_try_again(receiver, code, error):
    receiver.answers = [status(code, b"because\n of that", location="http://127.0.0.1:1/elsewhere")]

    with pytest.raises(error, match=f"answered {code} because of that"):
        await WebhookChannel("ops", receiver.url, SECRET).send(notice())
    assert len(receiver.got) == 1


async def test_a_receiver_that_asks_for_a_pause_is_given_one(receiver):
    receiver.answers = [status(429, retry_after="120"), status(429, retry_after="99999999")]
    channel = WebhookChannel("ops", receiver.url, SECRET)

    for expected in (120.0, 3600.0):
        with pytest.raises(Busy) as busy:
            await channel.send(notice())
        assert busy.value.after_s == expected


@pytest.mark.parametrize("manner", ["hang", "drip"])
async def test_a_receiver_that_hangs_or_drips_holds_nothing_up(receiver, manner):
    receiver.answers = [getattr(receiver, manner)]

    async with asyncio.timeout(5):
        with pytest.raises(Unreachable, match=r"no answer within 0\.3 s"):
            await WebhookChannel("ops", receiver.url, SECRET, timeout_s=0.3).send(notice())


async def test_of_an_endless_answer_only_the_beginning_is_read(receiver):
    receiver.answers = [receiver.flood]

    with pytest.raises(Refused) as refused:
        await WebhookChannel("ops", receiver.url, SECRET).send(notice())
    assert len(str(refused.value)) < 400


async def test_nobody_there_is_unreachable_and_no_address_is_refused(receiver):
    url = receiver.url
    receiver.server.server_close()

    with pytest.raises(Unreachable, match="webhook:ops"):
        await WebhookChannel("ops", url, SECRET, timeout_s=2).send(notice())
    with pytest.raises(Refused):
        await WebhookChannel("ops", "ftp://127.0.0.1/x", SECRET).send(notice())


async def deliver(db, channels, clock, patience=None):
    deliverer = Deliverer(Deliveries(db), channels, clock=clock, patience=patience)
    return deliverer, asyncio.create_task(deliverer.run())


def raise_one(book, cause="c1"):
    with book.write() as writer:
        writer.raise_(SLOT, "amber", [POINT], NOW, cause)


async def test_a_failing_receiver_is_tried_again_ever_more_slowly_and_gets_everything_in_order(
    receiver, db, caplog
):
    caplog.set_level(logging.WARNING)
    receiver.answers = [status(500, b"oops"), receiver.hang, status(503)]
    channel = WebhookChannel("ops", receiver.url, SECRET, timeout_s=1.5)
    book = AlertBook(db, channels=[channel.name])
    clock = ManualClock(NOW)
    raise_one(book)
    book.acknowledge(1, "li", "", NOW)
    _, task = await deliver(db, [channel], clock)
    try:
        for attempt, longest in enumerate([2.4, 4.8, 9.6], start=1):
            await until(lambda attempt=attempt: len(receiver.got) == attempt and clock.sleeping == 1)
            clock.advance(longest / 1.2 * 0.79)
            for _ in range(9):
                await asyncio.sleep(0)
            assert clock.sleeping == 1
            clock.advance(longest)
        await until(lambda: len(Deliveries(db).list("delivered")) == 2)
    finally:
        task.cancel()

    assert [json.loads(body)["type"].split(".")[-1] for _, _, body in receiver.got] == [
        "raised",
        "raised",
        "raised",
        "raised",
        "acknowledged",
    ]
    assert len({body for _, _, body in receiver.got[:4]}) == 1
    assert [d.attempts for d in Deliveries(db).list("delivered")] == [1, 4]
    assert [r.getMessage() for r in caplog.records] == [
        "webhook:ops lost: webhook:ops: answered 500 oops",
        "webhook:ops back after 3 failures",
    ]


async def test_what_is_gone_is_parked_with_the_answer_and_the_next_notice_goes_on(receiver, db):
    receiver.answers = [status(410, b"moved away")]
    channel = WebhookChannel("ops", receiver.url, SECRET)
    book = AlertBook(db, channels=[channel.name])
    deliveries = Deliveries(db)
    deliverer, task = await deliver(db, [channel], ManualClock(NOW))
    book.on_change(deliverer.wake)
    try:
        raise_one(book)
        await until(lambda: deliveries.list("parked"))
        book.acknowledge(1, "li", "", NOW)
        await until(lambda: deliveries.list("delivered"))
    finally:
        task.cancel()

    assert [(d.notice.what, d.why) for d in deliveries.list("parked")] == [
        ("raised", "webhook:ops: answered 410 moved away")
    ]
    assert [d.notice.what for d in deliveries.list("delivered")] == ["acknowledged"]


async def test_after_three_days_of_silence_a_notice_is_parked_and_no_longer_offered(receiver, db):
    receiver.answers = [status(500)] * 2
    channel = WebhookChannel("ops", receiver.url, SECRET)
    book = AlertBook(db, channels=[channel.name])
    raise_one(book)
    clock = ManualClock(NOW)
    _, task = await deliver(db, [channel], clock, Patience(give_up_after=timedelta(days=3)))
    try:
        await until(lambda: clock.sleeping == 1)
        clock.advance(3 * 86400 + 1)
        await until(lambda: Deliveries(db).list("parked"))
    finally:
        task.cancel()

    (parked,) = Deliveries(db).list("parked")
    assert (parked.attempts, parked.why) == (2, "given up: webhook:ops: answered 500")


async def test_a_restart_goes_on_with_what_waits_and_a_channel_that_is_away_delays_no_other(receiver, db):
    away = WebhookChannel("away", "http://127.0.0.1:1/", SECRET, timeout_s=2)
    here = WebhookChannel("here", receiver.url, SECRET)
    raise_one(AlertBook(db, channels=[away.name, here.name]))
    deliveries = Deliveries(db)
    _, task = await deliver(db, [away, here], ManualClock(NOW))
    try:
        await until(lambda: deliveries.list("delivered"))
        await until(lambda: deliveries.list("waiting") and deliveries.list("waiting")[0].why)
    finally:
        task.cancel()
    _, task = await deliver(db, [WebhookChannel("away", receiver.url, SECRET)], ManualClock(NOW))
    try:
        await until(lambda: len(deliveries.list("delivered")) == 2)
    finally:
        task.cancel()

    assert len(receiver.got) == 2


async def test_mqtt_keeps_open_alerts_retained_and_takes_back_those_at_rest():
    sent = []

    async def publish(topic, payload, *, qos, retain):
        sent.append((topic, payload, qos, retain))

    channel = MqttChannel(publish)
    await channel.send(notice())
    rest = Alert(id=7, slot=SLOT, severity="red", state=State.NORMAL, raised_at=NOW, evidence=())
    await channel.send(notice(id="32", what="returned", alert=rest))

    assert [(topic, qos, retain) for topic, _, qos, retain in sent] == [
        ("plumbline/1/alerts/demo/deviation-cam1", 1, True)
    ] * 2
    assert json.loads(sent[0][1])["state"] == "unacknowledged"
    assert sent[1][1] == b""


def test_a_secret_is_read_in_both_forms_and_a_weak_one_is_refused(tmp_path):
    file = tmp_path / "secret"
    file.write_text("whsec_" + base64.b64encode(SECRET).decode() + "\n", encoding="utf-8")
    assert load_secret(file) == SECRET
    file.write_text("a plain secret of enough length\n", encoding="utf-8")
    assert load_secret(file) == b"a plain secret of enough length"

    for weak in ("", "short", "whsec_c2hvcnQ=", "whsec_not base64!"):
        file.write_text(weak, encoding="utf-8")
        with pytest.raises(ConfigError):
            load_secret(file)
    with pytest.raises(ConfigError):
        load_secret(tmp_path / "missing")
