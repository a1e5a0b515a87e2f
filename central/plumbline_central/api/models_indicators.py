"""The shapes of what the API says and takes about indicators, values, plans, milestones and scores."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field


def _datable(at: datetime) -> datetime:
    if not 1970 <= at.year < 2100:
        raise ValueError("a time from 1970 to 2099 is expected")
    return at


Time = Annotated[AwareDatetime, AfterValidator(_datable)]

Percent = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
ByName = Annotated[str, Field(min_length=1, max_length=80, description="Who does it; the name is kept.")]


def _like(*examples: dict[str, Any]) -> ConfigDict:
    return ConfigDict(from_attributes=True, frozen=True, json_schema_extra={"examples": list(examples)})


def _asked_like(*examples: dict[str, Any]) -> ConfigDict:
    return ConfigDict(
        extra="forbid", str_strip_whitespace=True, frozen=True, json_schema_extra={"examples": list(examples)}
    )


_THRESHOLD: dict[str, Any] = {"raise_over": 5.0, "clear_below": 4.0}
_SOURCE: dict[str, Any] = {"kind": "pushed", "devices": [], "metric": "", "outside": None, "above": None}
_FUNDS: dict[str, Any] = {
    "id": "funds_paid", "site": "a12", "template": "funds_paid", "name_zh": "资金支付率", "name_en": "Funds paid",
    "unit": "%", "kind": "percent", "direction": "more", "cumulative": True, "weight": 15, "fresh_for_d": 45,
    "owner": "Li Wei", "source": _SOURCE, "threshold": None, "budget": 2_400_000, "currency": "CNY", "scope": "total",
}  # fmt: skip
_AT = "2026-03-31T16:00:00Z"


class ThresholdModel(BaseModel):
    """When a deviation is told: points for percent, percent of the plan for quantities."""

    model_config = ConfigDict(
        extra="forbid", from_attributes=True, frozen=True, json_schema_extra={"examples": [_THRESHOLD]}
    )

    raise_over: Finite
    clear_below: Finite


class SourceModel(BaseModel):
    """Where values come from; see docs/indicators.md."""

    model_config = ConfigDict(
        extra="forbid", from_attributes=True, frozen=True, json_schema_extra={"examples": [_SOURCE]}
    )

    kind: Literal["photos", "meters", "hours", "pushed"] = "pushed"
    devices: tuple[Annotated[str, Field(max_length=200)], ...] = ()
    metric: Annotated[str, Field(max_length=64)] = ""
    outside: tuple[int, int] | None = None
    above: Finite | None = None


class TemplateOut(BaseModel):
    """A kind of indicator that the library knows."""

    model_config = _like(
        {
            "id": "satisfaction", "name_zh": "群众满意度", "name_en": "Satisfaction", "meaning_zh": "…", "meaning_en": "…",
            "unit": "%", "kind": "percent", "direction": "more", "cumulative": False, "weight": 10, "fresh_for_d": 100,
            "source": _SOURCE, "threshold": None,
        }
    )  # fmt: skip

    id: str
    name_zh: str
    name_en: str
    meaning_zh: str
    meaning_en: str
    unit: str
    kind: Literal["percent", "quantity"]
    direction: Literal["more", "less"]
    cumulative: bool
    weight: float
    fresh_for_d: float
    source: SourceModel
    threshold: ThresholdModel | None


class IndicatorOut(BaseModel):
    """One indicator of one site."""

    model_config = _like(_FUNDS)

    id: str
    site: str
    template: str
    name_zh: str
    name_en: str
    unit: str
    kind: Literal["percent", "quantity"]
    direction: Literal["more", "less"]
    cumulative: bool
    weight: float
    fresh_for_d: float
    owner: str
    source: SourceModel
    threshold: ThresholdModel | None
    budget: float | None
    currency: str
    scope: Annotated[
        Literal["visible", "total"], Field(description="Which of its plans it is compared with.")
    ]


class IndicatorIn(BaseModel):
    """What an indicator shall be; what is left out is as it was, else as the template has it."""

    model_config = _asked_like(
        {"by": "Li Wei", "template": "funds_paid", "owner": "Li Wei", "weight": 15, "budget": 2_400_000}
    )

    by: ByName
    template: Annotated[str | None, Field(max_length=64)] = None
    name_zh: Annotated[str | None, Field(max_length=120)] = None
    name_en: Annotated[str | None, Field(max_length=120)] = None
    unit: Annotated[str | None, Field(max_length=24)] = None
    kind: Literal["percent", "quantity"] | None = None
    direction: Literal["more", "less"] | None = None
    cumulative: bool | None = None
    weight: Finite | None = None
    fresh_for_d: Finite | None = None
    owner: Annotated[str | None, Field(max_length=120)] = None
    source: SourceModel | None = None
    threshold: ThresholdModel | None = None
    budget: Finite | None = None
    currency: Annotated[str | None, Field(max_length=3)] = None


class IndicatorStepOut(BaseModel):
    """One change of an indicator; `old` and `new` are what it said before and after."""

    model_config = _like(
        {"at": _AT, "who": "Li Wei", "what": "created", "indicator": "funds_paid", "old": None, "new": _FUNDS}
    )

    at: datetime
    who: str
    what: Literal["created", "changed", "retired"]
    indicator: str
    old: IndicatorOut | None
    new: IndicatorOut | None


class PointOut(BaseModel):
    """A value beside what was planned at its time; `flags` say why it does not count."""

    model_config = _like(
        {
            "ref": "funds_paid/1774972800000000/1", "at": _AT, "value": 30.0, "low": 30.0, "high": 30.0,
            "planned": 40.0, "flags": [], "seen_by": "Li Wei",
        }
    )  # fmt: skip

    ref: str
    at: datetime
    value: float | None
    low: float | None
    high: float | None
    planned: float | None
    flags: list[str]
    seen_by: str


class ValueIn(BaseModel):
    """One value; null takes back what was said of that time. The same time again is a correction."""

    model_config = _asked_like(
        {"indicator": "funds_paid", "at": _AT, "value": 30.0, "note": "3rd instalment"}
    )

    indicator: Annotated[str, Field(max_length=64)]
    at: Time
    value: Finite | None
    note: Annotated[str, Field(max_length=500)] = ""


class ValuesIn(BaseModel):
    """Values to keep, all or none."""

    model_config = _asked_like(
        {"by": "Li Wei", "values": [{"indicator": "funds_paid", "at": _AT, "value": 30.0, "note": ""}]}
    )

    by: ByName
    values: Annotated[list[ValueIn], Field(min_length=1, max_length=1_000)]


class KeptOut(BaseModel):
    """How many values are new: those known already change nothing. With `dry_run`: how many would be kept."""

    model_config = _like({"values": 1, "dry_run": False})

    values: int
    dry_run: bool = False


class ValueOut(BaseModel):
    """A value as it is kept; `current`: no correction of the same time came after it."""

    model_config = _like(
        {
            "indicator": "funds_paid", "at": _AT, "seq": 2, "value": 30.0, "flag": "", "by": "Li Wei",
            "note": "typing error", "received_at": "2026-04-01T02:00:00Z", "current": True,
        }
    )  # fmt: skip

    indicator: str
    at: datetime
    seq: int
    value: float | None
    flag: str
    by: str
    note: str
    received_at: datetime
    current: bool


class PlanIn(BaseModel):
    """A plan's points, dates ascending. `scope` null: as the indicator is compared."""

    model_config = _asked_like(
        {
            "by": "Li Wei",
            "source": "ERP",
            "points": [["2026-03-01T00:00:00+08:00", 0], ["2026-09-01T00:00:00+08:00", 100]],
        }
    )

    by: ByName
    source: Annotated[str, Field(min_length=1, max_length=120)]
    points: Annotated[list[tuple[Time, Finite]], Field(min_length=1, max_length=1_000)]
    scope: Literal["visible", "total"] | None = None
    dry_run: bool = False


class PlanImportedOut(BaseModel):
    """What was imported, or with `dry_run` would be: then there is no version."""

    model_config = _like(
        {
            "version": 3, "scope": "total", "points": 27, "start": "2026-02-28T16:00:00Z", "end": "2026-08-31T16:00:00Z",
            "last": 100.0, "remarks": ["read as GBK"],
        }
    )  # fmt: skip

    version: int | None
    scope: Literal["visible", "total"]
    points: int
    start: datetime
    end: datetime
    last: float
    remarks: list[str]


class PlanVersionOut(BaseModel):
    """One baseline without its points."""

    model_config = _like(
        {
            "version": 3, "scope": "total", "imported_at": _AT, "source": "plan.xlsx", "imported_by": "Li Wei",
            "points": 27, "start": "2026-02-28T16:00:00Z", "end": "2026-08-31T16:00:00Z", "last": 100.0,
        }
    )  # fmt: skip

    version: int
    scope: Literal["visible", "total"]
    imported_at: datetime
    source: str
    imported_by: str
    points: int
    start: datetime
    end: datetime
    last: float


class PlanOut(BaseModel):
    """One baseline with its points."""

    model_config = _like(
        {
            "indicator": "funds_paid", "version": 3, "scope": "total", "unit": "%",
            "points": [["2026-02-28T16:00:00Z", 0.0], ["2026-08-31T16:00:00Z", 100.0]],
        }
    )  # fmt: skip

    indicator: str
    version: int
    scope: Literal["visible", "total"]
    unit: str
    points: list[tuple[datetime, float]]


class ChangeOut(BaseModel):
    model_config = _like({"at": _AT, "before": 40.0, "after": 35.0})

    at: datetime
    before: float | None
    after: float | None


class PlanDiffOut(BaseModel):
    """What `after` changed; `furthest`: the largest difference of what is due, at any time."""

    model_config = _like(
        {
            "before": 2, "after": 3, "start_moved_d": 0.0, "end_moved_d": 14.0, "furthest": -7.5,
            "furthest_at": _AT, "changes": [{"at": _AT, "before": 40.0, "after": 35.0}],
        }
    )  # fmt: skip

    before: int
    after: int
    start_moved_d: float
    end_moved_d: float
    furthest: float
    furthest_at: datetime
    changes: list[ChangeOut]


class MilestoneOut(BaseModel):
    """`due` is the end of its day."""

    model_config = _like(
        {
            "id": "scaffold", "name_zh": "脚手架搭设完成", "name_en": "Scaffold up", "due": _AT, "done": None,
            "owner": "Li Wei", "weight": 1.0, "overdue": True,
        }
    )  # fmt: skip

    id: str
    name_zh: str
    name_en: str
    due: datetime
    done: datetime | None
    owner: str
    weight: float
    overdue: bool


class MilestonesOut(BaseModel):
    """The current milestones by due date; version 0: there are none yet."""

    model_config = _like({"site": "a12", "version": 0, "milestones": []})

    site: str
    version: int
    milestones: list[MilestoneOut]


class DoneIn(BaseModel):
    """When a milestone was done; null: it is not done after all."""

    model_config = _asked_like({"by": "Li Wei", "done": "2026-03-30T17:00:00+08:00"})

    by: ByName
    done: Time | None


class PartOut(BaseModel):
    """One indicator's part: contribution = share x attainment, and the contributions add up to the score."""

    model_config = _like(
        {
            "indicator": "funds_paid", "name_zh": "资金支付率", "name_en": "Funds paid", "unit": "%", "weight": 15.0,
            "share": 0.3, "attainment": 75.0, "contribution": 22.5, "left_out": None, "deviation": -10.0,
            "observation": None, "plan_version": 3, "scope": "total",
        }
    )  # fmt: skip

    indicator: str
    name_zh: str
    name_en: str
    unit: str
    weight: float
    share: float
    attainment: float | None
    contribution: float
    left_out: Literal["no_value", "stale", "no_plan", "not_due"] | None
    deviation: float | None
    observation: PointOut | None
    plan_version: int | None
    scope: Literal["visible", "total"]


class EarnedValueOut(BaseModel):
    """PV, EV, SV in percent of the works and, with a budget, in money; SPI = EV / PV. See docs/indicators.md."""

    model_config = _like(
        {
            "indicator": "progress", "at": _AT, "scope": "visible", "pv": 40.0, "ev": 34.0, "sv": -6.0, "spi": 0.85,
            "budget": 2_400_000, "currency": "CNY", "pv_money": 960_000, "ev_money": 816_000, "sv_money": -144_000,
        }
    )  # fmt: skip

    indicator: str
    at: datetime
    scope: Literal["visible", "total"]
    pv: float
    ev: float
    sv: float
    spi: float | None
    budget: float | None
    currency: str
    pv_money: float | None
    ev_money: float | None
    sv_money: float | None


class ScoreOut(BaseModel):
    """`rests_on` is the share of all weights that is known; `explained` is the sum in words."""

    model_config = _like(
        {
            "site": "a12", "at": _AT, "score": 81.5, "rests_on": 0.85, "parts": [], "earned_value": [],
            "explained": ["a12 at 2026-03-31 16:00: score 81.50 of 100, on 85% of the weights"],
        }
    )  # fmt: skip

    site: str
    at: datetime
    score: float | None
    rests_on: float
    parts: list[PartOut]
    earned_value: list[EarnedValueOut]
    explained: list[str]


class RankOut(BaseModel):
    """A site's place; equal scores share it. Null: nothing is known of it."""

    model_config = _like(
        {
            "place": 1,
            "site": "a12",
            "name_zh": "甲十二号楼",
            "name_en": "A12",
            "score": 81.5,
            "rests_on": 0.85,
        }
    )

    place: int | None
    site: str
    name_zh: str
    name_en: str
    score: float | None
    rests_on: float
