"""Maintenance windows and slots out of service: what people withhold, also before there is an alert."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Response
from pydantic import TypeAdapter

from plumbline_central.alerts.alert import Slot
from plumbline_central.alerts.silence import Kind, Silence
from plumbline_central.api import models, models_alerts
from plumbline_central.api.depends import ServicesDep
from plumbline_central.api.etag import UNCHANGED, IfNoneMatch, tagged
from plumbline_central.api.models_alerts import SilenceOut
from plumbline_central.api.paging import LISTED, Between, BetweenDep, Page, PageDep
from plumbline_central.api.routes_alerts import require_site
from plumbline_central.api.services import Services

router = APIRouter(tags=["alerts"])

SilenceId = Annotated[int, Path(ge=1, lt=2**63)]
SiteName = Annotated[str | None, Query(max_length=64)]
Which = Annotated[
    Literal["current", "all"], Query(description="current: not ended; also those yet to begin.")
]
_SILENCES = TypeAdapter(list[SilenceOut])


@router.get(
    "/alerts/out-of-service",
    summary="List what is out of service",
    response_model=list[SilenceOut],
    responses=LISTED | UNCHANGED,
)
def out_of_service(
    services: ServicesDep,
    page: PageDep,
    between: BetweenDep,
    site: SiteName = None,
    which: Which = "current",
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Which slots are out of service, the newest first; `start` and `end`: at any time between."""
    require_site(services, site)
    now = services.clock.wall() if which == "current" else None
    return _listed(services.alerts.silences("out_of_service", site, now), page, between, if_none_match)


@router.post("/alerts/out-of-service", summary="Take a slot out of service", status_code=201)
def take_out(services: ServicesDep, order: models_alerts.SlotIn) -> SilenceOut:
    """Nobody is to hear of this slot until it is put back, whether it has an alert now or not."""
    require_site(services, order.site)
    slot = Slot(site=order.site, rule=order.rule, subject=order.subject)
    done = services.alerts.take_out(slot, order.by, order.comment, services.clock.wall())
    return SilenceOut.model_validate(done)


@router.post("/alerts/out-of-service/{silence}/end", summary="Put a slot back into service")
def put_back(services: ServicesDep, silence: SilenceId, person: models.PersonIn) -> SilenceOut:
    """Put the slot back into service; what is there is told now."""
    return _end(services, "out_of_service", silence, person)


@router.get(
    "/maintenance",
    summary="List the maintenance windows",
    response_model=list[SilenceOut],
    responses=LISTED | UNCHANGED,
)
def maintenance(
    services: ServicesDep,
    page: PageDep,
    between: BetweenDep,
    site: SiteName = None,
    which: Which = "current",
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Maintenance windows, the newest first; `start` and `end`: open at any time between."""
    require_site(services, site)
    now = services.clock.wall() if which == "current" else None
    return _listed(services.alerts.silences("maintenance", site, now), page, between, if_none_match)


@router.post("/maintenance", summary="Plan a maintenance window", status_code=201)
def plan_maintenance(services: ServicesDep, order: models_alerts.MaintenanceIn) -> SilenceOut:
    """Withhold the alerts of a site, or of one thing at it, for a time; what is still there at its end is told then."""
    require_site(services, order.site)
    now = services.clock.wall()
    done = services.alerts.plan_maintenance(
        order.site, order.subject, order.start or now, order.until, order.by, order.comment, now
    )
    return SilenceOut.model_validate(done)


@router.post("/maintenance/{silence}/end", summary="End a maintenance window")
def end_maintenance(services: ServicesDep, silence: SilenceId, person: models.PersonIn) -> SilenceOut:
    """End a window early, or call it off."""
    return _end(services, "maintenance", silence, person)


def _listed(silences: Iterable[Silence], page: Page, between: Between, if_none_match: str | None) -> Response:
    inside = (one for one in silences if between.meets(one.start, one.ended_at or one.until))
    cut = page.cut(inside, lambda one: (one.id,), falling=True)
    return tagged(_SILENCES, [SilenceOut.model_validate(one) for one in cut], if_none_match, page.link)


def _end(services: Services, kind: Kind, silence: int, person: models.PersonIn) -> SilenceOut:
    done = services.alerts.end_silence(kind, silence, person.by, person.comment, services.clock.wall())
    return SilenceOut.model_validate(done)
