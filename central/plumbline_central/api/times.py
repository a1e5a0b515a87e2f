"""Which times the API understands: RFC 3339 with a zone, from 1970 to 2099, kept in UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, WithJsonSchema

_DATED: Final = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}")


def _written_out(said: Any) -> Any:
    """A bare number is no time, though pydantic would take it for seconds or milliseconds, whichever fits."""
    if isinstance(said, (int, float)) or (isinstance(said, str) and not _DATED.match(said)):
        raise ValueError("a time like 2026-03-01T08:00:00+08:00 is expected")
    return said


def _datable(at: datetime) -> datetime:
    # first the year as it is written: the first and last ones have times that UTC cannot say
    if not 1970 <= at.year < 2100 or not 1970 <= (utc := at.astimezone(UTC)).year < 2100:
        raise ValueError("a time from 1970 to 2099 is expected")
    return utc


Moment = Annotated[
    AwareDatetime,
    BeforeValidator(_written_out),
    AfterValidator(_datable),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-03-01T08:00:00+08:00"]}),
]
