"""Plans and milestones: import them, look at their versions, say what is done."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Body, Depends, Path, Query

from plumbline.errors import ConfigError
from plumbline_central.api import models_plans as models
from plumbline_central.api.depends import ServicesDep, SiteDep, judged_soon
from plumbline_central.api.errors import Missing
from plumbline_central.api.models_indicators import KeptOut
from plumbline_central.api.paging import LISTED, BetweenDep, PageDep
from plumbline_central.api.routes_indicators import (
    By,
    DryRun,
    IndicatorId,
    SourceName,
    known_indicator,
    readable,
)
from plumbline_central.api.services import Services
from plumbline_central.indicators.book import Imported
from plumbline_central.indicators.milestones import read_milestones
from plumbline_central.plan import diff
from plumbline_central.plan_store import Baseline

router = APIRouter(tags=["plans"], dependencies=[Depends(judged_soon)])

Version = Annotated[int, Path(ge=1, lt=2**31)]
Scope = Annotated[
    Literal["visible", "total"] | None,
    Query(
        description="What cameras see of the works, or all of them; by default as the indicator is compared."
    ),
]
_DAY = timedelta(days=1)


@router.get(
    "/sites/{site}/indicators/{indicator}/plans", summary="List the versions of a plan", responses=LISTED
)
def versions(
    services: ServicesDep,
    site: SiteDep,
    indicator: IndicatorId,
    page: PageDep,
    between: BetweenDep,
    scope: Scope = None,
) -> list[models.PlanVersionOut]:
    """Every baseline, the first one first; the last one of each scope is current. The range is of when it was imported."""
    known_indicator(services, site.id, indicator)
    found = services.indicator_book.plans.versions(site.id, indicator, scope)
    inside = (one for one in found if between.holds(one.imported_at))
    return [
        models.PlanVersionOut(
            version=one.version,
            scope=one.scope,
            imported_at=one.imported_at,
            source=one.source,
            imported_by=one.imported_by,
            points=len(one.curve.points),
            start=one.curve.start,
            end=one.curve.end,
            last=one.curve.points[-1][1],
        )
        for one in page.cut(inside, lambda one: (one.version,))
    ]


@router.get("/sites/{site}/indicators/{indicator}/plans/{version}", summary="One version of a plan")
def one_version(
    services: ServicesDep, site: SiteDep, indicator: IndicatorId, version: Version
) -> models.PlanOut:
    """One baseline with its points."""
    unit = known_indicator(services, site.id, indicator).unit
    found = _version(services, site.id, indicator, version)
    return models.PlanOut(
        indicator=indicator, version=version, scope=found.scope, unit=unit, points=list(found.curve.points)
    )


@router.get(
    "/sites/{site}/indicators/{indicator}/plans/{version}/diff/{other}",
    summary="What a plan's version changed",
)
def difference(
    services: ServicesDep, site: SiteDep, indicator: IndicatorId, version: Version, other: Version
) -> models.PlanDiffOut:
    """What the second of the two changed."""
    before, after = (_version(services, site.id, indicator, number) for number in (version, other))
    found = diff(before.curve, after.curve)
    return models.PlanDiffOut(
        before=version,
        after=other,
        start_moved_d=found.start_moved / _DAY,
        end_moved_d=found.end_moved / _DAY,
        furthest=found.furthest,
        furthest_at=found.furthest_at,
        changes=[models.ChangeOut.model_validate(change) for change in found.changes],
    )


@router.post("/sites/{site}/indicators/{indicator}/plans", summary="Put a plan")
def put_plan(
    services: ServicesDep, site: SiteDep, indicator: IndicatorId, plan: models.PlanIn
) -> models.PlanImportedOut:
    """Make these points the current baseline; the current ones again stay the same version."""
    known = known_indicator(services, site.id, indicator)
    imported = services.indicator_book.import_curve(
        known,
        plan.points,
        plan.source,
        plan.by,
        services.clock.wall(),
        scope=plan.scope,
        dry_run=plan.dry_run,
    )
    return _imported(imported)


@router.post("/sites/{site}/indicators/{indicator}/plans/import", summary="Import a plan's file")
def import_plan(
    services: ServicesDep,
    site: SiteDep,
    indicator: IndicatorId,
    content: Annotated[
        bytes, Body(media_type="text/csv", examples=["date,percent\n2026-03-01,0\n2026-09-01,100\n"])
    ],
    by: By,
    source: SourceName = "plan.csv",
    scope: Scope = None,
    dry_run: DryRun = False,
) -> models.PlanImportedOut:
    """Make a plan from a CSV (UTF-8 or GBK) or XLSX file the current baseline: every wrong row is told, and then nothing is kept."""
    known = known_indicator(services, site.id, indicator)
    try:
        imported = services.indicator_book.import_plan_file(
            known, content, source, by, services.clock.wall(), scope=scope, dry_run=dry_run
        )
    except ConfigError as error:
        raise readable(error) from None
    return _imported(imported)


@router.get("/sites/{site}/milestones", summary="A site's milestones")
def milestones(services: ServicesDep, site: SiteDep) -> models.MilestonesOut:
    """The current milestones by due date."""
    now = services.clock.wall()
    current = services.indicator_book.milestones.current(site.id)
    return models.MilestonesOut(
        site=site.id,
        version=current.version if current else 0,
        milestones=[
            models.MilestoneOut(
                id=one.id,
                name_zh=one.name_zh,
                name_en=one.name_en,
                due=one.due,
                done=one.done,
                owner=one.owner,
                weight=one.weight,
                overdue=one.is_overdue(now),
            )
            for one in (current.milestones if current else ())
        ],
    )


@router.post("/sites/{site}/milestones/import", summary="Import a file of milestones")
def import_milestones(
    services: ServicesDep,
    site: SiteDep,
    content: Annotated[
        bytes,
        Body(
            media_type="text/csv", examples=["id,name,due,owner\nscaffold,脚手架搭设完成,2026-03-31,李伟\n"]
        ),
    ],
    by: By,
    source: SourceName = "milestones.csv",
    dry_run: DryRun = False,
) -> KeptOut:
    """Take all milestones of a CSV or XLSX file as the current ones, or none."""
    try:
        found = read_milestones(content, source)
    except ConfigError as error:
        raise readable(error) from None
    if not dry_run:
        services.indicator_book.milestones.put(site.id, found, source, by, services.clock.wall())
    return KeptOut(values=len(found), dry_run=dry_run)


@router.post("/sites/{site}/milestones/{milestone}/done", summary="Say when a milestone was done")
def done(
    services: ServicesDep,
    site: SiteDep,
    milestone: Annotated[str, Path(max_length=64)],
    said: models.DoneIn,
) -> models.MilestonesOut:
    """Say when a milestone was done, or that it is not."""
    services.indicator_book.milestones.mark(site.id, milestone, said.done, said.by, services.clock.wall())
    return milestones(services, site)


def _version(services: Services, site: str, indicator: str, version: int) -> Baseline:
    found = services.indicator_book.plans.version(site, indicator, version)
    if found is None:
        raise Missing(
            f"{indicator} of {site} has no plan version {version}", hint="See the list of versions."
        )
    return found


def _imported(imported: Imported) -> models.PlanImportedOut:
    curve = imported.draft.curve
    return models.PlanImportedOut(
        version=imported.version,
        scope=imported.scope,
        points=len(curve.points),
        start=curve.start,
        end=curve.end,
        last=curve.points[-1][1],
        remarks=list(imported.draft.remarks),
    )
