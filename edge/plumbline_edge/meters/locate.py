"""Asks a device on a bus where its SunSpec meter is."""

from __future__ import annotations

from plumbline_edge.meters.bus import Bus, ExceptionAnswer
from plumbline_edge.meters.plan import Span
from plumbline_edge.meters.profile import Profile
from plumbline_edge.meters.sunspec import Found, discover


async def locate(bus: Bus, unit: int, profile: Profile) -> Found:
    """Where the profile's model begins; `profile.at(found.base)` is then to be read.

    Raises Refused where the device has none, Unreachable where it does not answer.
    """
    steps = discover(profile)
    try:
        function, start, count = next(steps)
        while True:
            try:
                answer = await bus.read(unit, function, Span(start, start + count))
            except ExceptionAnswer:
                answer = None
            function, start, count = steps.send(answer)
    except StopIteration as end:
        found: Found = end.value
        return found
