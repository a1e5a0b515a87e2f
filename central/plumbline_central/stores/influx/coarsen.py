"""Makes the means of days that have come of age, and makes them anew where readings came late."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from plumbline.clock import Clock, to_us
from plumbline_central.stores.influx.aging import Aged
from plumbline_central.stores.influx.dialect import Dialect, Span, Tags
from plumbline_central.stores.influx.lines import FLAW, READINGS, Point
from plumbline_central.stores.influx.tiers import DAY_US, Tier
from plumbline_central.stores.influx.writer import Writer

_AT_ONCE_US: Final = 3_600_000_000
"""Of all series; a thousand meters have 120,000 means of a quarter of an hour in it."""


class Coarsening:
    """Days of a finer tier into the next. The server's own continuous queries do not see what comes a week late."""

    def __init__(
        self, dialect: Dialect, writer: Writer, tiers: Sequence[Tier], aged: Aged, clock: Clock
    ) -> None:
        self._dialect = dialect
        self._writer = writer
        self._tiers = tuple(tiers)
        self._aged = aged
        self._clock = clock

    def run_once(self) -> int:
        """How many days were made. Raises Unreachable; what was made until then stays."""
        return sum(self._make(finer, coarser) for finer, coarser in pairwise(self._tiers))

    def _make(self, finer: Tier, coarser: Tier) -> int:
        assert finer.until_days is not None
        today = to_us(self._clock.wall()) // DAY_US
        come_of_age = today - finer.until_days
        made = 0
        for day in self._aged.waiting(finer.measurement):
            if day > today - finer.keep_days:  # of older ones the server may have forgotten a part
                self._day(finer, coarser, day)
                made += 1
            self._aged.settled(finer.measurement, day)
        first = self._aged.until(finer.measurement)
        if first is None:
            everything = Span(place=finer.place, measurement=finer.measurement, tags={})
            oldest_us = self._dialect.first_us(everything, READINGS)
            first = come_of_age if oldest_us is None else oldest_us // DAY_US
        for day in range(first, come_of_age):
            self._day(finer, coarser, day)
            self._aged.reach(finer.measurement, day + 1)
            made += 1
        self._aged.reach(finer.measurement, max(first, come_of_age))
        return made

    def _day(self, finer: Tier, coarser: Tier, day: int) -> None:
        assert coarser.step_s is not None
        step_us = coarser.step_s * 1_000_000
        if (until := self._aged.until(coarser.measurement)) is not None and day < until:
            self._aged.changed(coarser.measurement, [day])
        stride_us = max(1, _AT_ONCE_US // step_us) * step_us
        for start_us in range(day * DAY_US, (day + 1) * DAY_US, stride_us):
            end_us = min(start_us + stride_us, (day + 1) * DAY_US)
            written = list(self._lines(finer, coarser, start_us, end_us))
            old = Span(
                place=coarser.place,
                measurement=coarser.measurement,
                tags={},
                start_us=start_us,
                end_us=end_us,
            )
            if self._dialect.first_us(old, READINGS) is not None:
                self._dialect.delete(old)  # a step of which nothing is left would stay
            self._writer.write(coarser.place, written)

    def _lines(self, finer: Tier, coarser: Tier, start_us: int, end_us: int) -> Iterator[str]:
        assert coarser.step_s is not None
        step_us = coarser.step_s * 1_000_000
        span = Span(
            place=finer.place, measurement=finer.measurement, tags={}, start_us=start_us, end_us=end_us
        )
        held = {
            (_key(one.tags), at_us): round(total)
            for one in self._dialect.sums(span, READINGS, step_us)
            for at_us, total, _ in one.rows
        }
        for means in self._dialect.means(span, step_us):
            values = {
                name: value
                for name, value in means.fields.items()
                if name != READINGS and not name.endswith(FLAW)
            }
            readings = held.get((_key(means.tags), means.at_us), 0)
            point = Point(
                measurement=coarser.measurement, tags=means.tags, fields={**values, READINGS: readings}
            )
            yield point.at(means.at_us)


def _key(tags: Tags) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((tag, value) for tag, value in tags.items() if value))
