"""`intake.py DATA PORT CRASH NTH AFTER`: central's real receiver and ledger, which kills itself where it is told to.

CRASH: `before the commit` or `after the commit` of the NTH group, `before the answer` or `after the answer` to it,
`at any instant` (AFTER seconds after the first group), `never`. The hooks are here, not in the product.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import sys
from pathlib import Path
from typing import Any

from plumbline.clock import SystemClock
from plumbline_central.ledger import Ledger
from plumbline_central.mqtt import MqttLink
from plumbline_central.receive import Receiver
from plumbline_central.registry import Registry
from plumbline_central.settings import BrokerSettings

DATA, PORT, CRASH, NTH, AFTER = (
    Path(sys.argv[1]),
    int(sys.argv[2]),
    sys.argv[3],
    int(sys.argv[4]),
    float(sys.argv[5]),
)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Doomed(sqlite3.Connection):
    """Counts the ledger's commits of groups; dies at the one that was chosen."""

    groups = 0
    pending = False

    def execute(self, sql: str, *rest: Any) -> sqlite3.Cursor:
        if sql.startswith("INSERT INTO batch"):
            self.pending = True
        if sql == "COMMIT" and self.pending:
            return self._commit(sql)
        return super().execute(sql, *rest)

    def executemany(self, sql: str, *rest: Any) -> sqlite3.Cursor:
        if sql.startswith("INSERT INTO batch"):
            self.pending = True
        return super().executemany(sql, *rest)

    def _commit(self, sql: str) -> sqlite3.Cursor:
        Doomed.groups += 1
        if CRASH == "before the commit" and Doomed.groups == NTH:
            die()
        done = super().execute(sql)
        self.pending = False
        if CRASH == "after the commit" and Doomed.groups == NTH:
            die()
        return done


class Post:
    """The link, which dies around the answer that was chosen."""

    def __init__(self, link: MqttLink) -> None:
        self.link = link
        self.answers = 0

    async def publish(self, topic: str, payload: bytes) -> None:
        self.answers += 1
        chosen = self.answers == NTH  # several answers leave at once
        if CRASH == "before the answer" and chosen:
            die()
        await self.link.publish(topic, payload)
        if CRASH == "after the answer" and chosen:
            die()


async def main() -> None:
    connect = sqlite3.connect

    def doomed(database: Any, *rest: Any, **named: Any) -> sqlite3.Connection:
        if str(database).endswith("ledger.db"):
            named["factory"] = Doomed
        return connect(database, *rest, **named)

    sqlite3.connect = doomed  # type: ignore[assignment]
    ledger, registry = Ledger.open(DATA / "ledger.db"), Registry.open(DATA / "control.db")
    link = MqttLink(BrokerSettings(port=PORT))
    loop = asyncio.get_running_loop()
    timer: list[asyncio.TimerHandle] = []

    def stored() -> None:
        if CRASH == "at any instant" and not timer:
            timer.append(loop.call_later(AFTER, die))

    receiver = Receiver(
        ledger,
        registry.gateway,
        Post(link),
        SystemClock(),
        on_stored=stored,
        on_state=lambda state, at_us: None,
    )
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    tasks = [asyncio.create_task(receiver.run()), asyncio.create_task(link.keep(receiver.received))]
    await stop.wait()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    ledger.close()
    registry.close()


asyncio.run(main())
