"""Which records of one stream go out next, and which are on their way.

Three kinds wait: what was on its way for too long (it goes first, as the range it was), what is live, and the backlog,
oldest first. One slot of a window is always kept for live records, and one for the backlog while there is any.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from plumbline import ranges
from plumbline.messages import Lane
from plumbline.ranges import Range, Ranges

SLOTS: Final[dict[Lane, int]] = {"status": 4, "data": 4, "photo": 1}
"""Batches of one stream on their way at a time."""
MAX_RECORDS: Final[dict[Lane, int]] = {"status": 200, "data": 500, "photo": 4}
LIVE_S: Final = 60.0
"""A record that could not be sent for so long is backlog: where the link is slower than the meters, the newest minute
still goes out as live."""
_SAMPLE_EVERY_S: Final = 5.0
HURRIES: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A range to be sent next."""

    first: int
    last: int
    live: bool
    attempt: int = 1
    since: float | None = None
    """When its first attempt was sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flight:
    """A batch on its way; times in seconds of the caller's clock."""

    first: int
    last: int
    live: bool
    attempt: int
    size: int
    """Bytes of its payload."""
    sent_at: float
    first_sent_at: float
    """When its first attempt went."""
    deadline: float
    crowded: bool = False
    """Something larger than this link's batches was on its way too: how long this one takes says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offers:
    """What a stream would send next, as far as its window has a slot for it."""

    live: Choice | None
    backlog: Choice | None
    waiting: bool
    """Something is neither settled nor on its way, slot or not."""


_NOTHING: Final = Offers(live=None, backlog=None, waiting=False)


@dataclass(slots=True)
class Horizon:
    """Up to which seq a stream is backlog: all of it when the link came up, later what became older than LIVE_S."""

    through: int
    _samples: deque[tuple[float, int]] = field(default_factory=deque)

    def saw(self, now: float, last: int) -> None:
        samples = self._samples
        if not samples or (last > samples[-1][1] and now - samples[-1][0] >= _SAMPLE_EVERY_S):
            samples.append((now, last))
        while samples and now - samples[0][0] >= LIVE_S:
            self.through = max(self.through, samples.popleft()[1])


class Window:
    """One stream's batches on their way, what was lost of them, and where its backlog ends.

    A new link gets a new window: what was on its way may be gone, and all there is up to `last` is backlog.
    """

    def __init__(self, lane: Lane, *, last: int) -> None:
        self.lane = lane
        self.flights: tuple[Flight, ...] = ()
        self.lost: tuple[Choice, ...] = ()
        """What was on its way for too long, to be sent again as it is; `attempt` is the next one's number."""
        self.horizon = Horizon(last)
        self._passed: Ranges = ()
        self._live_before = False

    def pass_over(self, first: int, last: int) -> None:
        """The log has nothing to send there, whatever it says of it: do not ask again before the link is new."""
        self._passed = ranges.add(self._passed, (first, last))

    def offers(self, now: float, last: int, settled: Ranges) -> Offers:
        self.horizon.saw(now, last)
        if not self._passed and ranges.through(settled) == last:
            return _NOTHING  # the usual case: three lanes are asked, one has news
        return offers(
            last=last,
            settled=united(settled, self._passed),
            flights=self.flights,
            lost=self.lost,
            backlog_through=self.horizon.through,
            slots=SLOTS[self.lane],
            max_records=MAX_RECORDS[self.lane],
            live_before=self._live_before,
        )

    def sent(self, flight: Flight) -> None:
        self.flights = (*self.flights, flight)
        self.lost = tuple(_without(self.lost, ((flight.first, flight.last),)))
        self._live_before = flight.live

    def settle(self, settled: Ranges) -> list[Flight]:
        """Take off their way what is settled; of a batch that is settled in part the rest stays on its way."""
        settled = united(settled, self._passed)
        arrived = []
        flights: list[Flight] = []
        for flight in self.flights:
            rest = ranges.missing(settled, (flight.first, flight.last))
            if not rest:
                arrived.append(flight)
            for first, last in rest:
                share = (last - first + 1) / (flight.last - flight.first + 1)
                flights.append(replace(flight, first=first, last=last, size=round(flight.size * share)))
        self.flights = tuple(flights)
        self.lost = tuple(_without(self.lost, settled))
        return arrived

    def hurry(self, arrived: Flight, by: float) -> None:
        """What was sent before `arrived` and did not arrive with it is lost, for the link keeps the order.

        It then goes again at `by`; after HURRIES times its patience runs to the end, or a batch that central keeps
        silent about would travel for ever.
        """
        self.flights = tuple(
            replace(f, deadline=min(f.deadline, by))
            if f.sent_at < arrived.sent_at and f.attempt <= HURRIES
            else f
            for f in self.flights
        )

    def expire(self, now: float) -> list[Flight]:
        """Give up on the batches whose own deadline has passed; they are offered again."""
        late = [flight for flight in self.flights if flight.deadline <= now]
        if late:
            self.flights = tuple(flight for flight in self.flights if flight.deadline > now)
            again = (
                Choice(first=f.first, last=f.last, live=f.live, attempt=f.attempt + 1, since=f.first_sent_at)
                for f in late
            )
            self.lost = tuple(sorted((*self.lost, *again), key=lambda choice: choice.first))
        return late


def offers(
    *,
    last: int,
    settled: Ranges,
    flights: Sequence[Flight],
    lost: Sequence[Choice],
    backlog_through: int,
    slots: int,
    max_records: int,
    live_before: bool = False,
) -> Offers:
    """The next live range and the next backlog range of a stream; `live_before`: what went last was live.

    With a single slot live and backlog take turns where both wait.
    """
    taken = united(settled, ((f.first, f.last) for f in flights))
    fresh = united(taken, ((c.first, c.last) for c in lost))
    live = _first_again(taken, lost, live=True) or _first_new(
        fresh, (max(backlog_through, 0) + 1, last), live=True
    )
    backlog = _first_again(taken, lost, live=False) or _first_new(
        fresh, (1, min(backlog_through, last)), live=False
    )
    waiting = live is not None or backlog is not None
    free = slots - len(flights)
    live_flights = sum(flight.live for flight in flights)
    if slots == 1:
        if live is not None and backlog is not None:
            live, backlog = (None, backlog) if live_before else (live, None)
        for_live = for_backlog = 0
    else:
        for_backlog = int(backlog is not None and live_flights == len(flights))
        for_live = int(live_flights == 0)
    return Offers(
        live=_cut(live, max_records) if free > for_backlog else None,
        backlog=_cut(backlog, max_records) if free > for_live else None,
        waiting=waiting,
    )


def united(some: Ranges, more: Iterable[Range]) -> Ranges:
    for one in more:
        some = ranges.add(some, one)
    return some


def _first_missing(some: Ranges, within: Range) -> Range | None:
    """The first part of `within` that `some` lacks."""
    if within[0] > within[1]:
        return None
    done = ranges.through(some)
    if within[0] <= done:  # the usual case: everything from 1 on is settled
        within = (done + 1, within[1])
        if within[0] > within[1]:
            return None
    if not some or some[-1][1] < within[0]:
        return within
    missing = ranges.missing(some, within)
    return missing[0] if missing else None


def _first_again(taken: Ranges, lost: Sequence[Choice], *, live: bool) -> Choice | None:
    for choice in lost:
        if choice.live == live and (gap := _first_missing(taken, (choice.first, choice.last))):
            return replace(choice, first=gap[0], last=gap[1])
    return None


def _first_new(taken: Ranges, within: Range, *, live: bool) -> Choice | None:
    gap = _first_missing(taken, within)
    return None if gap is None else Choice(first=gap[0], last=gap[1], live=live)


def _cut(choice: Choice | None, max_records: int) -> Choice | None:
    if choice is None:
        return None
    return replace(choice, last=min(choice.last, choice.first + max_records - 1))


def _without(lost: Iterable[Choice], some: Ranges) -> Iterable[Choice]:
    for choice in lost:
        for first, last in ranges.missing(some, (choice.first, choice.last)):
            yield replace(choice, first=first, last=last)
