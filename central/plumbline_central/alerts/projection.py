"""Turns progress records of the ledger into observations and, through the evaluator, into alerts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from plumbline import codec
from plumbline.clock import from_us, to_us
from plumbline.messages import Progress
from plumbline.topics import is_name
from plumbline_central.alerts.book import BookWriter
from plumbline_central.alerts.evaluate import Evaluator
from plumbline_central.deviation import Seen, deviation_pp
from plumbline_central.live import LiveHub
from plumbline_central.project import LedgerRow, StoredRecord, Tally
from plumbline_central.schema import Database

_ROWS_WITHOUT_PROGRESS: Final = 256  # reading them again after a restart is cheaper than a commit for each
_AHEAD_US: Final = 600 * 1_000_000
"""A photo dated later than this after its arrival has a clock that cannot be judged by."""


class ProgressProjection:
    """Observations, watches and alerts, all in one transaction with the cursor."""

    name: Final = "progress"

    def __init__(self, db: Database, evaluator: Evaluator, live: LiveHub | None = None) -> None:
        self._db = db
        self._evaluator = evaluator
        self._live = live
        self._tally: Tally | None = None
        self._kept = 0

    def cursor(self) -> int:
        self._tally = self._on_disk()
        self._kept = self._tally.through
        return self._kept

    def tally(self) -> Tally:
        return self._tally or self._on_disk()

    def apply(self, rows: Sequence[LedgerRow]) -> None:
        tally = self.tally().plus(rows)
        found = [
            (row, stored, stored.record.body)
            for row in rows
            for stored in row.stored()
            if isinstance(stored.record.body, Progress)
        ]
        if not found and tally.through - self._kept < _ROWS_WITHOUT_PROGRESS:
            self._tally = tally
            return
        told: list[tuple[str, dict[str, Any]]] = []
        with self._evaluator.book.write() as writer:
            for row, stored, progress in found:
                told.append((row.site, self._observe(writer, row.received_us, stored, progress)))
            writer.db.execute(
                "INSERT OR REPLACE INTO alert_cursor (projection, ledger_id, applied, passed_over)"
                " VALUES (?, ?, ?, ?)",
                (self.name, tally.through, tally.applied, tally.passed_over),
            )
        self._tally, self._kept = tally, tally.through
        if self._live is not None:
            for site, data in told:
                self._live.publish("progress", site, data)

    def reset(self) -> None:
        """Forget observations and watches. The alert book stays: it holds what people said."""
        with self._db.write() as db:
            db.execute("DELETE FROM alert_observation")
            db.execute("DELETE FROM alert_watch")
            db.execute("DELETE FROM alert_cursor WHERE projection = ?", (self.name,))
        self._tally, self._kept = Tally(), 0

    def _on_disk(self) -> Tally:
        with self._db.read() as db:
            row = db.execute(
                "SELECT ledger_id, applied, passed_over FROM alert_cursor WHERE projection = ?", (self.name,)
            ).fetchone()
        return Tally(through=row[0], applied=row[1], passed_over=row[2]) if row else Tally()

    def _observe(
        self, writer: BookWriter, received_us: int, stored: StoredRecord, progress: Progress
    ) -> dict[str, Any]:
        """Keep and judge one observation; what the live page is told of it."""
        seen, doubts = _seen(stored, progress, received_us)
        baseline = self._evaluator.baseline(stored.site)
        planned = baseline.curve.due_at(seen.at) if baseline and not doubts else None
        in_time = not doubts and self._evaluator.observe(
            writer, stored.site, progress.camera, seen, baseline, from_us(received_us)
        )
        writer.db.execute(
            "INSERT OR REPLACE INTO alert_observation VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                seen.ref,
                stored.site,
                progress.camera,
                progress.photo,
                to_us(seen.at),
                received_us,
                seen.percent,
                seen.low,
                seen.high,
                planned,
                baseline.version if baseline else None,
                _standing(seen, planned, doubts=doubts, in_time=in_time),
                " ".join(seen.gate),
                codec.encode_body(progress),
            ),
        )
        return {
            "camera": progress.camera,
            "photo": progress.photo,
            "at": seen.at.isoformat(),
            "percent": seen.percent,
            "low": seen.low,
            "high": seen.high,
            "planned": planned,
            "deviation_pp": deviation_pp(seen.percent, planned)
            if seen.valid and seen.percent is not None and planned is not None
            else None,
            "gate": list(seen.gate),
        }


def _seen(stored: StoredRecord, progress: Progress, received_us: int) -> tuple[Seen, bool]:
    """The record as it can be judged, and whether it must not be judged at all.

    A gateway is enrolled, not infallible: a time that cannot be, a name that cannot stand in a topic or a value
    that is none becomes a reason beside the observation, and nothing worse.
    """
    record, reasons = stored.record, list(progress.gate)
    timed = record.clock != "unset" and 0 <= record.at_us <= received_us + _AHEAD_US
    named = is_name(progress.camera)
    if not timed:
        reasons.append("clock")
    if not named:
        reasons.append("camera_name")
    percent = _share(progress.percent)
    if percent is None and progress.percent is not None:
        reasons.append("percent")
    seen = Seen(
        ref=f"{stored.gateway}/{stored.epoch}/{stored.lane}/{record.seq}",
        at=from_us(record.at_us if timed else received_us),
        percent=percent,
        low=_share(progress.low),
        high=_share(progress.high),
        gate=tuple(reasons),
        photo=progress.photo,
    )
    return seen, not (timed and named)


def _share(percent: float | None) -> float | None:
    return percent if percent is not None and 0 <= percent <= 100 else None


def _standing(seen: Seen, planned: float | None, *, doubts: bool, in_time: bool) -> str:
    if doubts:
        return "untimed" if "clock" in seen.gate else "gated"
    if not seen.valid:
        return "gated"
    if not in_time:
        return "late"
    return "no_plan" if planned is None else "judged"
