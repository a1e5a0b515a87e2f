"""Keeps what is known of each gateway: when it was last heard, how it does, what happened there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Self

import msgspec

from plumbline.clock import from_us
from plumbline.messages import DeviceHealth, Event, GatewayState, Health
from plumbline_central.live import LiveHub
from plumbline_central.project import LedgerRow, Tally
from plumbline_central.schema import Database, Migrations
from plumbline_central.stores import cursors

MIGRATIONS: Final[Migrations] = (
    (
        "gateways_1",
        """
        CREATE TABLE gateway_seen (gateway TEXT PRIMARY KEY, site TEXT NOT NULL, last_us INTEGER NOT NULL)
            WITHOUT ROWID;
        CREATE TABLE gateway_health (gateway TEXT PRIMARY KEY, at_us INTEGER NOT NULL, health BLOB NOT NULL)
            WITHOUT ROWID;
        CREATE TABLE gateway_state (gateway TEXT PRIMARY KEY, site TEXT NOT NULL, heard_us INTEGER NOT NULL,
            online INTEGER NOT NULL, since_us INTEGER NOT NULL, version TEXT NOT NULL) WITHOUT ROWID;
        CREATE TABLE gateway_event (
            gateway TEXT NOT NULL, epoch TEXT NOT NULL, lane TEXT NOT NULL, seq INTEGER NOT NULL,
            site TEXT NOT NULL, at_us INTEGER NOT NULL, code TEXT NOT NULL, subject TEXT NOT NULL,
            text TEXT NOT NULL, PRIMARY KEY (gateway, epoch, lane, seq)
        ) WITHOUT ROWID;
        CREATE INDEX gateway_event_by_site ON gateway_event (site, at_us);
        """,
    ),
)
_decode_health = msgspec.msgpack.Decoder(Health).decode
_encode = msgspec.msgpack.Encoder().encode


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayStatus:
    """One gateway as central knows it. None: it never said."""

    gateway: str
    site: str
    last_seen: datetime | None
    """When central last stored something new from it, by central's clock."""
    online: bool | None
    """What its retained birth or last will says."""
    version: str
    health_at: datetime | None
    health: Health | None

    @property
    def devices(self) -> tuple[DeviceHealth, ...]:
        return self.health.devices if self.health else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayEvent:
    """Something that happened at a gateway; `subject` is the device, empty for the gateway itself."""

    site: str
    gateway: str
    at: datetime
    code: str
    subject: str
    text: str


class GatewayStore:
    """The gateways of series.db, and the projection that fills it. Usable from any thread."""

    name: Final = "gateways"

    def __init__(self, db: Database, live: LiveHub | None = None) -> None:
        self._db = db
        self._live = live

    @classmethod
    def open(cls, path: Path, live: LiveHub | None = None) -> Self:
        return cls(Database.open(path, (*cursors.MIGRATIONS, *MIGRATIONS)), live)

    def close(self) -> None:
        self._db.close()

    def status(self, site: str | None = None) -> list[GatewayStatus]:
        """Every gateway heard of, by name; of one site, or all."""
        with self._db.read() as db:
            rows = db.execute(
                "SELECT g.gateway, g.site, n.last_us, s.online, coalesce(s.version, ''), h.at_us, h.health"
                " FROM (SELECT gateway, site FROM gateway_seen UNION SELECT gateway, site FROM gateway_state) g"
                " LEFT JOIN gateway_seen n ON n.gateway = g.gateway"
                " LEFT JOIN gateway_state s ON s.gateway = g.gateway"
                " LEFT JOIN gateway_health h ON h.gateway = g.gateway"
                " WHERE ?1 IS NULL OR g.site = ?1 ORDER BY g.gateway",
                (site,),
            ).fetchall()
        return [_status(row) for row in rows]

    def events(self, site: str, limit: int = 50) -> list[GatewayEvent]:
        """Newest first."""
        with self._db.read() as db:
            rows = db.execute(
                "SELECT gateway, at_us, code, subject, text FROM gateway_event WHERE site = ?"
                " ORDER BY at_us DESC, seq DESC LIMIT ?",
                (site, limit),
            ).fetchall()
        return [
            GatewayEvent(site=site, gateway=gateway, at=from_us(at), code=code, subject=subject, text=text)
            for gateway, at, code, subject, text in rows
        ]

    def heard(self, state: GatewayState, at_us: int) -> None:
        """A gateway's retained birth or last will came at `at_us`; it is no record, so no ledger has it."""
        with self._db.write() as db:
            db.execute(
                "INSERT OR REPLACE INTO gateway_state VALUES (?, ?, ?, ?, ?, ?)",
                (state.gateway, state.site, at_us, state.online, state.since_us, state.version),
            )
        self._tell(state.site, {"gateway": state.gateway, "online": state.online})

    def cursor(self) -> int:
        return self.tally().through

    def tally(self) -> Tally:
        with self._db.read() as db:
            return cursors.get(db, self.name)

    def apply(self, rows: Sequence[LedgerRow]) -> None:
        seen: dict[str, tuple[str, int]] = {}
        health: dict[str, tuple[int, Health]] = {}
        events: list[tuple[Any, ...]] = []
        for row in rows:
            seen[row.gateway] = (row.site, row.received_us)
            for record in row.records:
                # a clock that was never set says 1970: older than all that is known
                at_us = row.received_us if record.clock == "unset" else record.at_us
                match record.body:
                    case Health() as body:
                        if at_us >= health.get(row.gateway, (at_us, body))[0]:
                            health[row.gateway] = (at_us, body)
                    case Event(code=code, subject=subject, text=text):
                        name = (row.gateway, row.epoch, row.lane, record.seq)
                        events.append((*name, row.site, at_us, code, subject, text))
        with self._db.write() as db:
            db.executemany(
                "INSERT INTO gateway_seen VALUES (?, ?, ?) ON CONFLICT (gateway) DO UPDATE"
                " SET last_us = max(last_us, excluded.last_us), site = excluded.site",
                [(gateway, site, last_us) for gateway, (site, last_us) in seen.items()],
            )
            db.executemany(
                "INSERT INTO gateway_health VALUES (?, ?, ?) ON CONFLICT (gateway) DO UPDATE"
                " SET at_us = excluded.at_us, health = excluded.health WHERE excluded.at_us >= at_us",
                [(gateway, at_us, _encode(body)) for gateway, (at_us, body) in health.items()],
            )
            db.executemany("INSERT OR IGNORE INTO gateway_event VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", events)
            cursors.move(db, self.name, cursors.get(db, self.name).plus(rows))
        for gateway, (site, last_us) in seen.items():
            self._tell(site, {"gateway": gateway, "last_seen": from_us(last_us).isoformat()})

    def reset(self) -> None:
        with self._db.write() as db:
            for table in ("gateway_seen", "gateway_health", "gateway_event"):
                db.execute(f"DELETE FROM {table}")  # noqa: S608 - our own names
            cursors.move(db, self.name, Tally())

    def _tell(self, site: str, said: dict[str, Any]) -> None:
        if self._live is not None:
            self._live.publish("gateway", site, said)


def _status(row: tuple[Any, ...]) -> GatewayStatus:
    gateway, site, last_us, online, version, health_at_us, health = row
    body = _decode_health(health) if health is not None else None
    return GatewayStatus(
        gateway=gateway,
        site=site,
        last_seen=None if last_us is None else from_us(last_us),
        online=None if online is None else bool(online),
        version=(body.version if body else "") or version,
        health_at=None if health_at_us is None else from_us(health_at_us),
        health=body,
    )
