"""Sites and what is measured there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Annotated, TypeVar
from urllib.parse import quote

from fastapi import APIRouter, Depends, Path, Query, Response

from plumbline.clock import from_us, to_us
from plumbline.errors import Refused
from plumbline.metrics import BY_NAME
from plumbline_central.api import models
from plumbline_central.api.depends import ServicesDep, SiteDep
from plumbline_central.api.errors import Missing
from plumbline_central.api.paging import LISTED, BetweenDep, Key, Page, PageDep, paged
from plumbline_central.api.standing import standing

router = APIRouter(tags=["sites"])

T = TypeVar("T")
_MOST_POINTS = 20_000


@router.get("/sites", summary="List the sites", responses=LISTED)
def sites(services: ServicesDep, page: PageDep) -> list[models.SiteOut]:
    """Every site, by id."""
    found = page.cut(services.registry.sites(), lambda one: (one.id,))
    return [models.SiteOut.model_validate(site) for site in found]


@router.get("/sites/{site}", summary="How a site stands")
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


@router.get("/sites/{site}/readings/latest", summary="List the newest readings", responses=LISTED)
def latest_readings(
    services: ServicesDep, site: SiteDep, page: PageDep, between: BetweenDep
) -> list[models.ReadingOut]:
    """The newest value of each device and metric; with `start` and `end` of those that it is from then."""
    found = (reading for reading in services.telemetry.latest(site.id) if between.holds(reading.at))
    cut = page.cut(found, lambda one: (one.device, BY_NAME[one.metric].code, one.gateway))
    return [models.ReadingOut.model_validate(reading) for reading in cut]


@router.get("/sites/{site}/series", summary="One metric over time", responses=LISTED)
def series(
    services: ServicesDep,
    site: SiteDep,
    device: Annotated[str, Query(max_length=200)],
    metric: Annotated[str, Query(max_length=64)],
    page: Annotated[Page, Depends(paged(_MOST_POINTS, _MOST_POINTS))],
    between: BetweenDep,
    step_s: Annotated[float | None, Query(gt=0, le=366 * 86_400)] = None,
) -> models.SeriesOut:
    """One metric over time, by default of the last day; with `step_s` one mean per step."""
    start, end = between.last_day(services.clock.wall())
    after = page.after_numbers(2)
    if after is not None:
        start = max(start, from_us(after[0]))
    known = BY_NAME.get(metric)
    if known is None:
        raise Missing(f"there is no metric {metric!r}", hint="docs/metrics.md lists them.")
    if step_s is not None and (end - start).total_seconds() / step_s > _MOST_POINTS:
        raise Refused("too many points", hint=f"Ask for at most {_MOST_POINTS}: a longer step, or less time.")
    points = services.telemetry.series(site.id, device, metric, start, end, step_s)
    if len(points) > _MOST_POINTS:
        raise Refused(
            f"{len(points)} points",
            hint=f"Ask for at most {_MOST_POINTS}: with step_s, or for less time; or export them.",
        )
    cut = page.cut(_ranked(points), lambda one: one[0])
    return models.SeriesOut(device=device, metric=metric, unit=known.unit, points=[point for _, point in cut])


@router.get("/sites/{site}/progress", summary="Plan and actual progress", responses=LISTED)
def progress(
    services: ServicesDep,
    site: SiteDep,
    page: Annotated[Page, Depends(paged(10_000, 10_000))],
    between: BetweenDep,
) -> models.ProgressOut:
    """The plan's points, all of them, and every photo's word, by time; page and range are of the photos."""
    curve = services.indicators.curve(site.id)
    seen = (one for one in curve.actual if between.holds(one.at))
    actual = page.cut(_ranked((one.at, one) for one in seen), lambda one: one[0])
    return models.ProgressOut(
        site=site.id,
        plan_version=curve.baseline.version if curve.baseline else None,
        planned=list(curve.planned),
        actual=[models.ObservationOut.model_validate(one) for _, (_, one) in actual],
    )


@router.get("/sites/{site}/photos", summary="List the newest photos", responses=LISTED)
def photos(services: ServicesDep, site: SiteDep, page: PageDep, between: BetweenDep) -> list[models.PhotoOut]:
    """The newest picture of each camera; with `start` and `end` of those that it is from then."""
    found = (photo for photo in services.photos.latest(site.id) if between.holds(photo.at))
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
        for photo in page.cut(found, lambda one: (one.camera,))
    ]


@router.get(
    "/sites/{site}/photos/{photo}.jpg",
    summary="One photo",
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}}},
)
def photo(services: ServicesDep, site: SiteDep, photo: Annotated[str, Path(max_length=200)]) -> Response:
    """One masked picture."""
    jpeg = services.photos.jpeg(photo, site.id)
    if jpeg is None:
        raise Missing(f"there is no picture {photo!r}", hint="It may still be on its way from the gateway.")
    return Response(jpeg, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=86400"})


def _ranked(points: Iterable[tuple[datetime, T]]) -> Iterator[tuple[Key, tuple[datetime, T]]]:
    """Each with where it stands: its time, and its place among those of the same time."""
    for at, of_it in groupby(points, key=itemgetter(0)):
        for rank, point in enumerate(of_it):
            yield (to_us(at), rank), point
