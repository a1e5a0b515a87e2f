"""Alerts: read them, and say that someone has them in hand."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Response
from pydantic import TypeAdapter

from plumbline_central.alerts.alert import SYSTEM, Rule
from plumbline_central.alerts.book import Wanted
from plumbline_central.alerts.states import Shown
from plumbline_central.api import models, models_alerts
from plumbline_central.api.depends import ServicesDep
from plumbline_central.api.errors import Missing, Unreadable
from plumbline_central.api.etag import UNCHANGED, IfNoneMatch, tagged
from plumbline_central.api.paging import LISTED, BetweenDep, PageDep
from plumbline_central.api.services import Services
from plumbline_central.api.times import Moment
from plumbline_central.deviation import Severity

router = APIRouter(tags=["alerts"])

AlertId = Annotated[int, Path(ge=1, lt=2**63)]
_SITE = Query(max_length=64, description="`system` is central itself.")
_ALERTS = TypeAdapter(list[models.AlertOut])
_RATES = TypeAdapter(models_alerts.RatesOut)


@router.get(
    "/alerts", summary="List alerts", response_model=list[models.AlertOut], responses=LISTED | UNCHANGED
)
def alerts(
    services: ServicesDep,
    page: PageDep,
    between: BetweenDep,
    *,
    site: Annotated[str | None, _SITE] = None,
    rule: Rule | None = None,
    severity: Severity | None = None,
    state: Annotated[
        Literal["open", "all"] | Shown, Query(description="As in `shown`; open: all but normal.")
    ] = "open",
    assigned_to: Annotated[str | None, Query(max_length=80)] = None,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Alerts, the newest first; `start` and `end` are of when they were raised."""
    require_site(services, site)
    after = page.after_numbers(1)
    wanted = Wanted(
        site=site,
        rule=rule,
        severity=severity,
        shown=state,
        assigned_to=assigned_to,
        since=between.start,
        until=between.end,
        after=after[0] if after else None,
        limit=page.enough,
    )
    cut = page.cut(services.alerts.find(wanted), lambda one: (one.id,), falling=True)
    found = [models.AlertOut.model_validate(alert) for alert in cut]
    return tagged(_ALERTS, found, if_none_match, page.link)


@router.get(
    "/alerts/rates",
    summary="How often people are alerted",
    response_model=models_alerts.RatesOut,
    responses=UNCHANGED,
)
def rates(
    services: ServicesDep,
    site: Annotated[str | None, _SITE] = None,
    start: Annotated[
        Moment | None, Query(description="Where the range begins; 7 days ago if left out.")
    ] = None,
    chatter_s: Annotated[float, Query(gt=0, le=31 * 86_400)] = 86_400.0,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """How many alerts people have to bear: rates from `start` to now, what stands, and what is raised too often."""
    require_site(services, site)
    now = services.clock.wall()
    begin = start or now - timedelta(days=7)
    if begin >= now:
        raise Unreadable("the range has not begun yet", hint="Give a `start` in the past.")
    found = services.alerts.rates(site, begin, now, chatter_within=timedelta(seconds=chatter_s))
    return tagged(_RATES, models_alerts.RatesOut.model_validate(found), if_none_match)


@router.get("/alerts/{alert}", summary="One alert")
def alert(services: ServicesDep, alert: AlertId) -> models.AlertOut:
    """One alert with its evidence."""
    return models.AlertOut.model_validate(services.alerts.get(alert))


@router.get("/alerts/{alert}/history", summary="List the steps of an alert", responses=LISTED)
def history(
    services: ServicesDep, alert: AlertId, page: PageDep, between: BetweenDep
) -> list[models.StepOut]:
    """Every step and comment, the first one first."""
    services.alerts.get(alert)
    steps = (step for step in services.alerts.history(alert) if between.holds(step.at))
    return [models.StepOut.model_validate(step) for step in page.cut(steps)]


@router.post("/alerts/{alert}/acknowledge", summary="Acknowledge an alert")
def acknowledge(services: ServicesDep, alert: AlertId, person: models.PersonIn) -> models.AlertOut:
    """Say that someone has seen it. 409 where there is nothing to acknowledge."""
    done = services.alerts.acknowledge(alert, person.by, person.comment, services.clock.wall())
    return models.AlertOut.model_validate(done)


@router.post("/alerts/{alert}/comment", summary="Comment an alert")
def comment(services: ServicesDep, alert: AlertId, person: models.PersonIn) -> models.AlertOut:
    """Add a remark, in whatever state the alert is."""
    done = services.alerts.comment(alert, person.by, person.comment, services.clock.wall())
    return models.AlertOut.model_validate(done)


@router.post("/alerts/{alert}/assign", summary="Assign an alert")
def assign(services: ServicesDep, alert: AlertId, order: models_alerts.AssignIn) -> models.AlertOut:
    """Give an open alert to somebody."""
    done = services.alerts.assign(alert, order.to, order.by, order.comment, services.clock.wall())
    return models.AlertOut.model_validate(done)


@router.post("/alerts/{alert}/rectify", summary="Say that an alert's cause is put right")
def rectify(services: ServicesDep, alert: AlertId, person: models.PersonIn) -> models.AlertOut:
    """The cause is put right, somebody says; if the condition stays, the alert comes back unacknowledged."""
    done = services.alerts.rectify(alert, person.by, person.comment, services.clock.wall())
    return models.AlertOut.model_validate(done)


@router.post("/alerts/{alert}/shelve", summary="Shelve an alert")
def shelve(services: ServicesDep, alert: AlertId, order: models_alerts.ShelveIn) -> models.AlertOut:
    """Nobody is to hear of it until then, at most 30 days; it wakes by itself."""
    done = services.alerts.shelve(alert, order.until, order.by, order.comment, services.clock.wall())
    return models.AlertOut.model_validate(done)


@router.post("/alerts/{alert}/unshelve", summary="Wake a shelved alert")
def unshelve(services: ServicesDep, alert: AlertId, person: models.PersonIn) -> models.AlertOut:
    """Wake a shelved alert now: those who would have heard of it hear of it."""
    done = services.alerts.unshelve(alert, person.by, person.comment, services.clock.wall())
    return models.AlertOut.model_validate(done)


@router.post("/alerts/{alert}/close", summary="Close an alert")
def close(services: ServicesDep, alert: AlertId, person: models.PersonIn) -> models.AlertOut:
    """Put an alert to rest whose condition is gone."""
    done = services.alerts.close(alert, person.by, person.comment, services.clock.wall())
    return models.AlertOut.model_validate(done)


def require_site(services: Services, site: str | None) -> None:
    """Raises Missing where a site is named that there is not."""
    if site not in (None, SYSTEM) and services.registry.site(site) is None:
        raise Missing(f"there is no site {site!r}", hint="See /api/v1/sites.")
