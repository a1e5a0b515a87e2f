"""How much of something is too much: what a rule's limits are where CENTRAL.toml says nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Gt, Le

from plumbline_central.alerts.alert import Rule
from plumbline_central.alerts.latch import Delays

_STRICT: dict[str, Any] = {"extra": "forbid"}
Seconds = Annotated[float, Ge(0), Le(3e7)]
Points = Annotated[float, Gt(0), Le(100)]
Days = Annotated[float, Gt(0), Le(3_650)]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkingHours:
    """When work is allowed at a site, local time; weekdays count from Monday, 1, to Sunday, 7."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT
    from_h: Annotated[int, Ge(0), Le(23)] = 6
    until_h: Annotated[int, Ge(1), Le(24)] = 22
    weekdays: tuple[Annotated[int, Ge(1), Le(7)], ...] = (1, 2, 3, 4, 5, 6, 7)

    def at_work(self, local: datetime) -> bool:
        return local.isoweekday() in self.weekdays and self.from_h <= local.hour < self.until_h


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteHours(WorkingHours):
    """Those of one site."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The table [rules] of CENTRAL.toml; docs/rules.md says what each is for."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT
    gateway_silent_s: Annotated[float, Gt(0), Le(3e7)] = 900.0
    """So long nothing new has come from a gateway."""
    gateway_silent_red_s: Annotated[float, Gt(0), Le(3e7)] = 86_400.0
    gateway_offline_after_s: Seconds = 120.0
    """On-delays: how long a condition is found before it is told. This one: central itself may have been away."""
    clock_ahead_s: Annotated[float, Gt(0), Le(3e7)] = 10.0
    clock_after_s: Seconds = 3_600.0
    buffer_used_percent: Points = 70.0
    buffer_left_days: Days = 3.0
    buffer_after_s: Seconds = 1_800.0
    """A gateway that was offline drains its backlog first."""
    meter_after_s: Seconds = 300.0
    camera_photos: Annotated[int, Ge(2), Le(6)] = 3
    """So many photos in a row without one that could be judged."""
    camera_blind_s: Seconds = 6 * 3_600.0
    """So long after the last one that could be judged."""
    camera_weather_s: Seconds = 48 * 3_600.0
    """The same where it is weather or light alone."""
    camera_moved_px: Annotated[float, Gt(0), Le(10_000)] = 40.0
    stalled_days: Days = 14.0
    stalled_pp: Points = 1.0
    """Less than this in that time is no progress."""
    stalled_due_pp: Points = 3.0
    """At least this was due in that time."""
    started_pp: Points = 1.0
    start_grace_days: Days = 7.0
    milestone_red_days: Days = 14.0
    certificate_days: Days = 30.0
    certificate_red_days: Days = 7.0
    store_after_s: Seconds = 120.0
    energy_weeks: Annotated[int, Ge(2), Le(8)] = 4
    """So many weeks must have been seen of an hour of the week before anything is usual then."""
    energy_over_percent: Annotated[float, Gt(0), Le(10_000)] = 30.0
    """A day's energy against what is usual."""
    energy_clear_percent: Annotated[float, Gt(0), Le(10_000)] = 20.0
    night_over_percent: Annotated[float, Gt(0), Le(10_000)] = 50.0
    night_over_kwh: Annotated[float, Gt(0), Le(1e6)] = 5.0
    working_hours: WorkingHours = field(default_factory=WorkingHours)
    site_hours: tuple[SiteHours, ...] = ()
    """Of sites that work at other hours."""

    def hours_of(self, site: str) -> WorkingHours:
        return next((hours for hours in self.site_hours if hours.name == site), self.working_hours)

    @property
    def delays(self) -> Mapping[Rule, Delays]:
        """How long each must be found, and be gone, before anyone is told."""
        return {
            "gateway_offline": Delays(on_s=self.gateway_offline_after_s),
            "clock": Delays(on_s=self.clock_after_s, off_s=600.0),
            "buffer_filling": Delays(on_s=self.buffer_after_s, off_s=3_600.0),
            "meter_fault": Delays(on_s=self.meter_after_s, off_s=300.0),
            "stalled": Delays(off_s=86_400.0),
            "store_fault": Delays(on_s=self.store_after_s, off_s=60.0),
        }
