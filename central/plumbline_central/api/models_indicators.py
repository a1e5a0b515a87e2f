"""The shapes of what the API says and takes about indicators, values and scores."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from plumbline_central.api.times import Moment

Finite = Annotated[float, Field(allow_inf_nan=False)]
ByName = Annotated[str, Field(min_length=1, max_length=80, description="Who does it; the name is kept.")]


def like(*examples: dict[str, Any]) -> ConfigDict:
    return ConfigDict(from_attributes=True, frozen=True, json_schema_extra={"examples": list(examples)})


def asked_like(*examples: dict[str, Any]) -> ConfigDict:
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
AT = "2026-03-31T16:00:00Z"


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

    model_config = like(
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

    model_config = like(_FUNDS)

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

    model_config = asked_like(
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

    model_config = like(
        {"at": AT, "who": "Li Wei", "what": "created", "indicator": "funds_paid", "old": None, "new": _FUNDS}
    )

    at: datetime
    who: str
    what: Literal["created", "changed", "retired"]
    indicator: str
    old: IndicatorOut | None
    new: IndicatorOut | None


class PointOut(BaseModel):
    """A value beside what was planned at its time; `flags` say why it does not count."""

    model_config = like(
        {
            "ref": "funds_paid/1774972800000000/1", "at": AT, "value": 30.0, "low": 30.0, "high": 30.0,
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

    model_config = asked_like({"indicator": "funds_paid", "at": AT, "value": 30.0, "note": "3rd instalment"})

    indicator: Annotated[str, Field(max_length=64)]
    at: Moment
    value: Finite | None
    note: Annotated[str, Field(max_length=500)] = ""


class ValuesIn(BaseModel):
    """Values to keep, all or none."""

    model_config = asked_like(
        {"by": "Li Wei", "values": [{"indicator": "funds_paid", "at": AT, "value": 30.0, "note": ""}]}
    )

    by: ByName
    values: Annotated[list[ValueIn], Field(min_length=1, max_length=1_000)]


class KeptOut(BaseModel):
    """How many values are new: those known already change nothing. With `dry_run`: how many would be kept."""

    model_config = like({"values": 1, "dry_run": False})

    values: int
    dry_run: bool = False


class ValueOut(BaseModel):
    """A value as it is kept; `current`: no correction of the same time came after it."""

    model_config = like(
        {
            "indicator": "funds_paid", "at": AT, "seq": 2, "value": 30.0, "flag": "", "by": "Li Wei",
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


class PartOut(BaseModel):
    """One indicator's part: contribution = share x attainment, and the contributions add up to the score."""

    model_config = like(
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

    model_config = like(
        {
            "indicator": "progress", "at": AT, "scope": "visible", "pv": 40.0, "ev": 34.0, "sv": -6.0, "spi": 0.85,
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

    model_config = like(
        {
            "site": "a12", "at": AT, "score": 81.5, "rests_on": 0.85, "parts": [], "earned_value": [],
            "explained": ["a12 at 2026-03-31 16:00 UTC: score 81.50 of 100, on 85% of the weights"],
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

    model_config = like(
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
