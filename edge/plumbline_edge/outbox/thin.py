"""Many frames to few summaries: what stays of readings that had to make room."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from plumbline.messages import Frame, Summary
from plumbline_edge.outbox.rows import Stamp

BUCKET_US: Final = 15 * 60 * 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One frame with its moment."""

    stamp: Stamp
    frame: Frame


def bucket(at_us: int) -> int:
    """Which quarter of an hour a time lies in."""
    return at_us // BUCKET_US


def summaries(seen: Iterable[Seen]) -> list[tuple[Stamp, Summary]]:
    """One summary per device, metric list, boot and clock state, at the moment of its newest frame.

    Frames of different boots, or of a clock that was set in between, are never mixed: their times may be placed
    anew once it is known how wrong they were.
    """
    groups: dict[tuple[object, ...], list[Seen]] = {}
    for one in seen:
        key = (one.frame.device, one.frame.metrics, one.stamp.boot, one.stamp.clock)
        groups.setdefault(key, []).append(one)
    return [(_newest(group).stamp, _summary(group)) for group in groups.values()]


def _newest(group: Sequence[Seen]) -> Seen:
    return max(group, key=lambda one: one.stamp.mono_us)


def _summary(group: Sequence[Seen]) -> Summary:
    by_time = sorted(group, key=lambda one: one.stamp.mono_us)
    frame = by_time[0].frame
    columns = [_good(by_time, at) for at in range(len(frame.metrics))]
    return Summary(
        device=frame.device,
        metrics=frame.metrics,
        frames=len(group),
        span_us=by_time[-1].stamp.mono_us - by_time[0].stamp.mono_us,
        good=tuple(len(column) for column in columns),
        low=tuple(min(column, default=None) for column in columns),
        mean=tuple(_mean(column) for column in columns),
        high=tuple(max(column, default=None) for column in columns),
        newest=tuple(column[-1] if column else None for column in columns),
    )


def _good(by_time: Sequence[Seen], at: int) -> list[int]:
    """The values at one position that nothing is wrong with, oldest first."""
    return [
        value
        for one in by_time
        if (value := one.frame.values[at]) is not None and all(place != at for place, _ in one.frame.flaws)
    ]


def _mean(column: Sequence[int]) -> int | None:
    """Rounded to a whole step, halves up."""
    return (2 * sum(column) + len(column)) // (2 * len(column)) if column else None
