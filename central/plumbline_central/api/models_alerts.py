"""The shapes of what people order about alerts, and of the figures about them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from plumbline.topics import NAME
from plumbline_central.alerts.alert import Rule
from plumbline_central.api.models import PersonIn
from plumbline_central.api.times import Moment

Name = Annotated[str, Field(pattern=NAME)]


class AssignIn(PersonIn):
    """Who gives it to whom."""

    to: Annotated[str, Field(min_length=1, max_length=80)]


class ReasonIn(PersonIn):
    """Who does it, and why; the reason is wanted."""

    comment: Annotated[str, Field(min_length=1, max_length=2000)]


class ShelveIn(ReasonIn):
    until: Moment


class SlotIn(ReasonIn):
    """Which alerts are out of service; copy the three names from an alert."""

    site: Name
    rule: Rule
    subject: Name


class MaintenanceIn(ReasonIn):
    """Whose alerts are withheld, and when; without `subject` all of the site's."""

    site: Name
    subject: Annotated[
        Name | None, Field(description="A camera, a meter, or a gateway with all behind it.")
    ] = None
    start: Annotated[Moment | None, Field(description="Now, if it is left out.")] = None
    until: Moment


class _Answer(BaseModel):
    model_config = ConfigDict(from_attributes=True, frozen=True)


class SilenceOut(_Answer):
    """An order that withholds alerts, kept for ever. `until` null: until somebody ends it."""

    id: int
    kind: Literal["shelved", "maintenance", "out_of_service"]
    site: str
    rule: str | None
    subject: str | None
    start: datetime
    until: datetime | None
    by: str
    why: str
    at: datetime
    ended_at: datetime | None
    ended_by: str | None
    ended_why: str


class RateOut(_Answer):
    """Alerts told in one span of time: the last one, the worst one, and the mean over the range."""

    now: int
    peak: int
    mean: float


class SlotOut(_Answer):
    site: str
    rule: str
    subject: str


class OftenOut(_Answer):
    slot: SlotOut
    raised: int
    most_within: Annotated[int, Field(description="At worst within the chattering span.")]
    share: Annotated[float, Field(description="Of all that was raised in the range, 0..1.")]


class StaleOut(_Answer):
    id: int
    site: str
    rule: str
    subject: str
    severity: str
    state: str
    raised_at: datetime


class RatesOut(_Answer):
    """Figures named after ANSI/ISA-18.2 and EEMUA 191; docs/alerts.md says what is bearable."""

    start: datetime
    end: datetime
    per_hour: RateOut
    per_10_minutes: RateOut
    standing: Annotated[int, Field(description="Conditions that are there and that nobody withholds.")]
    stale: Annotated[list[StaleOut], Field(description="Standing for more than 24 h, the oldest first.")]
    chattering: Annotated[list[OftenOut], Field(description="Raised three times or more within the span.")]
    bad_actors: Annotated[list[OftenOut], Field(description="The ten raised most often.")]
