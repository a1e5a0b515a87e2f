"""What the page and the API ask of the rest of central, in their own words."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, Protocol

from plumbline.clock import Clock
from plumbline_central.account import Standing
from plumbline_central.alerts.alert import Alert, AuditLine, Slot
from plumbline_central.alerts.entries import Wanted
from plumbline_central.alerts.feed import Feed
from plumbline_central.alerts.rates import Rates
from plumbline_central.alerts.silence import Kind, Silence
from plumbline_central.channels.deliver import Delivery, DeliveryState
from plumbline_central.deviation import Band
from plumbline_central.gaps import Gap
from plumbline_central.indicators import Curve
from plumbline_central.indicators.book import IndicatorBook
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

    def readings(
        self, site: str, device: str, metric: str, start: datetime, end: datetime
    ) -> Sequence[Reading]: ...


class Photos(Protocol):
    """The masked pictures."""

    def latest(self, site: str) -> Sequence[PhotoInfo]: ...

    def info(self, photo: str, site: str | None = None) -> PhotoInfo | None: ...

    def jpeg(self, photo: str, site: str | None = None) -> bytes | None: ...


class Gateways(Protocol):
    """How the gateways do."""

    def status(self, site: str | None = None) -> Sequence[GatewayStatus]: ...

    def events(self, site: str, limit: int = 50) -> Sequence[GatewayEvent]: ...


class Indicators(Protocol):
    """What is planned and measured over time."""

    def curve(self, site: str, indicator: str = ...) -> Curve: ...


class Alerts(Protocol):
    """The alert book. Its verbs raise Refused where the alert's state does not take them, NotInTheBook where there is none."""

    def open(self, site: str | None = None) -> Sequence[Alert]: ...

    def recent(self, site: str | None = None, limit: int = 50) -> Sequence[Alert]: ...

    def find(self, wanted: Wanted) -> Sequence[Alert]: ...

    def get(self, alert: int) -> Alert: ...

    def history(self, alert: int) -> Sequence[AuditLine]: ...

    def rates(
        self, site: str | None, start: datetime, end: datetime, *, chatter_within: timedelta
    ) -> Rates: ...

    def silences(self, kind: Kind, site: str | None, now: datetime | None = None) -> Sequence[Silence]: ...

    def acknowledge(self, alert: int, by: str, comment: str, at: datetime) -> Alert: ...

    def comment(self, alert: int, by: str, text: str, at: datetime) -> Alert: ...

    def assign(self, alert: int, to: str, by: str, comment: str, at: datetime) -> Alert: ...

    def rectify(self, alert: int, by: str, comment: str, at: datetime) -> Alert: ...

    def shelve(self, alert: int, until: datetime, by: str, why: str, at: datetime) -> Alert: ...

    def unshelve(self, alert: int, by: str, comment: str, at: datetime) -> Alert: ...

    def close(self, alert: int, by: str, comment: str, at: datetime) -> Alert: ...

    def take_out(self, slot: Slot, by: str, why: str, at: datetime) -> Silence: ...

    def plan_maintenance(
        self,
        site: str,
        subject: str | None,
        start: datetime,
        until: datetime,
        by: str,
        why: str,
        at: datetime,
    ) -> Silence: ...

    def end_silence(self, kind: Kind, silence: int, by: str, comment: str, at: datetime) -> Silence: ...


class Books(Protocol):
    """Central's account of itself: what came, what is kept, what lacks."""

    def each_gap(self) -> Iterator[Gap]:
        """What lacks, by gateway, epoch and lane, then ascending."""
        ...

    def lacking(self) -> Mapping[str, tuple[int, int]]:
        """By gateway: how many records lack without a word, and how many it declared as gone."""
        ...

    def standing(self) -> Standing: ...


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
    indicator_book: IndicatorBook
    alerts: Alerts
    feed: Feed
    books: Books
    live: Live
    clock: Clock
    behind: Callable[[], Mapping[str, int]] = dict
    """For each projection, how many ledger rows it has yet to apply."""
    faults: Callable[[], Mapping[str, str]] = dict
    """What keeps the time-series store from its work: subject -> why."""
    deliveries: Callable[[DeliveryState, int, int | None], Sequence[Delivery]] = (
        lambda _state, _limit, _before: ()
    )
    """The newest notices in a state."""
    judge_soon: Callable[[], None] = lambda: None
    """Something changed that alerts are judged by: it need not wait for the timer. From any thread."""
    band: Band = field(default_factory=Band)
    language: Language = "zh"
    """For those whose browser names neither of ours."""
    names: tuple[str, ...] = ()
    """Host names that people type to reach the page, besides this machine's own."""
    stale_after_s: float = 300.0
    """How old a reading may be and still look live, in the clock's time."""
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    """Set it before the server is told to stop: the event streams end, and nobody waits for them."""
