"""What can be planned and measured over time at a site, and what such a description must make sense of."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from plumbline.errors import Fault, FaultyFile
from plumbline.metrics import BY_NAME
from plumbline.strictfile import near
from plumbline.topics import NAME, is_name
from plumbline_central.plan import Kind, Scope

Direction = Literal["more", "less"]
"""Which side of the plan is the good one."""
SourceKind = Literal["photos", "meters", "hours", "pushed"]
KINDS: Final[tuple[Kind, ...]] = ("percent", "quantity")
DIRECTIONS: Final[tuple[Direction, ...]] = ("more", "less")
SOURCES: Final[tuple[SourceKind, ...]] = ("photos", "meters", "hours", "pushed")
MOST_WEIGHT: Final = 1_000.0
_LONGEST: Final = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """When a deviation is told: points for percent, percent of the plan for quantities."""

    raise_over: float
    clear_below: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where the values come from."""

    kind: SourceKind = "pushed"
    devices: tuple[str, ...] = ()
    """meters, hours: their values are added up; empty: every device of the site that measures the metric."""
    metric: str = ""
    """meters: a counter, such as energy_import_total; hours: what shows that work goes on, such as power_active_total."""
    outside: tuple[int, int] | None = None
    """meters: only what is consumed outside these hours of the day, local time: (6, 22) counts the night."""
    above: float | None = None
    """hours: an hour counts whose mean is higher than this, in the metric's unit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A kind of indicator as the library describes it; a site's own starts from it."""

    id: str
    name_zh: str
    name_en: str
    meaning_zh: str
    meaning_en: str
    unit: str
    kind: Kind
    direction: Direction
    cumulative: bool
    weight: float
    fresh_for_d: float
    """How many days the newest value speaks for the site."""
    source: Source
    threshold: Threshold | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Indicator:
    """One indicator of one site. `threshold` None: the template's, else what [alerts] says."""

    id: str
    site: str
    template: str
    name_zh: str
    name_en: str
    unit: str
    kind: Kind
    direction: Direction
    cumulative: bool = True
    weight: float = 1.0
    fresh_for_d: float = 45.0
    owner: str = ""
    source: Source = field(default_factory=Source)
    threshold: Threshold | None = None
    budget: float | None = None
    """What the works behind 100 % cost, in `currency`; percent only."""
    currency: str = "CNY"

    @property
    def scope(self) -> Scope:
        """Which of its plans it is compared with: cameras see only a part of the works."""
        return "visible" if self.source.kind == "photos" else "total"


def from_template(template: Template, site: str, *, id_: str = "", owner: str = "") -> Indicator:
    """The site's own indicator, as the library has it."""
    return Indicator(
        id=id_ or template.id,
        site=site,
        template=template.id,
        name_zh=template.name_zh,
        name_en=template.name_en,
        unit=template.unit,
        kind=template.kind,
        direction=template.direction,
        cumulative=template.cumulative,
        weight=template.weight,
        fresh_for_d=template.fresh_for_d,
        owner=owner,
        source=template.source,
        threshold=template.threshold,
    )


def checked(indicator: Indicator, templates: Mapping[str, Template]) -> Indicator:
    """The same. Raises FaultyFile with everything about it that makes no sense."""
    faults = [
        Fault(file=f"indicator {indicator.id}", key=key, value=value, expected=expected)
        for key, value, expected in _faults(indicator, templates)
    ]
    if faults:
        raise FaultyFile(faults)
    return indicator


_Found = Iterator[tuple[str, object, str]]


def _faults(indicator: Indicator, templates: Mapping[str, Template]) -> _Found:
    for key in ("id", "site"):
        if not is_name(value := getattr(indicator, key)):
            yield key, value, f"a name like {NAME}"
    if indicator.template and indicator.template not in templates:
        yield "template", indicator.template, near(indicator.template, templates)
    yield from _word_faults(indicator)
    for key, one_of in (("kind", KINDS), ("direction", DIRECTIONS)):
        if (value := getattr(indicator, key)) not in one_of:
            yield key, value, f"one of {', '.join(one_of)}"
    if indicator.kind == "percent" and indicator.unit != "%":
        yield "unit", indicator.unit, "%, since it is a percent"
    if not _is_between(indicator.weight, 0, MOST_WEIGHT):
        yield "weight", indicator.weight, f"a number from 0 to {MOST_WEIGHT:g}"
    if not (_is_between(indicator.fresh_for_d, 0, 3_660) and indicator.fresh_for_d > 0):
        yield "fresh_for_d", indicator.fresh_for_d, "days, over 0 and at most 3660"
    yield from _threshold_faults(indicator.threshold)
    yield from _budget_faults(indicator)
    yield from _source_faults(indicator)


def _word_faults(indicator: Indicator) -> _Found:
    for key in ("name_zh", "name_en", "unit"):
        if not _is_word(value := getattr(indicator, key)):
            yield key, value, f"1 to {_LONGEST} characters"
    if indicator.owner and not _is_word(indicator.owner):
        yield "owner", indicator.owner, f"at most {_LONGEST} characters"


def _threshold_faults(threshold: Threshold | None) -> _Found:
    if threshold is None:
        return
    for key in ("raise_over", "clear_below"):
        if not (_is_between(value := getattr(threshold, key), 0, 1_000) and value > 0):
            yield f"threshold.{key}", value, "a number over 0 and at most 1000"
    if threshold.clear_below > threshold.raise_over:
        yield "threshold.clear_below", threshold.clear_below, f"at most raise_over, {threshold.raise_over:g}"


def _budget_faults(indicator: Indicator) -> _Found:
    if indicator.budget is None:
        return
    if not (_is_between(indicator.budget, 0, 1e15) and indicator.budget > 0):
        yield "budget", indicator.budget, "an amount over 0"
    if indicator.kind != "percent" or not indicator.cumulative:
        yield "budget", indicator.budget, "none: only a cumulative percent can be worth a share of a budget"
    if not (len(indicator.currency) == 3 and indicator.currency.isascii() and indicator.currency.isupper()):
        yield "currency", indicator.currency, "three capital letters (ISO 4217)"


def _source_faults(indicator: Indicator) -> _Found:
    source = indicator.source
    if source.kind not in SOURCES:
        yield "source.kind", source.kind, f"one of {', '.join(SOURCES)}"
        return
    if source.kind == "photos" and (indicator.kind, indicator.cumulative) != ("percent", True):
        yield "source.kind", "photos", "a cumulative percent: that is what photos show"
    if source.kind == "photos" and indicator.id != "progress":
        yield "source.kind", "photos", "the indicator `progress` alone"
    if source.kind in {"meters", "hours"}:
        yield from _measured_faults(indicator)
    elif source.devices or source.metric:
        yield "source.devices", [*source.devices, source.metric], f"none: the source is {source.kind}"
    if source.outside is not None and not _are_hours(source):
        yield (
            "source.outside",
            source.outside,
            "two hours of the day, 0 to 24, the first before the second; meters only",
        )
    if (source.above is None) == (source.kind == "hours"):
        yield "source.above", source.above, "a number for `hours`, and for nothing else"
    elif source.above is not None and not _is_between(source.above, 0, 1e9):
        yield "source.above", source.above, "a number from 0 on"


def _measured_faults(indicator: Indicator) -> _Found:
    source = indicator.source
    metric = BY_NAME.get(source.metric)
    want = "counter" if source.kind == "meters" else "gauge"
    if metric is None or metric.kind != want:
        known = [one.name for one in BY_NAME.values() if one.kind == want]
        yield "source.metric", source.metric, near(source.metric, known)
    elif source.kind == "meters" and metric.unit != indicator.unit:
        yield "unit", indicator.unit, f"{metric.unit}, as {metric.name} has it"
    if source.kind == "hours" and indicator.unit != "h":
        yield "unit", indicator.unit, "h"
    if (indicator.kind, indicator.cumulative) != ("quantity", True):
        yield "kind", indicator.kind, "a cumulative quantity: meters and hours add up"
    if len(set(source.devices)) != len(source.devices) or not all(source.devices):
        yield "source.devices", list(source.devices), "each device once"


def _are_hours(source: Source) -> bool:
    start, end = source.outside or (0, 0)
    return source.kind == "meters" and 0 <= start < end <= 24


def _is_word(text: str) -> bool:
    return 0 < len(text.strip()) <= _LONGEST and text.isprintable()


def _is_between(value: float, least: float, most: float) -> bool:
    return math.isfinite(value) and least <= value <= most
