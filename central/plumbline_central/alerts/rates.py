"""How many alerts people have to bear: the figures of ANSI/ISA-18.2 (IEC 62682) and EEMUA 191.

Both standards count per operator and for plants; the names are theirs, and so are the limits they call bearable on
the long run: about 1 alarm per 10 minutes and 6 per hour, a peak of 10 per 10 minutes, fewer than 10 standing, none
chattering, stale after 24 hours, the ten most frequent with no more than 5 % of all. An ISA-18.2 alarm chatters at
three in one minute; photos and meters change their mind more slowly, so the span is the caller's.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from plumbline_central.alerts.alert import Alert, Slot

_HOUR: Final = timedelta(hours=1)
_TEN_MINUTES: Final = timedelta(minutes=10)
STALE_AFTER: Final = timedelta(hours=24)
CHATTERS_AT: Final = 3
_BAD_ACTORS: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Raise:
    """A moment at which an alert's condition was found, or at which people were told of it, or both."""

    at: datetime
    slot: Slot
    found: bool = True
    told: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """Alerts told in one span of time: the span up to now, the worst one, and the mean over the range."""

    now: int
    peak: int
    mean: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Often:
    """How often a slot was raised in the range, and at worst within the chattering span."""

    slot: Slot
    raised: int
    most_within: int
    share: float
    """Of all that was raised in the range, 0..1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    start: datetime
    end: datetime
    per_hour: Rate
    per_10_minutes: Rate
    standing: int
    """Conditions that are there now and that nobody withholds."""
    stale: tuple[Alert, ...]
    """Of the standing ones those raised more than 24 h ago, the oldest first."""
    chattering: tuple[Often, ...]
    """Raised three times or more within the span, the worst first."""
    bad_actors: tuple[Often, ...]
    """The ten raised most often."""


def rates(
    raises: Sequence[Raise],
    open_now: Iterable[Alert],
    start: datetime,
    end: datetime,
    *,
    chatter_within: timedelta,
) -> Rates:
    """`raises` ascending, after `start` and up to `end`, which is now and later than `start`."""
    told = [one.at for one in raises if one.told]
    times: dict[Slot, list[datetime]] = defaultdict(list)
    for one in raises:
        if one.found:
            times[one.slot].append(one.at)
    counted = Counter({slot: len(own) for slot, own in times.items()})
    often = [
        Often(
            slot=slot,
            raised=count,
            most_within=most_within(times[slot], chatter_within),
            share=count / counted.total(),
        )
        for slot, count in counted.most_common()
    ]
    standing = sorted(
        (alert for alert in open_now if alert.present and not alert.quiet), key=lambda alert: alert.raised_at
    )
    return Rates(
        start=start,
        end=end,
        per_hour=_rate(told, start, end, _HOUR),
        per_10_minutes=_rate(told, start, end, _TEN_MINUTES),
        standing=len(standing),
        stale=tuple(alert for alert in standing if end - alert.raised_at > STALE_AFTER),
        chattering=tuple(
            sorted((one for one in often if one.most_within >= CHATTERS_AT), key=lambda one: -one.most_within)
        ),
        bad_actors=tuple(often[:_BAD_ACTORS]),
    )


def most_within(times: Iterable[datetime], span: timedelta) -> int:
    """The most of the ascending `times` that lie less than `span` apart."""
    window: deque[datetime] = deque()
    most = 0
    for at in times:
        window.append(at)
        while at - window[0] >= span:
            window.popleft()
        most = max(most, len(window))
    return most


def _rate(times: Sequence[datetime], start: datetime, end: datetime, span: timedelta) -> Rate:
    return Rate(
        now=sum(at > end - span for at in times),
        peak=most_within(times, span),
        mean=len(times) / ((end - start) / span),
    )
