"""One poll of one meter as rows a person reads."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from plumbline.errors import PlumblineError, Refused, Unreachable
from plumbline.messages import Frame
from plumbline.metrics import BY_CODE, Flaw
from plumbline_edge.commission import ports
from plumbline_edge.commission.check import Doubt
from plumbline_edge.meters.poll import Meter
from plumbline_edge.meters.wire.bus import Bus

IN_USE: Final = "in use by another program"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One value: `quality` is good, uncertain or bad; `reason` says why it is not good."""

    metric: str
    value: float | None
    unit: str
    quality: str
    reason: str = ""

    @property
    def refused(self) -> bool:
        return self.reason == "exception"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One poll: `why` is what went wrong where there are no rows, `hint` what to do.

    `doubts` are the commissioning check's, drawn from some more polls.
    """

    meter: str
    rows: tuple[Row, ...]
    requests: int
    took_ms: float
    why: str = ""
    hint: str = ""
    kind: str = ""
    doubts: tuple[Doubt, ...] = ()
    refused: bool = False
    """Whether the meter answered, but everything with an exception."""

    def as_json(self) -> dict[str, Any]:
        said: dict[str, Any] = {
            "meter": self.meter,
            "requests": self.requests,
            "ms": round(self.took_ms, 1),
            "values": [
                {
                    "metric": r.metric,
                    "value": r.value,
                    "unit": r.unit,
                    "quality": r.quality,
                    "reason": r.reason,
                }
                for r in self.rows
            ],
            "suspected": [one.as_json() for one in self.doubts],
        }
        return said | ({"error": self.why, "hint": self.hint} if self.why else {})


def rows_of(frame: Frame) -> tuple[Row, ...]:
    """Every value of a frame, in its order."""
    flaws = {position: Flaw(code) for position, code in frame.flaws}
    rows = []
    for i, (code, value) in enumerate(zip(frame.metrics, frame.values, strict=True)):
        metric, flaw = BY_CODE[code], flaws.get(i)
        rows.append(
            Row(
                metric=metric.name,
                value=None if value is None else metric.from_wire(value),
                unit=metric.unit,
                quality="good" if flaw is None else flaw.quality,
                reason="" if flaw is None else flaw.name.lower().replace("_", " "),
            )
        )
    return tuple(rows)


async def read_once(meter: Meter, bus: Bus) -> tuple[Reading, Frame | None]:
    """One poll. What the meter or the wire does wrong becomes the reading's `why`."""
    loop = asyncio.get_running_loop()
    before, began_s = bus.counters["requests"], loop.time()
    frame, error = None, None
    try:
        frame = await meter.queue(meter.poll)
    except (Refused, Unreachable) as no:
        error = no
    reading = Reading(
        meter=meter.name,
        rows=() if frame is None else rows_of(frame),
        requests=bus.counters["requests"] - before,
        took_ms=1e3 * (loop.time() - began_s),
        why=str(error or ""),
        hint=_hint(error, bus),
        kind=str(getattr(error, "kind", "")),
        refused=isinstance(error, Refused),
    )
    return reading, frame


def first_values(rows: Sequence[Row], wanted: Sequence[str]) -> dict[str, float]:
    """Those of the wanted metrics that have a value."""
    return {row.metric: row.value for row in rows if row.metric in wanted and row.value is not None}


def _hint(error: PlumblineError | None, bus: Bus) -> str:
    if error is None:
        return ""
    return ports.how_to_free(bus.name) if IN_USE in str(error) else error.hint
