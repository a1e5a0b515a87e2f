"""Planned against actual: what the page and the API show of an indicator."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from plumbline import codec
from plumbline.clock import from_us, to_us
from plumbline.messages import Facade, Progress, ZoneProgress
from plumbline_central.deviation import deviation_pp
from plumbline_central.plan_store import PROGRESS, Baseline, PlanStore
from plumbline_central.schema import Database

Standing = Literal["judged", "gated", "late", "no_plan", "untimed"]
"""judged: it counted; gated: the photo says why not; late: a newer one was there before it; untimed: taken while
the gateway's clock could not be trusted."""

_SELECT: Final = (
    "SELECT ref, site, camera, photo, at_us, received_us, percent, low, high, planned, plan_version, standing,"
    " gate, body FROM alert_observation"
)
_Row = tuple[
    str, str, str, str, int, int, float | None, float | None, float | None, float | None, int | None, Standing,
    str, bytes,
]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One photo's word on the visible works, with what was planned at the time of capture.

    percent, low, high and planned are 0..100; None: there is none. `gate` says why a photo does not count.
    """

    ref: str
    site: str
    camera: str
    photo: str
    at: datetime
    received_at: datetime
    percent: float | None
    low: float | None
    high: float | None
    planned: float | None
    plan_version: int | None
    standing: Standing
    gate: tuple[str, ...]
    zones: tuple[ZoneProgress, ...]
    quad: tuple[tuple[float, float], ...]
    grid: tuple[int, int]
    facades: tuple[Facade, ...]
    """In place of `quad` and `grid` where the camera looks at several."""
    model: str

    @property
    def valid(self) -> bool:
        return self.standing in ("judged", "late", "no_plan")

    @property
    def deviation_pp(self) -> float | None:
        """Signed percentage points, negative is behind plan; None where there is nothing to compare."""
        if not self.valid or self.percent is None or self.planned is None:
            return None
        return deviation_pp(self.percent, self.planned)


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """The plan's points and what was seen, both ascending in time; `baseline` is None where there is no plan."""

    site: str
    indicator: str
    unit: str
    baseline: Baseline | None
    actual: tuple[Observation, ...]

    @property
    def planned(self) -> tuple[tuple[datetime, float], ...]:
        return self.baseline.curve.points if self.baseline else ()

    def planned_at(self, at: datetime) -> float | None:
        return self.baseline.curve.planned_at(at) if self.baseline else None

    @property
    def latest(self) -> Observation | None:
        """The newest observation that counts."""
        return next((seen for seen in reversed(self.actual) if seen.valid), None)


class Indicators:
    """Reads what the progress projection wrote. Usable from any thread."""

    def __init__(self, db: Database, plans: PlanStore) -> None:
        self._db = db
        self._plans = plans

    def curve(self, site: str, indicator: str = PROGRESS) -> Curve:
        """Everything seen so far, against the current baseline; gated photos are among them."""
        actual = self._read("WHERE site = ? ORDER BY at_us, ref", site) if indicator == PROGRESS else []
        return Curve(
            site=site,
            indicator=indicator,
            unit="%",
            baseline=self._plans.current(site, indicator),
            actual=tuple(actual),
        )

    def observations(self, site: str, start: datetime, end: datetime) -> list[Observation]:
        """Those with start <= at < end, ascending."""
        return self._read(
            "WHERE site = ? AND at_us >= ? AND at_us < ? ORDER BY at_us, ref", site, to_us(start), to_us(end)
        )

    def for_photo(self, site: str, photo: str) -> Observation | None:
        """What was seen in one photo."""
        return next(iter(self._read("WHERE site = ? AND photo = ? LIMIT 1", site, photo)), None)

    def latest(self, site: str) -> Observation | None:
        """The newest observation, whether it counts or not."""
        return next(
            iter(self._read("WHERE site = ? AND standing != 'untimed' ORDER BY at_us DESC LIMIT 1", site)),
            None,
        )

    def latest_valid(self, site: str) -> Observation | None:
        """The newest observation that counts."""
        tail = "WHERE site = ? AND standing IN ('judged', 'late', 'no_plan') ORDER BY at_us DESC LIMIT 1"
        return next(iter(self._read(tail, site)), None)

    def _read(self, tail: str, *values: str | int) -> list[Observation]:
        with self._db.read() as db:
            rows: list[_Row] = db.execute(f"{_SELECT} {tail}", values).fetchall()
        return [_observation(row) for row in rows]


def _observation(row: _Row) -> Observation:
    (
        ref,
        site,
        camera,
        photo,
        at_us,
        received_us,
        percent,
        low,
        high,
        planned,
        version,
        standing,
        gate,
        body,
    ) = row
    progress = codec.decode_body(body)
    assert isinstance(progress, Progress)
    return Observation(
        ref=ref,
        site=site,
        camera=camera,
        photo=photo,
        at=from_us(at_us),
        received_at=from_us(received_us),
        percent=percent,
        low=low,
        high=high,
        planned=planned,
        plan_version=version,
        standing=standing,
        gate=tuple(gate.split()),
        zones=progress.zones,
        quad=progress.quad,
        grid=progress.grid,
        facades=progress.facades,
        model=progress.model,
    )
