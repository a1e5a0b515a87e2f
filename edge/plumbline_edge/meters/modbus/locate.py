"""Asks a device where its SunSpec meter is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from plumbline_edge.meters.modbus.frames import TcpOrRtu
from plumbline_edge.meters.modbus.plan import Span
from plumbline_edge.meters.modbus.questions import ReadRegisters
from plumbline_edge.meters.modbus.sunspec import Found, discover
from plumbline_edge.meters.profiles.profile import Profile
from plumbline_edge.meters.wire.failure import ExceptionAnswer
from plumbline_edge.meters.wire.question import Question


async def locate(
    ask: Callable[[Question], Awaitable[bytes]],
    unit: int,
    profile: Profile,
    framing: TcpOrRtu,
    *,
    known: int | None = None,
) -> Found:
    """Where the profile's model begins, probably at `known`; `profile.at(found.base)` is then to be read.

    Raises Refused where the device has none, Unreachable where it does not answer.
    """
    steps = discover(profile, known=known)
    try:
        function, start, count = next(steps)
        while True:
            try:
                answer = await ask(ReadRegisters(unit, function, Span(start, start + count), framing))
            except ExceptionAnswer:
                answer = None
            function, start, count = steps.send(answer)
    except StopIteration as end:
        found: Found = end.value
        return found
