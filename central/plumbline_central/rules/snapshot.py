"""What is known of all sites at one moment, as plain values: what the rules look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Protocol

from plumbline.clock import Trust
from plumbline.messages import Health
from plumbline_central.plan import PlanCurve


@dataclass(frozen=True, slots=True, kw_only=True)
class Silent:
    """A device that does not answer: since when, and how often each thing went wrong since then."""

    since: datetime
    failed: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """What its newest records say. None: it never said."""

    site: str
    gateway: str
    last_seen: datetime | None = None
    """When something new came last, by central's clock."""
    health_at: datetime | None = None
    health: Health | None = None
    clock: Trust | None = None
    ahead_s: float | None = None
    """Its own time minus central's when the newest health came; what is negative may be the way."""
    silent: Mapping[str, Silent] = field(default_factory=dict)
    """Its meters and cameras that do not answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One photo with a time. `percent` None or a `gate`: it could not be judged."""

    ref: str
    at: datetime
    percent: float | None
    low: float | None = None
    high: float | None = None
    gate: tuple[str, ...] = ()
    photo: str = ""
    shift_px: float | None = None
    zones: Mapping[str, tuple[float | None, bool]] = field(default_factory=dict)
    """Percent, and whether it has fallen below what it was."""

    @property
    def valid(self) -> bool:
        return self.percent is not None and not self.gate

    @property
    def reach(self) -> float:
        """How far its 90 % interval reaches from it; 0 where it has none."""
        if self.percent is None or self.low is None or self.high is None:
            return 0.0
        return max(self.percent - self.low, self.high - self.percent)


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """The newest photos of a camera, ascending, and the newest judged ones of `stalled_days` before the last judged."""

    site: str
    camera: str
    gateway: str
    looks: tuple[Look, ...]
    valid: tuple[Look, ...] = ()
    """The newest that could be judged, older than `looks` perhaps."""
    earlier: tuple[Look, ...] = ()
    plan: PlanCurve | None = None


class Milestone(Protocol):
    """`plumbline_central.indicators.milestones.Milestone`; `due` is the end of its day."""

    @property
    def id(self) -> str: ...
    @property
    def name_zh(self) -> str: ...
    @property
    def name_en(self) -> str: ...
    @property
    def due(self) -> datetime: ...
    @property
    def done(self) -> datetime | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Night:
    """A stretch out of working hours: what was used in the hours that are known and have a usual value."""

    start: datetime
    until: datetime
    energy_kwh: float
    usual_kwh: float
    spread_kwh: float
    """How far from usual is usual: one standard deviation, robustly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyDay:
    """A whole local day of a meter, where enough of its hours are known."""

    on: date
    start: datetime
    energy_kwh: float
    usual_kwh: float
    spread_kwh: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Metered:
    """What one meter used, beside what is usual for it."""

    site: str
    device: str
    gateway: str
    night: Night | None = None
    """The newest."""
    days: tuple[EnergyDay, ...] = ()
    """The newest whole days, ascending."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """One that central presents or trusts; `subject` can stand in a topic."""

    subject: str
    expires: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything the rules look at."""

    gateways: Sequence[Gateway] = ()
    cameras: Sequence[Camera] = ()
    milestones: Mapping[str, Sequence[Milestone]] = field(default_factory=dict)
    """By site."""
    metered: Sequence[Metered] = ()
    certificates: Sequence[Certificate] = ()
    store_faults: Mapping[str, str] = field(default_factory=dict)
    """What keeps the time-series store from its work: subject -> why."""
