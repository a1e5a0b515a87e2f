"""What central asks of a time-series store, in its own words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class FramePoint:
    """One poll of one device: `values[i]` counts steps of the resolution of metric code `metrics[i]`.

    None: there is no value. `flaws` holds (position, plumbline.metrics.Flaw), as in plumbline.messages.Frame.
    """

    site: str
    gateway: str
    device: str
    at_us: int
    metrics: tuple[int, ...]
    values: tuple[int | None, ...]
    flaws: tuple[tuple[int, int], ...] = ()
    boot: str = ""
    """Not empty: the time is not the word of a trusted clock. Such points are kept apart, boot by boot, so that moving
    one never touches another; a reader sees all of them as one history. In InfluxDB it is a tag."""
    thinned: bool = False
    """It stands for many polls: it never takes the place of a single poll at the same time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One value of one metric, in `unit`; None with the flaw that says why there is none."""

    site: str
    gateway: str
    device: str
    metric: str
    unit: str
    value: float | None
    flaw: int | None
    at: datetime


class TelemetryStore(Protocol):
    """Keeps each device's values over time. Writing the same points again changes nothing."""

    def write(self, points: Sequence[FramePoint]) -> None:
        """Return once they are durable. Raises Unreachable: the same points may be written again later."""
        ...

    def remove(self, points: Sequence[FramePoint]) -> None:
        """Forget what was written for these devices, metrics and boots at these times; nothing there is no error.

        Return once that is durable. Raises Unreachable: the same points may be removed again later.
        """
        ...

    def latest(self, site: str) -> list[Reading]:
        """The newest reading of each device and metric, by device, then in the order of the metric list."""
        ...

    def series(
        self, site: str, device: str, metric: str, start: datetime, end: datetime, step_s: float | None = None
    ) -> list[tuple[datetime, float]]:
        """The values with start <= at < end, ascending; missing ones are left out.

        With `step_s`, one mean per step that has values, dated at the step's start (steps count from 1970).
        """
        ...

    def readings(self, site: str, device: str, metric: str, start: datetime, end: datetime) -> list[Reading]:
        """Every reading with start <= at < end, ascending, missing ones too where they have a flaw. Raises as `series`.

        Where single polls are kept no longer, their means, with the flaw that says so.
        """
        ...

    def count(self) -> int:
        """How many readings it keeps, missing values included."""
        ...

    def reset(self) -> None:
        """Forget everything."""
        ...
