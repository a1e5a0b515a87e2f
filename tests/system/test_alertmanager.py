"""The real Alertmanager holds exactly the alerts that are open."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import subprocess
import time
import urllib.request
from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from plumbline.clock import ManualClock, SystemClock
from plumbline_central.alerts.alert import Alert, Notice, Slot
from plumbline_central.alerts.states import State
from plumbline_central.channels.alertmanager import AlertmanagerChannel
from plumbline_central.channels.wording import LANGUAGES, Wording

PROGRAM = shutil.which("prometheus-alertmanager")
pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(PROGRAM is None, reason="prometheus-alertmanager is not installed"),
]
WORDS = {language: Wording(language, ZoneInfo("Asia/Shanghai")) for language in LANGUAGES}
NOW = SystemClock().wall().replace(microsecond=0)


@pytest.fixture
def url(tmp_path):
    config = tmp_path / "am.yml"
    config.write_text("route: {receiver: none}\nreceivers: [{name: none}]\n", encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    flags = [
        f"--config.file={config}", f"--storage.path={tmp_path / 'data'}", "--cluster.listen-address=",
        f"--web.listen-address=127.0.0.1:{port}",
    ]  # fmt: skip
    with (tmp_path / "log").open("w") as log, subprocess.Popen([PROGRAM, *flags], stderr=log) as program:
        try:
            address = f"http://127.0.0.1:{port}"
            _wait(lambda: urllib.request.urlopen(f"{address}/-/ready", timeout=1).status == 200)
            yield address
        finally:
            program.terminate()


def _wait(ready):
    end = time.monotonic() + 20
    while True:
        try:
            if ready():
                return
        except OSError:
            pass
        assert time.monotonic() < end
        time.sleep(0.05)


def notice(**changed):
    alert = Alert(
        id=3, slot=Slot(site="工地-1", rule="deviation", subject="east"), severity="red",
        state=State.UNACKNOWLEDGED, raised_at=NOW - timedelta(hours=1), evidence=(), deviation_pp=-7.0,
    )  # fmt: skip
    return Notice(id="1", what="raised", at=NOW, alert=replace(alert, **changed))


def told(url, *notices):
    channel = AlertmanagerChannel(url, WORDS, clock=ManualClock(SystemClock().wall()))

    async def tell():
        for one in notices:
            await channel.send(one)

    asyncio.run(tell())


def active(url):
    with urllib.request.urlopen(f"{url}/api/v2/alerts?active=true", timeout=5) as answer:
        return json.load(answer)


def test_an_open_alert_is_there_once_however_often_it_is_told(url):
    told(url, notice(), notice(), notice(severity="red"))
    (held,) = active(url)

    assert held["labels"] == {
        "alertname": "plumbline_deviation", "severity": "critical", "site": "工地-1", "subject": "east",
    }  # fmt: skip
    assert held["annotations"]["summary_zh"] == "工地-1：进度偏离计划（严重）"


@pytest.mark.parametrize(
    "over",
    [
        {"state": State.NORMAL, "cleared_at": NOW, "closed_at": NOW},
        {"shelved_until": NOW + timedelta(days=1)},
        {"suppressed_by": "gateway_offline-gw"},
    ],
)
def test_one_that_is_over_or_muted_ends_there(url, over):
    told(url, notice())
    told(url, notice(**over))

    _wait(lambda: active(url) == [])


def test_another_severity_is_another_alert_there_and_the_old_one_ends(url):
    told(url, notice(severity="amber"))
    told(url, replace(notice(severity="red"), what="severity"))

    assert {held["labels"]["severity"] for held in active(url)} == {"critical"}
