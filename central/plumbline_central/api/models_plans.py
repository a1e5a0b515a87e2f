"""The shapes of what the API says and takes about plans and milestones."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from plumbline_central.api.models_indicators import AT, ByName, Finite, asked_like, like
from plumbline_central.api.times import Moment


class PlanIn(BaseModel):
    """A plan's points, dates ascending. `scope` null: as the indicator is compared."""

    model_config = asked_like(
        {
            "by": "Li Wei",
            "source": "ERP",
            "points": [["2026-03-01T00:00:00+08:00", 0], ["2026-09-01T00:00:00+08:00", 100]],
        }
    )

    by: ByName
    source: Annotated[str, Field(min_length=1, max_length=120)]
    points: Annotated[list[tuple[Moment, Finite]], Field(min_length=1, max_length=1_000)]
    scope: Literal["visible", "total"] | None = None
    dry_run: bool = False


class PlanImportedOut(BaseModel):
    """What was imported, or with `dry_run` would be: then there is no version."""

    model_config = like(
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

    model_config = like(
        {
            "version": 3, "scope": "total", "imported_at": AT, "source": "plan.xlsx", "imported_by": "Li Wei",
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

    model_config = like(
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
    model_config = like({"at": AT, "before": 40.0, "after": 35.0})

    at: datetime
    before: float | None
    after: float | None


class PlanDiffOut(BaseModel):
    """What `after` changed; `furthest`: the largest difference of what is due, at any time."""

    model_config = like(
        {
            "before": 2, "after": 3, "start_moved_d": 0.0, "end_moved_d": 14.0, "furthest": -7.5,
            "furthest_at": AT, "changes": [{"at": AT, "before": 40.0, "after": 35.0}],
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

    model_config = like(
        {
            "id": "scaffold", "name_zh": "脚手架搭设完成", "name_en": "Scaffold up", "due": AT, "done": None,
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

    model_config = like({"site": "a12", "version": 0, "milestones": []})

    site: str
    version: int
    milestones: list[MilestoneOut]


class DoneIn(BaseModel):
    """When a milestone was done; null: it is not done after all."""

    model_config = asked_like({"by": "Li Wei", "done": "2026-03-30T17:00:00+08:00"})

    by: ByName
    done: Moment | None
