"""Alerts: read them, and say that someone has them in hand."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query

from plumbline_central.api import models
from plumbline_central.api.depends import ServicesDep
from plumbline_central.api.errors import Missing

router = APIRouter(tags=["alerts"])

AlertId = Annotated[int, Path(ge=1, lt=2**63)]


@router.get("/alerts")
def alerts(
    services: ServicesDep,
    site: Annotated[str | None, Query(max_length=64)] = None,
    state: Literal["open", "all"] = "open",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[models.AlertOut]:
    """The newest first."""
    if site is not None and services.registry.site(site) is None:
        raise Missing(f"there is no site {site!r}", hint="See /api/v1/sites.")
    book = services.alerts
    found = book.open(site)[:limit] if state == "open" else book.recent(site, limit)
    return [models.AlertOut.model_validate(alert) for alert in found]


@router.get("/alerts/{alert}")
def alert(services: ServicesDep, alert: AlertId) -> models.AlertOut:
    """One alert with its evidence."""
    return models.AlertOut.model_validate(services.alerts.get(alert))


@router.get("/alerts/{alert}/history")
def history(services: ServicesDep, alert: AlertId) -> list[models.StepOut]:
    """Every step and comment, the first one first."""
    services.alerts.get(alert)
    return [models.StepOut.model_validate(step) for step in services.alerts.history(alert)]


@router.post("/alerts/{alert}/acknowledge")
def acknowledge(services: ServicesDep, alert: AlertId, person: models.PersonIn) -> models.AlertOut:
    """Someone has seen it."""
    done = services.alerts.acknowledge(alert, person.by, person.comment, services.clock.wall())
    return models.AlertOut.model_validate(done)


@router.post("/alerts/{alert}/comment")
def comment(services: ServicesDep, alert: AlertId, person: models.PersonIn) -> models.AlertOut:
    """Add a remark."""
    done = services.alerts.comment(alert, person.by, person.comment, services.clock.wall())
    return models.AlertOut.model_validate(done)


@router.post("/alerts/{alert}/close")
def close(services: ServicesDep, alert: AlertId, person: models.PersonIn) -> models.AlertOut:
    """Put an alert to rest whose condition is gone."""
    done = services.alerts.close(alert, person.by, person.comment, services.clock.wall())
    return models.AlertOut.model_validate(done)
