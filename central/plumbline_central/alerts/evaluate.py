"""From judgements to alerts: what the book is told after each observation and at each tick of the timer."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import datetime
from typing import Final

import msgspec

from plumbline_central.alerts.alert import Rule, Slot
from plumbline_central.alerts.book import AlertBook, BookWriter
from plumbline_central.deviation import Band, Seen, Verdict, Watch, is_back, redate, replan, step, tick
from plumbline_central.plan import Scope
from plumbline_central.plan_store import PROGRESS, Baseline, PlanStore
from plumbline_central.rules.judge import Judge

_decode: Final = msgspec.json.Decoder(Watch).decode


class Evaluator:
    """Keeps one watch per camera in control.db, beside the book it writes to. `judge` looks at all the rest."""

    def __init__(self, book: AlertBook, plans: PlanStore, band: Band, judge: Judge | None = None) -> None:
        self.book = book
        self._plans = plans
        self._band = band
        self._judge = judge
        self._looking = threading.Lock()

    def baseline(self, site: str) -> Baseline | None:
        """What the site is judged against."""
        return self._plans.current(site)

    def observe(
        self, writer: BookWriter, site: str, camera: str, seen: Seen, baseline: Baseline | None, now: datetime
    ) -> bool:
        """Judge one observation in the writer's transaction; False where it came later than a newer one."""
        watch = _load(writer, site, camera)
        if watch.newest_at is not None and seen.at <= watch.newest_at:
            return False
        watch = self._follow_plan(writer, site, camera, watch, baseline, now)
        planned = baseline.curve.due_at(seen.at) if baseline else None
        watch, verdict = step(watch, seen, planned, self._band)
        slot = Slot(site=site, rule="deviation", subject=camera)
        if verdict is not None:
            _tell(writer, slot, verdict, watch, now)
        watch = self._pass_time(writer, site, camera, watch, baseline, now)
        self._mend(writer, site, camera, watch, now)
        if seen.valid and planned is not None:
            writer.latest(slot, watch.recent[-1].deviation_pp, seen.at)
        _save(writer, site, camera, watch)
        return True

    def redate(
        self,
        writer: BookWriter,
        site: str,
        camera: str,
        seen: Seen,
        was_at: datetime,
        baseline: Baseline | None,
        now: datetime,
    ) -> None:
        """An observation judged before turns out to be of another time; the same cause is never raised twice."""
        watch = self._follow_plan(writer, site, camera, _load(writer, site, camera), baseline, now)
        planned = baseline.curve.due_at(seen.at) if baseline and seen.valid else None
        watch, verdict = redate(watch, seen, was_at, planned, self._band)
        if verdict is not None:
            _tell(writer, Slot(site=site, rule="deviation", subject=camera), verdict, watch, now)
        watch = self._pass_time(writer, site, camera, watch, baseline, now)
        _save(writer, site, camera, watch)

    def tick(self, now: datetime) -> None:
        """Judge everything as time passes. Raises Unreachable where the disk does not take it."""
        with self._looking:
            found = self._judge.gather(now) if self._judge else None
            plans = found.plans if found else self._plans.all_current()
            try:
                with self.book.write() as writer:
                    self._tick_cameras(writer, plans, now)
                    if self._judge and found:
                        self._judge.settle(writer, found)
                    else:
                        writer.settle((), (), now)
            except BaseException:
                if self._judge:
                    self._judge.forget()
                raise

    def _tick_cameras(
        self, writer: BookWriter, plans: Mapping[tuple[str, str, Scope], Baseline], now: datetime
    ) -> None:
        rows = writer.db.execute("SELECT site, camera, watch FROM alert_watch").fetchall()
        for site, camera, text in rows:
            before = _decode(text)
            baseline = plans.get((site, PROGRESS, "visible"))
            if baseline is not None and baseline.version < before.plan_version:
                continue  # a newer one came, and a photo was judged by it, since the plans were read
            watch = self._follow_plan(writer, site, camera, before, baseline, now)
            watch = self._pass_time(writer, site, camera, watch, baseline, now)
            if watch != before:
                _save(writer, site, camera, watch)

    def _mend(self, writer: BookWriter, site: str, camera: str, watch: Watch, now: datetime) -> None:
        """After a rebuild the watch knows nothing of what the timer had raised: the photos have the last word."""
        if watch.firing is None and is_back(watch, self._band):
            slot = Slot(site=site, rule="deviation", subject=camera)
            writer.outdated(slot, watch.recent[-1].at, now, _cause(slot, "back", watch))
        if watch.recent and not watch.silent:
            slot = Slot(site=site, rule="no_data", subject=camera)
            writer.outdated(slot, watch.recent[-1].at, now, _cause(slot, "back", watch))

    def _follow_plan(
        self,
        writer: BookWriter,
        site: str,
        camera: str,
        watch: Watch,
        baseline: Baseline | None,
        now: datetime,
    ) -> Watch:
        """Where the plan was imported anew, what was seen last is judged by it."""
        if baseline is None or baseline.version == watch.plan_version:
            return watch
        watch, verdict = replan(watch, baseline.curve.planned_at, self._band, version=baseline.version)
        if verdict is not None:
            _tell(writer, Slot(site=site, rule="deviation", subject=camera), verdict, watch, now)
        return watch

    def _pass_time(
        self,
        writer: BookWriter,
        site: str,
        camera: str,
        watch: Watch,
        baseline: Baseline | None,
        now: datetime,
    ) -> Watch:
        planned_now = baseline.curve.due_at(now) if baseline else None
        while True:
            watch, verdict = tick(watch, now, planned_now, self._band)
            if verdict is None:
                return watch
            rule: Rule = "no_data" if verdict.change in ("silent", "heard") else "deviation"
            _tell(writer, Slot(site=site, rule=rule, subject=camera), verdict, watch, now)


def _tell(writer: BookWriter, slot: Slot, verdict: Verdict, watch: Watch, now: datetime) -> None:
    cause = _cause(slot, verdict.change, watch)
    match verdict.change:
        case "raise" | "silent":
            gateway = verdict.points[-1].ref.partition("/")[0]
            writer.raise_(slot, verdict.severity, verdict.points, now, cause, gateway=gateway)
        case "clear" | "heard":
            writer.returned(slot, now, cause)
        case "severity":
            writer.worsened(slot, verdict.severity, now, cause)


def _cause(slot: Slot, change: str, watch: Watch) -> str:
    """The same for the same change of mind over the same photo and plan, also when the ledger is replayed."""
    return f"{slot.site}/{slot.subject}/{slot.rule}/{change}/{watch.recent[-1].ref}/plan-{watch.plan_version}"


def _load(writer: BookWriter, site: str, camera: str) -> Watch:
    row = writer.db.execute(
        "SELECT watch FROM alert_watch WHERE site = ? AND camera = ?", (site, camera)
    ).fetchone()
    return _decode(row[0]) if row else Watch()


def _save(writer: BookWriter, site: str, camera: str, watch: Watch) -> None:
    writer.db.execute(
        "INSERT INTO alert_watch VALUES (?, ?, ?)"
        " ON CONFLICT (site, camera) DO UPDATE SET watch = excluded.watch",
        (site, camera, msgspec.json.encode(watch).decode()),
    )
