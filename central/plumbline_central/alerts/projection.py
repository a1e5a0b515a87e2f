"""Turns progress records of the ledger into observations and, through the evaluator, into alerts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from plumbline import codec
from plumbline.clock import TRUSTED, from_us, to_us
from plumbline.messages import Progress
from plumbline.topics import is_name
from plumbline_central import placing
from plumbline_central.alerts.book import BookWriter
from plumbline_central.alerts.evaluate import Evaluator
from plumbline_central.deviation import Seen, deviation_pp
from plumbline_central.live import LiveHub
from plumbline_central.placing import Boot, Fix, Fixes, Signed
from plumbline_central.plan_store import Baseline
from plumbline_central.project import LedgerRow, StoredRecord, Tally
from plumbline_central.schema import Database
from plumbline_central.stores import fixes

_ROWS_WITHOUT_PROGRESS: Final = 256  # reading them again after a restart is cheaper than a commit for each
_COUNTED: Final = ("judged", "no_plan", "gated")
"""Standings of observations that the evaluator has taken in."""
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
            (row, learnt, seen)
            for row in rows
            for learnt, seen in [(placing.learnt(row), _progress_of(row))]
            if learnt or seen
        ]
        if not found and tally.through - self._kept < _ROWS_WITHOUT_PROGRESS:
            self._tally = tally
            return
        told: list[tuple[str, dict[str, Any]]] = []
        with self._evaluator.book.write() as writer:
            known: dict[Boot, Fixes] = {}
            for row, learnt, observed in found:
                for boot, came in learnt.items():
                    known[boot] = self._learn(writer, boot, came, row.received_us)
                told += [
                    (row.site, self._take(writer, row.received_us, stored, known)) for stored in observed
                ]
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
            db.execute("DELETE FROM alert_doubtful")
            fixes.forget(db, self.name)
            db.execute("DELETE FROM alert_cursor WHERE projection = ?", (self.name,))
        self._tally, self._kept = Tally(), 0

    def _on_disk(self) -> Tally:
        with self._db.read() as db:
            row = db.execute(
                "SELECT ledger_id, applied, passed_over FROM alert_cursor WHERE projection = ?", (self.name,)
            ).fetchone()
        return Tally(through=row[0], applied=row[1], passed_over=row[2]) if row else Tally()

    def _take(
        self, writer: BookWriter, received_us: int, stored: StoredRecord, known: dict[Boot, Fixes]
    ) -> dict[str, Any]:
        """Keep and judge one observation; what the live page is told of it. `known` is read once for each boot."""
        record, progress = stored.record, stored.record.body
        assert isinstance(progress, Progress)
        ref = f"{stored.gateway}/{stored.epoch}/{stored.lane}/{record.seq}"
        boot = (stored.gateway, record.boot)
        if record.clock not in TRUSTED:
            if boot not in known:
                known[boot] = fixes.get(writer.db, self.name, boot)
            writer.db.execute(
                "INSERT OR REPLACE INTO alert_doubtful VALUES (?, ?, ?, ?, ?, ?)",
                (ref, stored.gateway, record.boot, record.mono_us, record.at_us, record.clock),
            )
        at_us = placing.place(record, known.get(boot, ()))
        seen, doubts = _seen(ref, at_us, progress, received_us)
        baseline = self._evaluator.baseline(stored.site)
        in_time = not doubts and self._evaluator.observe(
            writer, stored.site, progress.camera, seen, baseline, from_us(received_us)
        )
        judged = _Judged(seen=seen, baseline=baseline, doubts=doubts, in_time=in_time)
        return _keep(writer, stored.site, progress, received_us, judged)

    def _learn(self, writer: BookWriter, boot: Boot, came: Sequence[Fix], now_us: int) -> Fixes:
        """Date the untrusted observations of one boot anew, and judge again those that lie elsewhere; by these."""
        before = fixes.get(writer.db, self.name, boot)
        after = placing.with_fixes(before, came)
        fixes.change(writer.db, self.name, boot, before, after)
        rows = writer.db.execute(
            "SELECT d.ref, d.signed_us, d.mono_us, d.clock, o.site, o.at_us, o.received_us, o.standing, o.body"
            " FROM alert_doubtful d JOIN alert_observation o ON o.ref = d.ref"
            " WHERE d.gateway = ? AND d.boot = ? AND d.mono_us BETWEEN ? AND ? ORDER BY d.mono_us",
            (*boot, *placing.in_64_bits(placing.touched(before, after))),
        ).fetchall()
        for ref, signed_us, mono_us, clock, site, was_us, received_us, standing, body in rows:
            signed = Signed(at_us=signed_us, mono_us=mono_us, clock=clock)
            at_us = placing.place(signed, after)
            if at_us == placing.place(signed, before):
                continue
            progress = codec.decode_body(body)
            assert isinstance(progress, Progress)
            seen, doubts = _seen(ref, at_us, progress, received_us)
            baseline, now = self._evaluator.baseline(site), from_us(now_us)
            in_time = standing in _COUNTED and is_name(progress.camera)
            if in_time:
                self._evaluator.redate(writer, site, progress.camera, seen, from_us(was_us), baseline, now)
            elif not doubts:
                in_time = self._evaluator.observe(writer, site, progress.camera, seen, baseline, now)
            judged = _Judged(seen=seen, baseline=baseline, doubts=doubts, in_time=in_time)
            _keep(writer, site, progress, received_us, judged)
        return after


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    """One observation beside its plan; `in_time`: no newer one had been judged before it."""

    seen: Seen
    baseline: Baseline | None
    doubts: bool
    """It must not be judged at all."""
    in_time: bool

    @property
    def planned(self) -> float | None:
        return self.baseline.curve.due_at(self.seen.at) if self.baseline and not self.doubts else None


def _progress_of(row: LedgerRow) -> list[StoredRecord]:
    return [stored for stored in row.stored() if isinstance(stored.record.body, Progress)]


def _keep(
    writer: BookWriter, site: str, progress: Progress, received_us: int, judged: _Judged
) -> dict[str, Any]:
    """Write one observation with how it was judged; what the live page is told of it."""
    seen, planned, baseline = judged.seen, judged.planned, judged.baseline
    writer.db.execute(
        "INSERT OR REPLACE INTO alert_observation VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            seen.ref,
            site,
            progress.camera,
            progress.photo,
            to_us(seen.at),
            received_us,
            seen.percent,
            seen.low,
            seen.high,
            planned,
            baseline.version if baseline else None,
            _standing(seen, planned, doubts=judged.doubts, in_time=judged.in_time),
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


def _seen(ref: str, at_us: int | None, progress: Progress, received_us: int) -> tuple[Seen, bool]:
    """The record as it can be judged, and whether it must not be judged at all. `at_us` None: nobody knows when.

    A gateway is enrolled, not infallible: a time that cannot be, a name that cannot stand in a topic or a value
    that is none becomes a reason beside the observation, and nothing worse.
    """
    reasons = list(progress.gate)
    timed = at_us is not None and 0 <= at_us <= received_us + _AHEAD_US
    named = is_name(progress.camera)
    if not timed:
        reasons.append("clock")
    if not named:
        reasons.append("camera_name")
    percent = _share(progress.percent)
    if percent is None and progress.percent is not None:
        reasons.append("percent")
    seen = Seen(
        ref=ref,
        at=from_us(at_us if timed and at_us is not None else received_us),
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
