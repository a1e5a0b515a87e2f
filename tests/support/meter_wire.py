"""What tests of meters share: one read over a real bus, and a bus in memory."""

from __future__ import annotations

import asyncio

from plumbline_edge.meters.modbus.questions import read_registers
from plumbline_edge.meters.wire.pace import Pace


async def read(bus, unit, function, span, *, timeout_s=1.0):
    """One read with a turn of its own, waited for `timeout_s`."""
    return await bus.once(read_registers(unit, function, span, bus.framing), Pace(timeout_s))


class MemoryBus:
    """`answers[start]` is what a read that begins there brings, or raises; zeros where there is none."""

    framing = "tcp"

    def __init__(self, answers=None, *, max_gap=31):
        self.answers = answers or {}
        self.asked = []
        self.max_gap = max_gap

    async def ask(self, question, pace, *, quiet_s=0.0, most_s=None):
        span = question._span
        self.asked.append(span)
        answer = self.answers.get(span.start, bytes(2 * span.count))
        if isinstance(answer, Exception):
            raise answer
        return answer

    def worth_bridging(self, quiet_s):
        return self.max_gap

    def turn(self, work, *, may_wait_s=0.0):
        return asyncio.ensure_future(work())

    async def stop(self):
        pass
