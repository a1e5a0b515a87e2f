"""The service's account of itself: gateways, gaps, health."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from plumbline import __version__
from plumbline_central.api import models
from plumbline_central.api.depends import ServicesDep
from plumbline_central.stores.gateways import GatewayStatus

router = APIRouter(tags=["system"])


@router.get("/gateways")
def gateways(
    services: ServicesDep, site: Annotated[str | None, Query(max_length=64)] = None
) -> list[models.GatewayOut]:
    """Every gateway heard of, by name."""
    return [_gateway(status) for status in services.gateways.status(site)]


@router.get("/gaps")
def gaps(services: ServicesDep) -> list[models.GapOut]:
    """Every hole below a lane's newest record."""
    return [models.GapOut.model_validate(gap) for gap in services.ledger.gaps()]


@router.get("/health")
def health(services: ServicesDep) -> models.HealthOut:
    """Whether the books balance, and when a gateway was last heard."""
    counters = dict(services.ledger.counters())
    balanced = all(
        counters[f"{what}_received"]
        == counters[f"{what}_stored"] + counters[f"{what}_duplicate"] + counters[f"{what}_refused"]
        for what in ("batches", "records")
    )
    seen = [status.last_seen for status in services.gateways.status() if status.last_seen is not None]
    return models.HealthOut(
        status="ok" if balanced else "out of balance",
        now=services.clock.wall(),
        version=__version__,
        balanced=balanced,
        counters=counters,
        behind=dict(services.behind()),
        missing_records=sum(gap.last - gap.first + 1 for gap in services.ledger.gaps()),
        last_seen=max(seen, default=None),
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
