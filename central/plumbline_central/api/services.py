"""What the page and the API ask of the rest of central, in their own words."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

from plumbline.clock import Clock
from plumbline.messages import ZoneProgress
from plumbline_central.deviation import Band
from plumbline_central.ledger import Gap
from plumbline_central.live import LiveEvent
from plumbline_central.registry import Site
from plumbline_central.stores.gateways import GatewayEvent, GatewayStatus
from plumbline_central.stores.photos import PhotoInfo
from plumbline_central.stores.port import Reading

Language = Literal["zh", "en"]


class Sites(Protocol):
    """Which sites there are."""

    def sites(self) -> Sequence[Site]: ...

    def site(self, site: str) -> Site | None: ...


class Telemetry(Protocol):
    """The readings; see `plumbline_central.stores.port.TelemetryStore`."""

    def latest(self, site: str) -> Sequence[Reading]: ...

    def series(
        self, site: str, device: str, metric: str, start: datetime, end: datetime, step_s: float | None = None
    ) -> Sequence[tuple[datetime, float]]: ...


class Photos(Protocol):
    """The masked pictures."""

    def latest(self, site: str) -> Sequence[PhotoInfo]: ...

    def info(self, photo: str, site: str | None = None) -> PhotoInfo | None: ...

    def jpeg(self, photo: str, site: str | None = None) -> bytes | None: ...


class Gateways(Protocol):
    """How the gateways do."""

    def status(self, site: str | None = None) -> Sequence[GatewayStatus]: ...

    def events(self, site: str, limit: int = 50) -> Sequence[GatewayEvent]: ...


class Observation(Protocol):
    """What one photo says of the visible works; `planned` is what was due at its capture, None without a plan."""

    @property
    def at(self) -> datetime: ...
    @property
    def camera(self) -> str: ...
    @property
    def photo(self) -> str: ...
    @property
    def percent(self) -> float | None: ...
    @property
    def low(self) -> float | None: ...
    @property
    def high(self) -> float | None: ...
    @property
    def gate(self) -> tuple[str, ...]: ...
    @property
    def planned(self) -> float | None: ...
    @property
    def zones(self) -> tuple[ZoneProgress, ...]: ...
    @property
    def quad(self) -> tuple[tuple[float, float], ...]: ...
    @property
    def grid(self) -> tuple[int, int]: ...


class Curve(Protocol):
    """Plan and photos of one site, both ascending by time; `planned` is empty where there is no plan."""

    @property
    def planned(self) -> Sequence[tuple[datetime, float]]: ...
    @property
    def actual(self) -> Sequence[Observation]: ...


class Indicators(Protocol):
    """What is planned and measured over time."""

    def curve(self, site: str, indicator: str = "progress") -> Curve: ...


class Alert(Protocol):
    """One entry of the alert book."""

    @property
    def id(self) -> int: ...
    @property
    def key(self) -> str: ...
    @property
    def site(self) -> str: ...
    @property
    def rule(self) -> str: ...
    @property
    def subject(self) -> str: ...
    @property
    def severity(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def raised_at(self) -> datetime: ...
    @property
    def deviation_pp(self) -> float | None: ...
    @property
    def latest_pp(self) -> float | None: ...
    @property
    def planned(self) -> float | None: ...
    @property
    def actual(self) -> float | None: ...
    @property
    def evidence(self) -> Any: ...
    @property
    def acknowledged_by(self) -> str | None: ...
    @property
    def acknowledged_at(self) -> datetime | None: ...
    @property
    def cleared_at(self) -> datetime | None: ...
    @property
    def closed_at(self) -> datetime | None: ...


class Step(Protocol):
    """One line of an alert's history."""

    @property
    def at(self) -> datetime: ...
    @property
    def who(self) -> str: ...
    @property
    def what(self) -> str: ...
    @property
    def comment(self) -> str: ...


class Alerts(Protocol):
    """The alert book. The three verbs raise Refused where the alert's state does not take them or there is none."""

    def open(self, site: str | None = None) -> Sequence[Alert]: ...

    def recent(self, site: str | None = None, limit: int = 50) -> Sequence[Alert]: ...

    def get(self, id_: int) -> Alert | None: ...

    def history(self, id_: int) -> Sequence[Step]: ...

    def acknowledge(self, id_: int, *, by: str, comment: str, at: datetime) -> Alert: ...

    def comment(self, id_: int, *, by: str, comment: str, at: datetime) -> Alert: ...

    def close_alert(self, id_: int, *, by: str, comment: str, at: datetime) -> Alert: ...


class Log(Protocol):
    """The ledger's own account of itself."""

    def gaps(self) -> Sequence[Gap]: ...

    def counters(self) -> Mapping[str, int]: ...


class Live(Protocol):
    """What just happened; see `plumbline_central.live.LiveHub`."""

    def subscribe(self, site: str | None = None, after_id: int | None = None) -> AsyncIterator[LiveEvent]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Everything the page and the API stand on; `create_api` is given one."""

    registry: Sites
    telemetry: Telemetry
    photos: Photos
    gateways: Gateways
    indicators: Indicators
    alerts: Alerts
    ledger: Log
    live: Live
    clock: Clock
    band: Band = field(default_factory=Band)
    language: Language = "zh"
    """For those whose browser names neither of ours."""
    names: tuple[str, ...] = ()
    """Host names that people type to reach the page, besides this machine's own."""
    stale_after_s: float = 300.0
    """How old a reading may be and still look live, in the clock's time."""
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    """Set it before the server is told to stop: the event streams end, and nobody waits for them."""
