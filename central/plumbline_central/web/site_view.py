"""Everything the page of one site shows, computed when a part of it is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Final, get_args

from plumbline.errors import Unreachable
from plumbline.messages import Lane
from plumbline_central.alerts.alert import Alert, AuditLine
from plumbline_central.api.services import Services
from plumbline_central.indicators import Curve, Observation
from plumbline_central.registry import Site
from plumbline_central.stores.gateways import GatewayEvent, GatewayStatus
from plumbline_central.stores.photos import PhotoInfo
from plumbline_central.web.curve import Chart, chart
from plumbline_central.web.meters import POWER, Meter, Spark, meters, spark
from plumbline_central.web.summary import TO_ACKNOWLEDGE, Facts, Summary, alert_title, summarise
from plumbline_central.web.texts import Texts
from plumbline_central.web.zones import ZoneShape, all_shapes

_SPARK_STEP_S: Final = 1800.0
_ALERTS_SHOWN: Final = 20
_EVENTS_SHOWN: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertView:
    """One alert with its title and every step of its life."""

    alert: Alert
    title: str
    to_acknowledge: bool
    evidence: Sequence[PhotoInfo]
    """The pictures it rests on, as far as they are here."""
    steps: Sequence[AuditLine]


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotoView:
    """The newest picture with what was seen in it. `seen` None: not judged yet; `info` None: still on its way."""

    info: PhotoInfo | None
    seen: Observation | None
    zones: Sequence[ZoneShape]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterView:
    meter: Meter
    spark: Spark | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayView:
    """One gateway; counts are records, None where it has not said."""

    status: GatewayStatus
    waiting: int | None
    parked: int
    missing: int
    """Not come, and not declared lost either: maybe on its way."""
    gone: int
    """Declared lost by the gateway itself."""
    full_in_days: float | None
    disk_free_mb: float | None


class SiteView:
    """One site at one moment, in one language."""

    def __init__(self, services: Services, site: Site, texts: Texts) -> None:
        self._services = services
        self._texts = texts
        self.site = site
        self.now: datetime = services.clock.wall()
        self.band = services.band

    @property
    def name(self) -> str:
        return self.site.name_zh if self._texts.language == "zh" else self.site.name_en

    @property
    def has_neighbours(self) -> bool:
        return len(self._services.registry.sites()) > 1

    @cached_property
    def curve(self) -> Curve:
        return self._services.indicators.curve(self.site.id)

    @cached_property
    def statuses(self) -> Sequence[GatewayStatus]:
        return self._services.gateways.status(self.site.id)

    @cached_property
    def summary(self) -> Summary:
        return summarise(
            self._texts,
            Facts(
                site=self.site.id,
                curve=self.curve,
                open_alerts=self._services.alerts.open(self.site.id),
                gateways=self.statuses,
                band=self.band,
                now=self.now,
            ),
        )

    @cached_property
    def chart(self) -> Chart | None:
        return chart(self.curve, self.now, self.band.raise_over_pp)

    @cached_property
    def photo(self) -> PhotoView | None:
        pictures = self._services.photos.latest(self.site.id)
        if not pictures:
            newest = self.curve.actual[-1] if self.curve.actual else None
            return PhotoView(info=None, seen=newest, zones=()) if newest else None
        info = max(pictures, key=lambda picture: picture.at)
        seen = next((one for one in reversed(self.curve.actual) if one.photo == info.photo), None)
        zones = (
            all_shapes(seen.quad, seen.grid, seen.facades, seen.zones, info.width, info.height)
            if seen
            else []
        )
        return PhotoView(info=info, seen=seen, zones=zones)

    @cached_property
    def meters(self) -> list[MeterView] | None:
        """None: what keeps the readings does not answer now; the rest of the page does without."""
        try:
            readings = self._services.telemetry.latest(self.site.id)
            return [
                MeterView(meter=meter, spark=self._spark(meter.device))
                for meter in meters(self._texts, readings, self.statuses)
            ]
        except Unreachable:
            return None

    @cached_property
    def alerts(self) -> list[AlertView]:
        """The open ones, then the newest others."""
        book = self._services.alerts
        current = list(book.open(self.site.id))
        known = {alert.id for alert in current}
        past = [alert for alert in book.recent(self.site.id, _ALERTS_SHOWN) if alert.id not in known]
        return [
            AlertView(
                alert=alert,
                title=alert_title(self._texts, alert),
                to_acknowledge=alert.state in TO_ACKNOWLEDGE,
                evidence=[
                    picture
                    for point in alert.evidence
                    if point.photo and (picture := self._services.photos.info(point.photo, self.site.id))
                ],
                steps=book.history(alert.id),
            )
            for alert in (*current, *past)
        ]

    @property
    def open_alerts(self) -> list[AlertView]:
        return [one for one in self.alerts if one.alert.open]

    @property
    def closed_alerts(self) -> list[AlertView]:
        return [one for one in self.alerts if not one.alert.open]

    @cached_property
    def gateways(self) -> list[GatewayView]:
        lacking = self._services.books.lacking()
        return [
            GatewayView(
                status=status,
                waiting=_records(status, "waiting"),
                parked=_records(status, "parked") or 0,
                missing=lacking.get(status.gateway, (0, 0))[0],
                gone=lacking.get(status.gateway, (0, 0))[1],
                full_in_days=_gauge(status, "outbox_full_in_days"),
                disk_free_mb=_gauge(status, "disk_free_mb"),
            )
            for status in self.statuses
        ]

    @cached_property
    def events(self) -> Sequence[GatewayEvent]:
        return self._services.gateways.events(self.site.id, _EVENTS_SHOWN)

    def _spark(self, device: str) -> Spark | None:
        start = self.now - timedelta(days=1)
        points = self._services.telemetry.series(self.site.id, device, POWER, start, self.now, _SPARK_STEP_S)
        return spark([point for point in points if point[0] >= start], start, self.now)


def _records(status: GatewayStatus, what: str) -> int | None:
    """Over all lanes; None where the gateway has not said."""
    if status.health is None:
        return None
    return sum(int(status.health.gauges.get(f"{what}_{lane}", 0)) for lane in get_args(Lane))


def _gauge(status: GatewayStatus, name: str) -> float | None:
    return status.health.gauges.get(name) if status.health else None
