"""The service's account of itself: gateways, gaps, health."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query, Response

from plumbline import __version__
from plumbline.clock import from_us
from plumbline_central.api import models
from plumbline_central.api.depends import ServicesDep
from plumbline_central.gaps import Gap
from plumbline_central.stores.gateways import GatewayStatus

router = APIRouter(tags=["system"])
_GAPS_LISTED: Final = 1_000


@router.get("/gateways")
def gateways(
    services: ServicesDep, site: Annotated[str | None, Query(max_length=64)] = None
) -> list[models.GatewayOut]:
    """Every gateway heard of, by name."""
    return [_gateway(status) for status in services.gateways.status(site)]


@router.get("/gaps")
def gaps(services: ServicesDep, response: Response) -> list[models.GapOut]:
    """Everything that central lacks, with the reason where its gateway gave one.

    Of more than 1,000 gaps the first; the header `X-Left-Out` says how many more there are.
    """
    found, left_out = services.books.first_gaps(_GAPS_LISTED)
    response.headers["X-Left-Out"] = str(left_out)
    return [_gap(gap) for gap in found]


@router.get("/health")
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
        start=from_us(gap.from_us) if gap.from_us else None,
        end=from_us(gap.until_us) if gap.until_us else None,
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
