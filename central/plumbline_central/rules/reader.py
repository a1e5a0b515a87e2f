"""Gathers the snapshot: a few questions to the disk, however many sites there are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from plumbline import codec
from plumbline.clock import from_us, to_us
from plumbline.messages import Progress
from plumbline.topics import is_name
from plumbline_central.plan import Scope
from plumbline_central.plan_store import PROGRESS, Baseline
from plumbline_central.rules.metering import Meter
from plumbline_central.rules.snapshot import (
    Camera,
    Certificate,
    Gateway,
    Look,
    Metered,
    Milestone,
    Silent,
    Snapshot,
)
from plumbline_central.schema import Database
from plumbline_central.stores.gateways import GatewayStatus
from plumbline_central.stores.gateways import Silence as KeptSilence

_LOOKS: Final = 6
_VALID: Final = 3
_OF: Final = "ref, at_us, percent, low, high, gate, photo, body"
_VALID_ONES: Final = "standing IN ('judged', 'late', 'no_plan')"
_NEWEST: Final = (
    f"SELECT o.site, o.camera, {_OF} FROM alert_watch w CROSS JOIN alert_observation o"  # noqa: S608 - our own names
    " INDEXED BY alert_observation_by_camera ON o.site = w.site AND o.camera = w.camera AND o.standing != 'untimed'"
    " AND o.at_us >= coalesce((SELECT n.at_us FROM alert_observation n INDEXED BY alert_observation_by_camera"
    "   WHERE n.site = w.site AND n.camera = w.camera AND n.standing != 'untimed'"
    "   ORDER BY n.at_us DESC LIMIT 1 OFFSET ?1 - 1), 0)"
    " ORDER BY o.site, o.camera, o.at_us, o.ref"
)
"""The newest so many of each camera. CROSS JOIN keeps SQLite from reading the whole history instead."""
_BEFORE: Final = (
    f"SELECT {_OF} FROM alert_observation INDEXED BY alert_observation_valid"  # noqa: S608 - our own names
    f" WHERE site = ? AND camera = ? AND {_VALID_ONES} AND at_us <= ? ORDER BY at_us DESC LIMIT ?"
)
_Row = tuple[str, int, float | None, float | None, float | None, str, str, bytes]
_Key = tuple[str, str]
Plans = Mapping[tuple[str, str, Scope], Baseline]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where the rest of the snapshot comes from."""

    gateways: Callable[[], Sequence[GatewayStatus]] = tuple
    milestones: Callable[[], Mapping[str, Sequence[Milestone]]] = dict
    metered: Callable[[], Sequence[Metered]] = tuple
    certificates: Callable[[datetime], Sequence[Certificate]] = lambda _now: ()
    store_faults: Callable[[], Mapping[str, str]] = dict


@dataclass(slots=True)
class _Known:
    """What the disk said of a camera the last time; the same rows are not decoded again."""

    rows: list[_Row] = field(default_factory=list)
    looks: tuple[Look, ...] = ()
    valid: tuple[Look, ...] = ()
    earlier: tuple[Look, ...] = ()
    decoded: Mapping[_Row, Look] = field(default_factory=dict)
    """All of these by what the disk said."""


class SnapshotReader:
    """Reads control.db, and asks `sources`. Usable from one thread at a time."""

    def __init__(self, db: Database, sources: Sources, *, earlier_days: float) -> None:
        self._db = db
        self._sources = sources
        self._earlier = timedelta(days=earlier_days)
        self._known: dict[_Key, _Known] = {}

    def read(self, now: datetime, plans: Plans) -> Snapshot:
        """How everything is, beside the current `plans`. Raises Unreachable."""
        return Snapshot(
            gateways=[_gateway(status) for status in self._sources.gateways()],
            cameras=self._cameras(plans),
            milestones=self._sources.milestones(),
            metered=self._sources.metered(),
            certificates=self._sources.certificates(now),
            store_faults=self._sources.store_faults(),
        )

    def _cameras(self, plans: Plans) -> list[Camera]:
        rows: defaultdict[_Key, list[_Row]] = defaultdict(list)
        with self._db.read() as db:
            for site, camera, *row in db.execute(_NEWEST, (_LOOKS,)):
                rows[site, camera].append(tuple(row))
        self._known = {key: self._again(key, found) for key, found in rows.items()}
        cameras = []
        for (site, camera), known in self._known.items():
            baseline = plans.get((site, PROGRESS, "visible"))
            cameras.append(
                Camera(
                    site=site,
                    camera=camera,
                    gateway=known.looks[-1].ref.partition("/")[0],
                    looks=known.looks,
                    valid=known.valid,
                    earlier=known.earlier,
                    plan=baseline.curve if baseline else None,
                )
            )
        return cameras

    def _again(self, key: _Key, rows: list[_Row]) -> _Known:
        known = self._known.get(key)
        if known is not None and known.rows == rows[-_LOOKS:]:
            return known
        before = known.decoded if known else {}
        decoded: dict[_Row, Look] = {}

        def looks_of(rows: Sequence[_Row]) -> tuple[Look, ...]:
            for row in rows:
                decoded[row] = decoded.get(row) or before.get(row) or _look(row)
            return tuple(decoded[row] for row in rows)

        rows = rows[-_LOOKS:]
        looks = looks_of(rows)
        valid = tuple(look for look in looks if look.valid)[-_VALID:]
        if len(valid) < _VALID:
            valid = looks_of(self._before(key, looks[-1].at))
        earlier = looks_of(self._before(key, valid[-1].at - self._earlier)) if valid else ()
        return _Known(rows=rows, looks=looks, valid=valid, earlier=earlier, decoded=decoded)

    def _before(self, key: _Key, at: datetime) -> Sequence[_Row]:
        """The newest that could be judged, up to `at`; the oldest first."""
        with self._db.read() as db:
            rows: list[_Row] = db.execute(_BEFORE, (*key, to_us(at), _VALID)).fetchall()
        return rows[::-1]


def meters_of(gateways: Iterable[GatewayStatus]) -> list[Meter]:
    """The meters that the gateways speak of."""
    return [
        Meter(site=status.site, device=device.name, gateway=status.gateway)
        for status in gateways
        for device in status.devices
        if not device.source and is_name(device.name)
    ]


def _look(row: _Row) -> Look:
    ref, at_us, percent, low, high, gate, photo, body = row
    progress = codec.decode_body(body)
    assert isinstance(progress, Progress)
    return Look(
        ref=ref,
        at=from_us(at_us),
        percent=percent,
        low=low,
        high=high,
        gate=tuple(gate.split()),
        photo=photo,
        shift_px=progress.shift_px,
        zones={zone.id: (zone.percent, zone.regress) for zone in progress.zones},
    )


def _gateway(status: GatewayStatus) -> Gateway:
    errors = {device.name: device.errors for device in status.devices}
    return Gateway(
        site=status.site,
        gateway=status.gateway,
        last_seen=status.last_seen,
        health_at=status.health_at,
        health=status.health,
        clock=status.clock,
        ahead_s=status.ahead_s,
        silent={name: _silent(silence, errors.get(name, {})) for name, silence in status.silences.items()},
    )


def _silent(silence: KeptSilence, errors: Mapping[str, int]) -> Silent:
    """What failed since then. The gateway counts anew when it starts, so a count that fell begins at 0."""
    failed = {
        kind: count - before if (before := silence.before.get(kind, 0)) <= count else count
        for kind, count in errors.items()
        if kind != "late"
    }
    return Silent(
        since=from_us(silence.since_us), failed={kind: count for kind, count in failed.items() if count}
    )
