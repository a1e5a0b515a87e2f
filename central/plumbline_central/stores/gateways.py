"""Keeps what is known of each gateway: when it was last heard, how it does, what happened there."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Self

import msgspec

from plumbline.clock import Trust, from_us
from plumbline.messages import DeviceHealth, Event, GatewayState, Health, Record
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
    (
        "gateways_2",
        """
        -- signed_us, clock: the health record's own time and how far it could be trusted; received_us: when it came;
        -- silent: of each silent device since when, and its errors before that
        ALTER TABLE gateway_health ADD COLUMN signed_us INTEGER;
        ALTER TABLE gateway_health ADD COLUMN clock TEXT;
        ALTER TABLE gateway_health ADD COLUMN received_us INTEGER;
        ALTER TABLE gateway_health ADD COLUMN silent BLOB;
        """,
    ),
)
_AHEAD_US: Final = 600 * 1_000_000
_decode_health = msgspec.msgpack.Decoder(Health).decode
_encode = msgspec.msgpack.Encoder().encode


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Since when a device does not answer, and how often each thing had gone wrong before that."""

    since_us: int
    before: Mapping[str, int]


_decode_silences = msgspec.msgpack.Decoder(dict[str, Silence]).decode


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
    clock: Trust | None = None
    """How far it trusted its own clock then."""
    ahead_s: float | None = None
    """Its own time of that health record minus the time it came here: surely ahead where positive."""
    silences: Mapping[str, Silence] = field(default_factory=dict)
    """By device, of those that do not answer."""

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
                "SELECT g.gateway, g.site, n.last_us, s.online, coalesce(s.version, ''), h.at_us, h.health,"
                " h.clock, h.signed_us, h.received_us, h.silent"
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
        health: dict[str, list[_Reported]] = {}
        events: list[tuple[Any, ...]] = []
        for row in rows:
            seen[row.gateway] = (row.site, row.received_us)
            for record in row.records:
                at_us = _counts_from(record, row.received_us)
                match record.body:
                    case Health() as body:
                        reported = _Reported(at_us, body, record.at_us, record.clock, row.received_us)
                        health.setdefault(row.gateway, []).append(reported)
                    case Event(code=code, subject=subject, text=text):
                        name = (row.gateway, row.epoch, row.lane, record.seq)
                        events.append((*name, row.site, at_us, code, subject, text))
        with self._db.write() as db:
            db.executemany(
                "INSERT INTO gateway_seen VALUES (?, ?, ?) ON CONFLICT (gateway) DO UPDATE"
                " SET last_us = max(last_us, excluded.last_us), site = excluded.site",
                [(gateway, site, last_us) for gateway, (site, last_us) in seen.items()],
            )
            for gateway, reports in health.items():
                _keep_health(db, gateway, reports)
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


def _counts_from(record: Record, received_us: int) -> int:
    """When it was so. A clock that was never set says 1970, and one that is far ahead would have the last word for long."""
    trusted = record.clock != "unset" and record.at_us <= received_us + _AHEAD_US
    return record.at_us if trusted else received_us


@dataclass(frozen=True, slots=True)
class _Reported:
    """A health record with the time it counts for, its own time, its clock, and when it came."""

    at_us: int
    health: Health
    signed_us: int
    clock: Trust
    received_us: int


def _keep_health(db: sqlite3.Connection, gateway: str, reports: Sequence[_Reported]) -> None:
    """The newest of them and of what is kept; an older one changes nothing."""
    row = db.execute(
        "SELECT at_us, health, silent FROM gateway_health WHERE gateway = ?", (gateway,)
    ).fetchone()
    newest_us, before = (row[0], _decode_health(row[1])) if row else (None, None)
    silences = _decode_silences(row[2]) if row and row[2] else {}
    newest: _Reported | None = None
    for one in sorted(reports, key=lambda one: one.at_us):
        if newest_us is not None and one.at_us < newest_us:
            continue
        silences = _silences(silences, before, one)
        newest_us, before, newest = one.at_us, one.health, one
    if newest is not None:
        db.execute(
            "INSERT OR REPLACE INTO gateway_health"
            " (gateway, at_us, health, signed_us, clock, received_us, silent) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                gateway,
                newest.at_us,
                _encode(newest.health),
                newest.signed_us,
                newest.clock,
                newest.received_us,
                _encode(silences),
            ),
        )


def _silences(known: Mapping[str, Silence], before: Health | None, now: _Reported) -> dict[str, Silence]:
    """Of each device that is silent now, since when, as far as the health records tell."""
    counted = {device.name: device.errors for device in before.devices} if before else {}
    return {
        device.name: known.get(device.name)
        or Silence(since_us=now.at_us, before=counted.get(device.name, {}))
        for device in now.health.devices
        if device.status == "silent"
    }


def _status(row: tuple[Any, ...]) -> GatewayStatus:
    gateway, site, last_us, online, version, health_at_us, health, clock, signed_us, received_us, silent = row
    body = _decode_health(health) if health is not None else None
    return GatewayStatus(
        gateway=gateway,
        site=site,
        last_seen=None if last_us is None else from_us(last_us),
        online=None if online is None else bool(online),
        version=(body.version if body else "") or version,
        health_at=None if health_at_us is None else from_us(health_at_us),
        health=body,
        clock=clock,
        ahead_s=None if signed_us is None else (signed_us - received_us) / 1e6,
        silences=_decode_silences(silent) if silent else {},
    )
