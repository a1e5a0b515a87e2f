"""Keeps readings in SQLite: the store that needs no server.

One row per poll of a device, its values as 8-byte whole numbers side by side: against one row per value that is a
tenth of the CPU and a third of the disk (tests/bench/central_intake.py); one metric's history is a slice of each row.
"""

from __future__ import annotations

import json
import struct
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from heapq import merge
from itertools import groupby
from operator import attrgetter, itemgetter
from pathlib import Path
from typing import Final, Self

import msgspec

from plumbline.clock import from_us, to_us
from plumbline.errors import Refused
from plumbline.metrics import BY_CODE, BY_NAME, Metric
from plumbline_central.schema import Database, Migrations
from plumbline_central.stores.port import FramePoint, Reading

MIGRATIONS: Final[Migrations] = (
    (
        "telemetry_1",
        """
        -- which metric stands where in the frames of a device; metrics is a JSON list of codes
        CREATE TABLE layout (
            id INTEGER PRIMARY KEY, site TEXT NOT NULL, gateway TEXT NOT NULL, device TEXT NOT NULL,
            metrics TEXT NOT NULL, UNIQUE (site, device, gateway, metrics)
        );
        -- steps: little-endian int64 per metric, counting steps of its resolution; the lowest int64: no value
        -- flaws: MessagePack [[position, flaw], ...]; NULL: all are good
        CREATE TABLE frame (
            layout INTEGER NOT NULL, at_us INTEGER NOT NULL, steps BLOB NOT NULL, flaws BLOB,
            PRIMARY KEY (layout, at_us)
        ) WITHOUT ROWID;
        """,
    ),
    (
        "telemetry_2",
        """
        -- the same for frames whose time is not the word of a trusted clock: kept apart, boot by boot, so that
        -- moving one never touches another
        CREATE TABLE frame_placed (
            layout INTEGER NOT NULL, at_us INTEGER NOT NULL, boot TEXT NOT NULL, steps BLOB NOT NULL, flaws BLOB,
            PRIMARY KEY (layout, at_us, boot)
        ) WITHOUT ROWID;
        """,
    ),
)
LAYOUTS_REMEMBERED: Final = 4_096
"""Far more than honest meters have; a gateway may send another tuple of metrics with each frame."""
_TABLES: Final = ("frame", "frame_placed")
_NONE: Final = -(1 << 63)
_NONE_BYTES: Final = struct.pack("<q", _NONE)
_unpack_one = struct.Struct("<q").unpack
_encode_flaws = msgspec.msgpack.Encoder().encode
_decode_flaws = msgspec.msgpack.Decoder(list[tuple[int, int]]).decode
_Row = tuple[int, int, bytes, bytes | None]
_Key = tuple[str, str, str, tuple[int, ...]]


class SqliteTelemetryStore:
    """A `TelemetryStore` in one file. Usable from any thread."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._layouts: OrderedDict[_Key, tuple[int, struct.Struct]] = OrderedDict()

    @classmethod
    def open(cls, path: Path) -> Self:
        return cls(Database.open(path, MIGRATIONS))

    def close(self) -> None:
        self._db.close()

    def write(self, points: Sequence[FramePoint]) -> None:
        rows: list[_Row] = []
        rarer: list[tuple[str, _Row, bool]] = []
        for point in points:
            layout, packer = self._layout_of(point)
            values = point.values
            if None in values:
                steps = packer.pack(*(_NONE if value is None else value for value in values))
            else:
                steps = packer.pack(*values)
            row = (layout, point.at_us, steps, _encode_flaws(point.flaws) if point.flaws else None)
            if point.boot or point.thinned:
                rarer.append((point.boot, row, point.thinned))
            else:
                rows.append(row)
        with self._db.write() as db:
            db.executemany("INSERT OR REPLACE INTO frame VALUES (?, ?, ?, ?)", rows)
            for boot, (layout, at_us, steps, flaws), thinned in rarer:
                verb = "INSERT OR IGNORE" if thinned else "INSERT OR REPLACE"
                if boot:
                    db.execute(
                        f"{verb} INTO frame_placed VALUES (?, ?, ?, ?, ?)",
                        (layout, at_us, boot, steps, flaws),
                    )
                else:
                    db.execute(f"{verb} INTO frame VALUES (?, ?, ?, ?)", (layout, at_us, steps, flaws))

    def remove(self, points: Sequence[FramePoint]) -> None:
        placed = [(self._layout_of(point)[0], point.at_us, point.boot) for point in points]
        with self._db.write() as db:
            db.executemany(
                "DELETE FROM frame_placed WHERE layout = ? AND at_us = ? AND boot = ?",
                [key for key in placed if key[2]],
            )
            db.executemany(
                "DELETE FROM frame WHERE layout = ? AND at_us = ?",
                [(layout, at_us) for layout, at_us, boot in placed if not boot],
            )

    def latest(self, site: str) -> list[Reading]:
        with self._db.read() as db:
            rows = [
                row
                for table in _TABLES
                for row in db.execute(
                    "SELECT l.gateway, l.device, l.metrics, f.at_us, f.steps, f.flaws"  # noqa: S608 - our own names
                    f" FROM layout l JOIN {table} f ON f.layout = l.id"
                    f" AND f.at_us = (SELECT max(at_us) FROM {table} WHERE layout = l.id) WHERE l.site = ?",
                    (site,),
                )
            ]
        rows.sort(key=itemgetter(3))
        newest: dict[tuple[str, int, str], Reading] = {}
        for gateway, device, metrics, at_us, steps, raw_flaws in rows:
            flaws = dict(_decode_flaws(raw_flaws)) if raw_flaws is not None else {}
            for i, (code, (value,)) in enumerate(
                zip(json.loads(metrics), struct.iter_unpack("<q", steps), strict=True)
            ):
                metric = BY_CODE.get(code)
                if metric is None:
                    continue  # written by a newer version of this service
                newest[device, code, gateway] = Reading(
                    site=site,
                    gateway=gateway,
                    device=device,
                    metric=metric.name,
                    unit=metric.unit,
                    value=None if value == _NONE else metric.from_wire(value),
                    flaw=flaws.get(i),
                    at=from_us(at_us),
                )
        return [reading for _, reading in sorted(newest.items(), key=itemgetter(0))]

    def series(
        self, site: str, device: str, metric: str, start: datetime, end: datetime, step_s: float | None = None
    ) -> list[tuple[datetime, float]]:
        """Raises Refused for a metric or a step that is none."""
        known = _metric(metric)
        step_us = None if step_s is None else round(step_s * 1_000_000)
        if step_us is not None and step_us <= 0:
            raise Refused(f"a step of {step_s} s is none", hint="Ask for more than 0.")
        found = self._steps(site, device, known.code, to_us(start), to_us(end))
        if step_us is None:
            return [(from_us(at_us), known.from_wire(steps)) for at_us, steps in found]
        return [
            (from_us(at_us), known.from_wire(sum(steps for _, steps in group)) / len(group))
            for at_us, members in groupby(found, key=lambda pair: pair[0] // step_us * step_us)
            if (group := list(members))
        ]

    def readings(self, site: str, device: str, metric: str, start: datetime, end: datetime) -> list[Reading]:
        """Raises Refused for a metric that is none."""
        known = _metric(metric)
        found: list[Reading] = []
        with self._db.read() as db:
            layouts = db.execute(
                "SELECT id, gateway, metrics FROM layout WHERE site = ? AND device = ?", (site, device)
            ).fetchall()
            for id_, gateway, metrics in layouts:
                codes = json.loads(metrics)
                if known.code not in codes:
                    continue
                place = codes.index(known.code)
                for table in _TABLES:
                    rows = db.execute(
                        f"SELECT at_us, substr(steps, ?, 8), flaws FROM {table}"  # noqa: S608 - our own names
                        " WHERE layout = ? AND at_us >= ? AND at_us < ?",
                        (8 * place + 1, id_, to_us(start), to_us(end)),
                    )
                    found += (
                        Reading(
                            site=site,
                            gateway=gateway,
                            device=device,
                            metric=known.name,
                            unit=known.unit,
                            value=None if steps == _NONE_BYTES else known.from_wire(_unpack_one(steps)[0]),
                            flaw=dict(_decode_flaws(flaws)).get(place) if flaws is not None else None,
                            at=from_us(at_us),
                        )
                        for at_us, steps, flaws in rows
                    )
        return sorted(found, key=attrgetter("at", "gateway"))

    def count(self) -> int:
        with self._db.read() as db:
            rows = [
                row
                for table in _TABLES
                for row in db.execute(
                    f"SELECT l.metrics, count(*) FROM {table} f JOIN layout l ON l.id = f.layout GROUP BY f.layout"  # noqa: S608 - our own names
                )
            ]
        return sum(len(json.loads(metrics)) * frames for metrics, frames in rows)

    def reset(self) -> None:
        with self._db.write() as db:
            for table in _TABLES:
                db.execute(f"DELETE FROM {table}")  # noqa: S608 - our own names
            db.execute("DELETE FROM layout")
            self._layouts.clear()

    def _steps(
        self, site: str, device: str, code: int, start_us: int, end_us: int
    ) -> Iterable[tuple[int, int]]:
        """(time, value in steps) ascending, over all gateways and layouts that the device had."""
        with self._db.read() as db:
            layouts = db.execute(
                "SELECT id, metrics FROM layout WHERE site = ? AND device = ?", (site, device)
            ).fetchall()
            parts = [
                db.execute(
                    f"SELECT at_us, substr(steps, ?, 8) AS value FROM {table}"  # noqa: S608 - our own names
                    " WHERE layout = ? AND at_us >= ? AND at_us < ? AND value != ? ORDER BY at_us",
                    (8 * codes.index(code) + 1, id_, start_us, end_us, _NONE_BYTES),
                ).fetchall()
                for id_, metrics in layouts
                if code in (codes := json.loads(metrics))
                for table in _TABLES
            ]
        return ((at_us, _unpack_one(value)[0]) for at_us, value in merge(*parts))

    def _layout_of(self, point: FramePoint) -> tuple[int, struct.Struct]:
        """Where the point's values stand; noted on first sight, in a commit of its own."""
        key = (point.site, point.gateway, point.device, point.metrics)
        known = self._layouts.get(key)
        if known is not None:
            with suppress(KeyError):  # another thread may just have let it go
                self._layouts.move_to_end(key)
            return known
        row = (point.site, point.gateway, point.device, json.dumps(point.metrics))
        with self._db.write() as db:
            db.execute(
                "INSERT OR IGNORE INTO layout (site, gateway, device, metrics) VALUES (?, ?, ?, ?)", row
            )
            (id_,) = db.execute(
                "SELECT id FROM layout WHERE site = ? AND gateway = ? AND device = ? AND metrics = ?", row
            ).fetchone()
            found = self._layouts[key] = (int(id_), struct.Struct(f"<{len(point.metrics)}q"))
            if len(self._layouts) > LAYOUTS_REMEMBERED:
                self._layouts.popitem(last=False)
        return found


def _metric(name: str) -> Metric:
    known = BY_NAME.get(name)
    if known is None:
        raise Refused(f"there is no metric {name!r}", hint="`plumbline.metrics` lists them.")
    return known
