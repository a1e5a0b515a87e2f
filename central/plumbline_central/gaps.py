"""What central lacks: holes that a gateway declared, and holes that nobody has explained yet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter

from plumbline import ranges
from plumbline.messages import Gap as GapRecord
from plumbline.messages import Lane, Record
from plumbline.ranges import Range, Ranges

LaneKey = tuple[str, str, Lane]
"""(gateway, epoch, lane)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """A gateway's word, from a gap record in its signed chain, that records of one of its lanes are gone."""

    site: str
    gateway: str
    epoch: str
    lane: Lane
    """Whose records are gone; not where the gap record itself lies."""
    first: int
    last: int | None
    """None: a damaged file; from `first` on, nobody knows how many."""
    why: str
    prev: bytes = b""
    head: bytes = b""
    from_us: int = 0
    until_us: int = 0
    instead: Range | None = None

    @property
    def key(self) -> LaneKey:
        return (self.gateway, self.epoch, self.lane)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Records `first`..`last` of a lane that central lacks.

    `declared`: their gateway says that they are gone, and why; else they are on their way, or lost without a word.
    `last` None: all from `first` on that there may have been. `summarised`: summaries stand for them.
    """

    site: str
    gateway: str
    epoch: str
    lane: Lane
    first: int
    last: int | None
    declared: bool = False
    why: str = ""
    from_us: int = 0
    """Wall time of the oldest and newest record that the declaration speaks of; 0: unknown."""
    until_us: int = 0
    summarised: bool = False

    @property
    def count(self) -> int:
        """How many records are known to lack."""
        return 0 if self.last is None else self.last - self.first + 1


def declared_in(site: str, gateway: str, epoch: str, record: Record) -> Declared | None:
    """What `record`, from `gateway`'s epoch `epoch`, declares as gone; None for any other kind of record."""
    body = record.body
    if not isinstance(body, GapRecord):
        return None
    return Declared(
        site=site,
        gateway=gateway,
        epoch=body.epoch or epoch,
        lane=body.lane,
        first=body.first,
        last=body.last or None,
        why=body.why,
        prev=body.prev,
        head=body.head,
        from_us=body.from_us,
        until_us=body.until_us,
        instead=body.instead,
    )


def lacking(
    covered: Ranges, declared: Sequence[Declared]
) -> Iterator[tuple[int, int | None, Declared | None]]:
    """Every hole (first, last, who declared it) of a lane that has `covered`, ascending; each record once.

    Records that are stored are never lacking, whatever was declared: they came all the same.
    """
    closed = sorted((one for one in declared if one.last is not None), key=attrgetter("first"))
    opened = min((one for one in declared if one.last is None), key=attrgetter("first"), default=None)
    newest = max([last for _, last in covered[-1:]] + [one.last or 0 for one in closed], default=0)
    holes = ranges.missing(covered, (1, newest))
    pieces = list(_disjoint(closed))
    at = 0
    for first, last in holes:
        start = first
        while at < len(pieces) and pieces[at][1] < start:
            at += 1
        n = at
        while n < len(pieces) and pieces[n][0] <= last:
            a, b, one = pieces[n]
            if start < a:
                yield from _unexplained(start, a - 1, opened)
            yield max(a, start), min(b, last), one
            start = min(b, last) + 1
            n += 1
        if start <= last:
            yield from _unexplained(start, last, opened)
    if opened is not None:
        yield max(opened.first, newest + 1), None, opened


def gaps(covered: Mapping[LaneKey, tuple[str, Ranges]], declared: Iterable[Declared]) -> Iterator[Gap]:
    """Every gap there is, by gateway, epoch and lane; `covered` has each lane's site and what is stored of it."""
    by_lane: dict[LaneKey, list[Declared]] = {}
    for one in declared:
        by_lane.setdefault(one.key, []).append(one)
    for lane in sorted(covered.keys() | by_lane.keys()):
        words = by_lane.get(lane, [])
        site, have = covered.get(lane) or (words[0].site, ())
        for first, last, word in lacking(have, words):
            yield Gap(
                site=site,
                gateway=lane[0],
                epoch=lane[1],
                lane=lane[2],
                first=first,
                last=last,
                declared=word is not None,
                why=word.why if word else "",
                from_us=word.from_us if word else 0,
                until_us=word.until_us if word else 0,
                summarised=word is not None and word.instead is not None,
            )


def _disjoint(closed: Sequence[Declared]) -> Iterator[tuple[int, int, Declared]]:
    """What each declares that none before it did, ascending."""
    end = 0
    for one in closed:
        last = one.last or 0
        if last > end:
            yield max(one.first, end + 1), last, one
            end = last


def _unexplained(
    first: int, last: int, opened: Declared | None
) -> Iterator[tuple[int, int, Declared | None]]:
    if opened is None or last < opened.first:
        yield first, last, None
    elif first >= opened.first:
        yield first, last, opened
    else:
        yield first, opened.first - 1, None
        yield opened.first, last, opened
