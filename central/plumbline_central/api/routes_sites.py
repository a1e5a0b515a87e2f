"""Sites and what is measured there."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Path, Query, Response
from pydantic import AfterValidator

from plumbline.errors import Refused
from plumbline.metrics import BY_NAME
from plumbline_central.api import models
from plumbline_central.api.depends import ServicesDep, SiteDep
from plumbline_central.api.errors import Missing
from plumbline_central.api.standing import standing

router = APIRouter(tags=["sites"])

_MOST_POINTS = 20_000


@router.get("/sites")
def sites(services: ServicesDep) -> list[models.SiteOut]:
    """Every site, by id."""
    return [models.SiteOut.model_validate(site) for site in services.registry.sites()]


@router.get("/sites/{site}")
def site(services: ServicesDep, site: SiteDep) -> models.SiteState:
    """One site and how it stands."""
    summary = standing(services, site, services.language)
    latest = summary.latest
    return models.SiteState(
        id=site.id,
        name_zh=site.name_zh,
        name_en=site.name_en,
        level=summary.level,
        percent=latest.percent if latest else None,
        planned=latest.planned if latest else None,
        deviation_pp=summary.deviation_pp,
        at=latest.at if latest else None,
        open_alerts=summary.more_alerts + (summary.alert is not None),
    )


@router.get("/sites/{site}/readings/latest")
def latest_readings(services: ServicesDep, site: SiteDep) -> list[models.ReadingOut]:
    """The newest value of each device and metric."""
    return [models.ReadingOut.model_validate(reading) for reading in services.telemetry.latest(site.id)]


def _datable(at: datetime | None) -> datetime | None:
    if at is not None and not 1970 <= at.year < 2100:
        raise ValueError("a time from 1970 to 2099 is expected")
    return at


@router.get("/sites/{site}/series")
def series(
    services: ServicesDep,
    site: SiteDep,
    device: Annotated[str, Query(max_length=200)],
    metric: Annotated[str, Query(max_length=64)],
    start: Annotated[datetime | None, AfterValidator(_datable)] = None,
    end: Annotated[datetime | None, AfterValidator(_datable)] = None,
    step_s: Annotated[float | None, Query(gt=0, le=366 * 86_400)] = None,
) -> models.SeriesOut:
    """One metric over time, by default of the last day; with `step_s` one mean per step. Times need a zone."""
    end = _aware("end", end) or services.clock.wall()
    start = _aware("start", start) or end - timedelta(days=1)
    known = BY_NAME.get(metric)
    if known is None:
        raise Missing(f"there is no metric {metric!r}", hint="docs/metrics.md lists them.")
    if step_s is not None and (end - start).total_seconds() / step_s > _MOST_POINTS:
        raise Refused("too many points", hint=f"Ask for at most {_MOST_POINTS}: a longer step, or less time.")
    points = services.telemetry.series(site.id, device, metric, start, end, step_s)
    if len(points) > _MOST_POINTS:
        raise Refused(
            f"{len(points)} points", hint=f"Ask for at most {_MOST_POINTS}: with step_s, or for less time."
        )
    return models.SeriesOut(device=device, metric=metric, unit=known.unit, points=list(points))


@router.get("/sites/{site}/progress")
def progress(services: ServicesDep, site: SiteDep) -> models.ProgressOut:
    """The plan's points and every photo's word."""
    curve = services.indicators.curve(site.id)
    return models.ProgressOut(
        site=site.id,
        plan_version=curve.baseline.version if curve.baseline else None,
        planned=list(curve.planned),
        actual=[models.ObservationOut.model_validate(seen) for seen in curve.actual],
    )


@router.get("/sites/{site}/photos")
def photos(services: ServicesDep, site: SiteDep) -> list[models.PhotoOut]:
    """The newest picture of each camera."""
    return [
        models.PhotoOut(
            photo=photo.photo,
            gateway=photo.gateway,
            camera=photo.camera,
            at=photo.at,
            width=photo.width,
            height=photo.height,
            mask=photo.mask,
            href=f"/api/v1/sites/{quote(site.id)}/photos/{quote(photo.photo)}.jpg",
        )
        for photo in services.photos.latest(site.id)
    ]


@router.get(
    "/sites/{site}/photos/{photo}.jpg",
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {}}}},
)
def photo(services: ServicesDep, site: SiteDep, photo: Annotated[str, Path(max_length=200)]) -> Response:
    """One masked picture."""
    jpeg = services.photos.jpeg(photo, site.id)
    if jpeg is None:
        raise Missing(f"there is no picture {photo!r}", hint="It may still be on its way from the gateway.")
    return Response(jpeg, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=86400"})


def _aware(name: str, at: datetime | None) -> datetime | None:
    if at is not None and at.tzinfo is None:
        raise Refused(f"{name} has no time zone", hint="Write it like 2026-03-01T08:00:00+08:00 or ...Z.")
    return at
