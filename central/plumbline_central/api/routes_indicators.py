"""What a site is measured by: its indicators, the values handed in for them, and the score that follows."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Depends, Path, Query

from plumbline.clock import from_us, to_us
from plumbline.errors import ConfigError, FaultyFile
from plumbline_central.api import models_indicators as models
from plumbline_central.api.depends import ServicesDep, SiteDep, judged_soon
from plumbline_central.api.errors import Missing, Unreadable
from plumbline_central.api.models import PersonIn
from plumbline_central.api.paging import LISTED, BetweenDep, PageDep
from plumbline_central.api.services import Services
from plumbline_central.api.times import Moment
from plumbline_central.indicators.explain import explain
from plumbline_central.indicators.indicator import Indicator, Source, Threshold, from_template
from plumbline_central.indicators.score import Part, earned_value, ranking
from plumbline_central.indicators.store import NoSuch
from plumbline_central.indicators.templates import PROGRESS, templates
from plumbline_central.indicators.values import Pushed

router = APIRouter(tags=["indicators"], dependencies=[Depends(judged_soon)])

IndicatorId = Annotated[str, Path(max_length=64)]
By = Annotated[str, Query(min_length=1, max_length=80, description="Who does it; the name is kept.")]
SourceName = Annotated[str, Query(max_length=120, description="What the file is called.")]
DryRun = Annotated[bool, Query(description="Only say what would be kept.")]


@router.get("/indicators/templates", summary="List the templates of indicators", responses=LISTED)
def library(page: PageDep) -> list[models.TemplateOut]:
    """The library: what an indicator can start from."""
    return [models.TemplateOut.model_validate(one) for one in page.cut(templates().values())]


@router.get("/sites/{site}/indicators", summary="List a site's indicators", responses=LISTED)
def indicators(services: ServicesDep, site: SiteDep, page: PageDep) -> list[models.IndicatorOut]:
    """All of one site, `progress` first; it is there without a word."""
    of_site = services.indicator_book.indicators.of(site.id)
    cut = page.cut(of_site, lambda one: (one.id != PROGRESS, one.id))
    return [models.IndicatorOut.model_validate(one) for one in cut]


@router.get("/sites/{site}/indicators/{indicator}", summary="One indicator")
def one_indicator(services: ServicesDep, site: SiteDep, indicator: IndicatorId) -> models.IndicatorOut:
    """What one indicator of a site is: its unit, source, weight, thresholds and who answers for it."""
    return models.IndicatorOut.model_validate(services.indicator_book.indicators.get(site.id, indicator))


@router.put("/sites/{site}/indicators/{indicator}", summary="Add or change an indicator")
def put_indicator(
    services: ServicesDep, site: SiteDep, indicator: IndicatorId, wanted: models.IndicatorIn
) -> models.IndicatorOut:
    """Add it from a template, or change it; every change is kept with its name and time."""
    store = services.indicator_book.indicators
    try:
        known = store.get(site.id, indicator)
    except NoSuch:
        known = None
    if wanted.template is not None and (known is None or known.template != wanted.template):
        template = templates().get(wanted.template)
        if template is None:
            raise Missing(
                f"there is no template {wanted.template!r}", hint=f"Known: {', '.join(templates())}."
            )
        known = from_template(template, site.id, id_=indicator)
    if known is None:
        raise Missing(f"{site.id} has no indicator {indicator!r}", hint="Name a template to add it.")
    put = store.put(_changed(known, wanted), wanted.by, services.clock.wall())
    return models.IndicatorOut.model_validate(put)


@router.post("/sites/{site}/indicators/{indicator}/retire", summary="Retire an indicator")
def retire(
    services: ServicesDep, site: SiteDep, indicator: IndicatorId, person: PersonIn
) -> list[models.IndicatorOut]:
    """Neither judge nor score it any more; values and plans are kept. The others of the site are answered."""
    store = services.indicator_book.indicators
    store.retire(site.id, indicator, person.by, services.clock.wall())
    return [models.IndicatorOut.model_validate(one) for one in store.of(site.id)]


@router.get(
    "/sites/{site}/indicators/{indicator}/history",
    summary="List the changes of an indicator",
    responses=LISTED,
)
def history(
    services: ServicesDep, site: SiteDep, indicator: IndicatorId, page: PageDep, between: BetweenDep
) -> list[models.IndicatorStepOut]:
    """Every change, the first one first; of retired ones too."""
    steps = services.indicator_book.indicators.history(site.id, indicator)
    cut = page.cut(step for step in steps if between.holds(step.at))
    return [models.IndicatorStepOut.model_validate(step) for step in cut]


@router.get(
    "/sites/{site}/indicators/{indicator}/points",
    summary="List an indicator's values beside their plan",
    responses=LISTED,
)
def points(
    services: ServicesDep, site: SiteDep, indicator: IndicatorId, page: PageDep, between: BetweenDep
) -> list[models.PointOut]:
    """Its values, the newest first, each beside what was planned at its time."""
    after = page.after_named()
    found = services.indicator_book.points.indicator_points(
        site.id,
        indicator,
        since=between.start,
        until=from_us(after[0]) if after else between.end,
        before=after[1] if after else "",
        newest=page.enough,
    )
    cut = page.cut(reversed(found.points), lambda one: (to_us(one.at), one.ref), falling=True)
    return [models.PointOut.model_validate(point) for point in cut]


@router.get(
    "/sites/{site}/indicators/{indicator}/values",
    summary="List the values that were handed in",
    responses=LISTED,
)
def values(
    services: ServicesDep, site: SiteDep, indicator: IndicatorId, page: PageDep, between: BetweenDep
) -> list[models.ValueOut]:
    """What was handed in, corrected ones too, the newest time first."""
    services.indicator_book.indicators.get(site.id, indicator)
    kept = services.indicator_book.values.kept(
        site.id, indicator, between.start, between.end, page.enough, after=page.after_numbers(2)
    )
    cut = page.cut(kept, lambda one: (to_us(one.at), one.seq), falling=True)
    return [models.ValueOut.model_validate(one) for one in cut]


@router.post("/sites/{site}/values", summary="Hand in values")
def push(services: ServicesDep, site: SiteDep, values: models.ValuesIn) -> models.KeptOut:
    """Hand in values, all or none."""
    pushed = [
        Pushed(
            indicator=one.indicator,
            at=one.at,
            value=one.value,
            note=one.note,
            where=f"values.{i}.{one.indicator}",
        )
        for i, one in enumerate(values.values)
    ]
    kept = services.indicator_book.values.push(site.id, pushed, values.by, services.clock.wall())
    return models.KeptOut(values=kept)


@router.post("/sites/{site}/values/import", summary="Hand in a file of values")
def import_values(
    services: ServicesDep,
    site: SiteDep,
    content: Annotated[
        bytes,
        Body(
            media_type="text/csv",
            examples=["indicator,date,value,note\nfunds_paid,2026-03-31,30,3rd instalment\n"],
        ),
    ],
    by: By,
    source: SourceName = "values.csv",
    indicator: Annotated[str, Query(max_length=64, description="Of all rows, where no column says it.")] = "",
    dry_run: DryRun = False,
) -> models.KeptOut:
    """Hand in a CSV or XLSX file, all rows or none."""
    try:
        kept = services.indicator_book.import_values_file(
            site.id, content, source, by, services.clock.wall(), indicator=indicator, dry_run=dry_run
        )
    except ConfigError as error:
        raise readable(error) from None
    return models.KeptOut(values=kept, dry_run=dry_run)


@router.get("/sites/{site}/score", summary="A site's score and its parts")
def site_score(
    services: ServicesDep,
    site: SiteDep,
    at: Moment | None = None,
    language: Literal["zh", "en"] | None = None,
) -> models.ScoreOut:
    """How the site keeps its plans, down to each observation, plan version and weight; values after `at` are not known."""
    book, when = services.indicator_book, at or services.clock.wall()
    scored = book.score(site.id, when)
    earned = [(one.indicator.id, earned_value(one, when)) for one in book.measured(site.id, when)]
    return models.ScoreOut(
        site=site.id,
        at=when,
        score=scored.score,
        rests_on=scored.rests_on,
        parts=[_part(part) for part in scored.parts],
        earned_value=[models.EarnedValueOut(indicator=id_, **asdict(one)) for id_, one in earned if one],
        explained=explain(scored, language or services.language),
    )


@router.get("/ranking", summary="List the sites by score", responses=LISTED)
def rank(services: ServicesDep, page: PageDep, at: Moment | None = None) -> list[models.RankOut]:
    """All sites, the best first; those of which nothing is known come last."""
    sites = {site.id: site for site in services.registry.sites()}
    ranked = ranking(services.indicator_book.scores(sites, at or services.clock.wall()))
    return [
        models.RankOut(
            place=one.place,
            site=one.score.site,
            name_zh=sites[one.score.site].name_zh,
            name_en=sites[one.score.site].name_en,
            score=one.score.score,
            rests_on=one.score.rests_on,
        )
        for one in page.cut(ranked, lambda one: (one.place is None, one.place or 0, one.score.site))
    ]


def readable(error: ConfigError) -> Exception:
    """What is wrong with a file that was sent is the sender's to mend."""
    return error if isinstance(error, FaultyFile) else Unreadable(str(error), hint=error.hint)


def known_indicator(services: Services, site: str, indicator: str) -> Indicator:
    return services.indicator_book.indicators.get(site, indicator)


def _changed(indicator: Indicator, wanted: models.IndicatorIn) -> Indicator:
    """With what was said of it; null takes away threshold and budget, and leaves all else."""
    said: dict[str, Any] = wanted.model_dump(exclude_unset=True, exclude={"by", "template"})
    named = {key: value for key, value in said.items() if value is not None or key in {"threshold", "budget"}}
    if wanted.source is not None:
        named["source"] = Source(**wanted.source.model_dump())
    if wanted.threshold is not None:
        named["threshold"] = Threshold(**wanted.threshold.model_dump())
    return replace(indicator, **named)


def _part(part: Part) -> models.PartOut:
    indicator = part.indicator
    return models.PartOut(
        indicator=indicator.id,
        name_zh=indicator.name_zh,
        name_en=indicator.name_en,
        unit=indicator.unit,
        weight=indicator.weight,
        share=part.share,
        attainment=part.attainment,
        contribution=part.contribution,
        left_out=part.left_out,
        deviation=part.deviation,
        observation=models.PointOut.model_validate(part.point) if part.point else None,
        plan_version=part.plan_version,
        scope=part.scope,
    )
