"""The shapes of the API's answers and questions; times are RFC 3339 in UTC, percent is 0..100, null is: there is none."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class _Answer(BaseModel):
    model_config = ConfigDict(from_attributes=True, frozen=True)


class FaultOut(_Answer):
    """One thing wrong with a file: where, what stood there, what was expected."""

    at: str
    value: str
    expected: str


class Problem(_Answer):
    """Why something was not done (RFC 9457, application/problem+json), and what to do instead."""

    type: Literal["about:blank"] = "about:blank"
    title: Annotated[str, Field(examples=["Conflict"])]
    status: Annotated[int, Field(examples=[409])]
    detail: Annotated[str, Field(examples=["an alert that is acknowledged cannot take 'acknowledge'"])]
    hint: Annotated[str, Field(examples=["Someone was quicker; add a comment instead."])]
    faults: Annotated[list[FaultOut] | None, Field(description="Of a file with faults, each one.")] = None


class SiteOut(_Answer):
    id: str
    name_zh: str
    name_en: str


class SiteState(SiteOut):
    """How a site stands: the page's own verdict."""

    level: Literal["alarm", "warning", "calm", "unknown"]
    percent: float | None
    planned: Annotated[float | None, Field(description="Due when the latest usable photo was taken.")]
    deviation_pp: Annotated[float | None, Field(description="Percentage points; negative is behind plan.")]
    at: Annotated[datetime | None, Field(description="When the latest usable photo was taken.")]
    open_alerts: int


class ReadingOut(_Answer):
    """The newest value of one metric; `flaw` is a number of plumbline.metrics.Flaw."""

    gateway: str
    device: str
    metric: str
    unit: str
    value: float | None
    flaw: int | None
    at: datetime


class SeriesOut(_Answer):
    """Values over time, ascending; missing ones are left out."""

    device: str
    metric: str
    unit: str
    points: list[tuple[datetime, float]]


class PhotoOut(_Answer):
    photo: str
    gateway: str
    camera: str
    at: datetime
    width: int
    height: int
    mask: str
    href: str


class ZoneOut(_Answer):
    id: str
    percent: float | None
    low: float | None
    high: float | None
    visible: float
    stage: int | None


class ObservationOut(_Answer):
    """One photo's word; only `standing` judged, late and no_plan count."""

    at: datetime
    camera: str
    photo: str
    percent: float | None
    low: float | None
    high: float | None
    planned: float | None
    deviation_pp: float | None
    standing: str
    gate: list[str]
    zones: list[ZoneOut]
    quad: list[tuple[float, float]]
    grid: tuple[int, int]
    model: str


class ProgressOut(_Answer):
    """Plan against actual, both ascending by time."""

    site: str
    plan_version: int | None
    planned: list[tuple[datetime, float]]
    actual: list[ObservationOut]


class EvidenceOut(_Answer):
    ref: str
    at: datetime
    percent: float
    low: float | None
    high: float | None
    planned: float
    deviation_pp: float
    photo: str


class AlertOut(_Answer):
    """Numbers are those at the raise; `latest_pp` goes on. `shown` is `state`, unless the alert is withheld."""

    id: int
    key: str
    site: str
    rule: str
    subject: str
    severity: str
    state: str
    shown: Annotated[str, Field(description="As `state`, or shelved, suppressed or out_of_service.")]
    since: Annotated[
        datetime | None, Field(description="When the condition began, as far as its rule knows.")
    ]
    raised_at: datetime
    deviation_pp: float | None
    planned: float | None
    actual: float | None
    low: float | None
    high: float | None
    latest_pp: float | None
    latest_at: datetime | None
    acknowledged_by: str | None
    acknowledged_at: datetime | None
    cleared_at: datetime | None
    closed_at: datetime | None
    evidence: list[EvidenceOut]
    gateway: Annotated[str, Field(description="Through which gateway it is known; empty: through none.")]
    facts: Annotated[dict[str, float | str], Field(description="What its rule found.")]
    assigned_to: str | None
    assigned_at: datetime | None
    rectified_by: str | None
    rectified_at: datetime | None
    shelved_until: datetime | None
    shelved_by: str | None
    suppressed_by: Annotated[
        str | None, Field(description="The key of what explains it, or maintenance-{id}.")
    ]
    out_of_service: bool
    escalation: Annotated[int, Field(description="How many steps it went up because nobody acted.")]


class StepOut(_Answer):
    at: datetime
    who: str
    what: str
    old: str
    new: str
    comment: str


class PersonIn(BaseModel):
    """Who does it, and a remark."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    by: Annotated[str, Field(min_length=1, max_length=80)]
    comment: Annotated[str, Field(max_length=2000)] = ""


class DeviceOut(_Answer):
    name: str
    status: str
    answers: int
    errors: dict[str, int]
    latency_ms: float | None


class GatewayOut(_Answer):
    """A gateway as central knows it; null: it never said."""

    gateway: str
    site: str
    last_seen: datetime | None
    online: bool | None
    version: str
    health_at: datetime | None
    gauges: dict[str, float]
    counters: dict[str, int]
    devices: list[DeviceOut]


class GapOut(_Answer):
    """Records that central lacks: `declared` gone by their gateway, which says why, or unexplained as yet.

    Unexplained ones may still be on their way.
    """

    site: str
    gateway: str
    epoch: str
    lane: str
    first: int
    last: Annotated[int | None, Field(description="Null: a damaged file; nobody knows how many.")]
    count: Annotated[int, Field(description="How many records are known to lack.")]
    declared: bool
    why: Annotated[str, Field(description="size, thinned, age or damaged; empty where nothing was declared.")]
    start: Annotated[datetime | None, Field(description="Time of the oldest record that went.")]
    end: Annotated[datetime | None, Field(description="Time of the newest record that went.")]
    summarised: Annotated[bool, Field(description="Summaries stand for them.")]


class ProjectedOut(_Answer):
    """What became of the stored records in one projection: stored = applied + passed_over + behind."""

    applied: Annotated[
        int | None, Field(description="Null: counted only after the next `plumbline central rebuild`.")
    ]
    passed_over: Annotated[int, Field(description="Records that could not be read back or digested.")]
    behind: Annotated[int, Field(description="Records that it has yet to apply.")]
    balanced: bool


class HealthOut(_Answer):
    """`balanced`: all of `equations` hold, as received = stored + duplicate + refused.

    `behind`: for each projection, how many batches of the ledger it has yet to apply; 0 when what is shown is whole.
    """

    status: Literal["ok", "out of balance"]
    now: datetime
    version: str
    balanced: bool
    equations: dict[str, bool]
    counters: dict[str, int]
    projections: dict[str, ProjectedOut]
    behind: dict[str, int]
    faults: Annotated[
        dict[str, str], Field(description="What keeps the time-series store from its work, in its own words.")
    ]
    missing_records: Annotated[int, Field(description="Lacking without a word; maybe still on their way.")]
    declared_missing_records: Annotated[int, Field(description="Gone, as their gateways declared.")]
    ledger_bytes: int
    archive_bytes: int
    archive_segments: int
    last_seen: datetime | None
