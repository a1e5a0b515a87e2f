"""Many gap records to few that say the same."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from msgspec import structs

from plumbline.messages import Gap, GapReason


def merged(gaps: Iterable[Gap]) -> list[Gap]:
    """One gap for each unbroken range of a lane; its heads are those at the range's own ends.

    A range that was given up for more than one reason counts as given up for room. Which summaries stand for it is
    no longer said: they tell their device and time themselves.
    """
    found: list[Gap] = []
    ordered = sorted(gaps, key=lambda gap: (gap.epoch, gap.lane, gap.first, gap.last))
    for _, group in groupby(ordered, key=lambda gap: (gap.epoch, gap.lane)):
        lane: list[Gap] = []
        for gap in group:
            if lane and (lane[-1].last == 0 or gap.first <= lane[-1].last + 1):
                lane[-1] = _joined(lane[-1], gap)
            else:
                lane.append(gap)
        found += lane
    return found


def _joined(one: Gap, other: Gap) -> Gap:
    """`one`, which begins first, and `other`, which touches or overlaps it."""
    ends_later = one.last != 0 and (other.last == 0 or other.last > one.last)
    return structs.replace(
        one,
        last=other.last if ends_later else one.last,
        head=other.head if ends_later else one.head,
        why=one.why if one.why == other.why else GapReason.SIZE.value,
        from_us=min(one.from_us or other.from_us, other.from_us or one.from_us),
        until_us=max(one.until_us, other.until_us),
        instead=None,
    )
