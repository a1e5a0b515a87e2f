"""The service's account of itself: gateways, gaps, health."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query

from plumbline import __version__
from plumbline.clock import from_us
from plumbline_central.api import models
from plumbline_central.api.depends import ServicesDep
from plumbline_central.api.paging import LISTED, BetweenDep, PageDep
from plumbline_central.gaps import Gap
from plumbline_central.stores.gateways import GatewayStatus

router = APIRouter(tags=["system"])


@router.get("/gateways", summary="List the gateways", responses=LISTED)
def gateways(
    services: ServicesDep, page: PageDep, site: Annotated[str | None, Query(max_length=64)] = None
) -> list[models.GatewayOut]:
    """Every gateway heard of, by name."""
    found = page.cut(services.gateways.status(site), lambda one: (one.gateway, one.site))
    return [_gateway(status) for status in found]


@router.get("/gaps", summary="List what central lacks", responses=LISTED)
def gaps(services: ServicesDep, page: PageDep, between: BetweenDep) -> list[models.GapOut]:
    """Everything that central lacks, by gateway, epoch and lane, with the reason where its gateway gave one.

    `start` and `end` leave out what surely lies elsewhere; most gaps that nobody declared have no time.
    """
    found = (gap for gap in services.books.each_gap() if between.meets(_at(gap.from_us), _at(gap.until_us)))
    return [_gap(gap) for gap in page.cut(found, lambda one: (one.gateway, one.epoch, one.lane, one.first))]


@router.get("/health", summary="How central itself does")
def health(services: ServicesDep) -> models.HealthOut:
    """Whether the books balance, and when a gateway was last heard."""
    standing = services.books.standing()
    seen = [status.last_seen for status in services.gateways.status() if status.last_seen is not None]
    return models.HealthOut(
        status="ok" if standing.balanced else "out of balance",
        now=services.clock.wall(),
        version=__version__,
        balanced=standing.balanced,
        equations=dict(standing.equations),
        counters=dict(standing.counters),
        projections={
            name: models.ProjectedOut.model_validate(one) for name, one in standing.projections.items()
        },
        behind=dict(services.behind()),
        faults=dict(services.faults()),
        missing_records=standing.missing,
        declared_missing_records=standing.declared_missing,
        ledger_bytes=standing.ledger_bytes,
        archive_bytes=standing.archive_bytes,
        archive_segments=standing.segments,
        last_seen=max(seen, default=None),
    )


def _at(us: int) -> datetime | None:
    return from_us(us) if us else None


def _gap(gap: Gap) -> models.GapOut:
    return models.GapOut(
        site=gap.site,
        gateway=gap.gateway,
        epoch=gap.epoch,
        lane=gap.lane,
        first=gap.first,
        last=gap.last,
        count=gap.count,
        declared=gap.declared,
        why=gap.why,
        start=_at(gap.from_us),
        end=_at(gap.until_us),
        summarised=gap.summarised,
    )


def _gateway(status: GatewayStatus) -> models.GatewayOut:
    health = status.health
    return models.GatewayOut(
        gateway=status.gateway,
        site=status.site,
        last_seen=status.last_seen,
        online=status.online,
        version=status.version,
        health_at=status.health_at,
        gauges=health.gauges if health else {},
        counters=health.counters if health else {},
        devices=[models.DeviceOut.model_validate(device) for device in status.devices],
    )
