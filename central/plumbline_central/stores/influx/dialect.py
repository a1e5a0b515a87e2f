"""What the store asks of a server, in its own words; `dialect1` and `dialect2` say it in the server's.

Times are microseconds since 1970 and every span is `start <= time < end`. A `place` is a retention policy of 1.x or a
bucket of 2.x. Reads and deletions raise Unreachable, Busy or Refused; a write says what was answered.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from plumbline_central.stores.influx.answers import Answer

Tags = Mapping[str, str]
"""A tag that a series does not have may be left out or empty: both are the same."""
EARLIEST_US: Final = -(1 << 53)
"""1684; no server keeps much before."""
LATEST_US: Final = 1 << 53


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A stretch of time of some series of one measurement."""

    place: str
    measurement: str
    tags: Tags
    start_us: int = EARLIEST_US
    end_us: int = LATEST_US


@dataclass(frozen=True, slots=True)
class Values:
    """One field of one series: (time, value), ascending."""

    tags: Tags
    rows: Sequence[tuple[int, float]]


@dataclass(frozen=True, slots=True)
class Sums:
    """One field of one series: (start of the step, sum, how many), ascending."""

    tags: Tags
    rows: Sequence[tuple[int, float, int]]


@dataclass(frozen=True, slots=True)
class Newest:
    """Where a field of a series stands: its last value and when that was."""

    tags: Tags
    field: str
    at_us: int
    value: float


@dataclass(frozen=True, slots=True)
class Means:
    """One step of one series: the mean of each of its float fields."""

    tags: Tags
    at_us: int
    fields: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where points are kept, and for how many days; 0: for ever."""

    name: str
    keep_days: int
    default: bool = False


class Dialect(Protocol):
    """One server. Usable from any thread."""

    server: str
    """How a person calls it."""

    def write(self, place: str, body: bytes) -> Answer: ...

    def values(self, span: Span, field: str) -> list[Values]: ...

    def sums(self, span: Span, field: str, step_us: int) -> list[Sums]: ...

    def newest(self, span: Span) -> list[Newest]:
        """Of each field of each series at least where it stands now."""
        ...

    def total(self, span: Span, field: str) -> int:
        """The sum of a whole-number field."""
        ...

    def means(self, span: Span, step_us: int) -> list[Means]: ...

    def first_us(self, span: Span, field: str) -> int | None:
        """When the oldest value of the field was."""
        ...

    def delete(self, span: Span) -> None:
        """Durably; nothing there is no error."""
        ...

    def drop(self, place: str, measurement: str) -> None:
        """Forget a measurement."""
        ...

    def prepare(self, places: Sequence[Place]) -> Iterator[str]:
        """Make what is not there, change what is otherwise; a sentence on each, and on what must be done by hand."""
        ...

    def close(self) -> None: ...
