"""What is known as lines of InfluxDB's line protocol, their times in microseconds.

A number of steps is written as it came, with the metric's resolution as its exponent (`voltage_l1=23012e-2`): it reads
as the same double as `Metric.from_wire`, and a whole poll is one formatting in C.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from plumbline.messages import Health, Progress
from plumbline.metrics import BY_CODE
from plumbline_central.stores.port import FramePoint

METER: Final = "meter"
FLAW: Final = "_flaw"
"""Ends the name of the whole-number field that holds a metric's flaw."""
READINGS: Final = "readings"
"""The field that says how many values a poll held, missing ones included: their sum is their count."""
THINNED: Final = "thinned"
"""The tag of points that stand for many polls: a series of their own, so that they never replace a single poll."""
_LAYOUTS: Final = 4_096
_SPECIAL: Final = re.compile(r"([,= ])")
_SPECIAL_IN_NAME: Final = re.compile(r"([, ])")
_LINE_ENDS: Final = re.compile(r"[\r\n\t\0]")
_SERIES: Final = re.compile(r"(?:\\.|[^\\ ]|\\$)+")

FieldValue = float | int | str


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One point before it has its time. Whole numbers stay whole; an empty tag is none."""

    measurement: str
    tags: Mapping[str, str]
    fields: Mapping[str, FieldValue]

    def at(self, at_us: int) -> str:
        """Its line."""
        fields = ",".join(f"{_key(name)}={_field(value)}" for name, value in self.fields.items())
        return f"{series_text(self.measurement, self.tags)} {fields} {at_us}"


def series_text(measurement: str, tags: Mapping[str, str]) -> str:
    """A line's beginning, which names its series; tags in the order in which the server keeps them."""
    parts = [_SPECIAL_IN_NAME.sub(r"\\\1", _one_line(measurement))]
    parts += [f"{_key(name)}={_tag(value)}" for name, value in sorted(tags.items()) if value]
    return ",".join(parts)


def series_and_time(line: str) -> tuple[str, int]:
    """Which point a line of ours writes: what stands before its fields, and its time."""
    series = _SERIES.match(line)
    assert series is not None
    return series.group(), int(line.rsplit(" ", 1)[1])


def meter_tags(point: FramePoint) -> dict[str, str]:
    """What tells its series from all others."""
    return {
        "site": point.site,
        "gateway": point.gateway,
        "device": point.device,
        "boot": point.boot,
        THINNED: "1" if point.thinned else "",
    }


def meter_line(point: FramePoint, measurement: str = METER) -> str:
    """One poll. A missing value is no field; its flaw is. A metric that this version cannot name counts only."""
    if point.flaws or None in point.values:
        return _holed(point, measurement)
    template, picked = _layout(
        measurement, point.site, point.gateway, point.device, point.boot, point.thinned, point.metrics
    )
    values = point.values if picked is None else tuple(point.values[i] for i in picked)
    return template % (*values, point.at_us)


def progress_points(site: str, body: Progress, boot: str = "") -> Iterator[Point]:
    """What a photo says: one point for all that is visible, one for each zone."""
    yield Point(
        measurement="progress",
        tags={"site": site, "camera": body.camera, "boot": boot},
        fields=_present(
            percent=body.percent,
            low=body.low,
            high=body.high,
            shift_px=body.shift_px,
            gate=",".join(body.gate) or None,
            usable=int(body.percent is not None),
            photo=body.photo or None,
        ),
    )
    for zone in body.zones:
        yield Point(
            measurement="progress",
            tags={"site": site, "camera": body.camera, "zone": zone.id, "boot": boot},
            fields=_present(
                percent=zone.percent,
                low=zone.low,
                high=zone.high,
                raw=zone.raw,
                visible=float(zone.visible),
                stage=zone.stage,
                regress=int(zone.regress),
            ),
        )


def health_point(site: str, gateway: str, body: Health, boot: str = "") -> Point:
    """A gateway's own state. All are floats: what one gateway counts another may measure, and a field has one type."""
    numbers = {**body.counters, **body.gauges}
    return Point(
        measurement="health",
        tags={"site": site, "gateway": gateway, "boot": boot},
        fields={
            "version": body.version,
            **{
                name: float(value)
                for name, value in numbers.items()
                if name and name != "version" and math.isfinite(value)
            },
        },
    )


def indicator_point(
    site: str, indicator: str, source: str, value: float | None, planned: float | None
) -> Point:
    """What an indicator was, and what it was planned to be."""
    return Point(
        measurement="indicator",
        tags={"site": site, "indicator": indicator, "source": source},
        fields=_present(value=value, planned=planned),
    )


def _present(**fields: FieldValue | None) -> dict[str, FieldValue]:
    """Those that there are and that a line can say; numbers that a camera or person gives are floats, whatever they look like."""
    whole = {"usable", "stage", "regress"}
    return {
        name: float(value) if isinstance(value, int) and name not in whole else value
        for name, value in fields.items()
        if value is not None and (isinstance(value, str) or math.isfinite(value))
    }


@lru_cache(_LAYOUTS)
def _layout(
    measurement: str, site: str, gateway: str, device: str, boot: str, thinned: bool, metrics: tuple[int, ...]
) -> tuple[str, tuple[int, ...] | None]:
    """What a poll of a device without holes is formatted with, and which of its values; None: all of them."""
    tags = {"site": site, "gateway": gateway, "device": device, "boot": boot, THINNED: "1" if thinned else ""}
    fields = [
        f"{metric.name}=%de-{metric.decimals}"
        for code in metrics
        if (metric := BY_CODE.get(code)) is not None
    ]
    fields.append(f"{READINGS}={len(metrics)}i")
    picked = tuple(i for i, code in enumerate(metrics) if code in BY_CODE)
    series = series_text(measurement, tags).replace("%", "%%")
    return f"{series} {','.join(fields)} %d", None if len(picked) == len(metrics) else picked


def _holed(point: FramePoint, measurement: str) -> str:
    flaws = dict(point.flaws)
    fields = [f"{READINGS}={len(point.metrics)}i"]
    for i, (code, value) in enumerate(zip(point.metrics, point.values, strict=True)):
        metric = BY_CODE.get(code)
        if metric is None:
            continue
        if value is not None:
            fields.append(f"{metric.name}={value}e-{metric.decimals}")
        if i in flaws:
            fields.append(f"{metric.name}{FLAW}={flaws[i]}i")
    return f"{series_text(measurement, meter_tags(point))} {','.join(fields)} {point.at_us}"


def _field(value: FieldValue) -> str:
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{_one_line(escaped)}"'
    return f"{value}i" if isinstance(value, int) else repr(value)


def _key(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", _sound_end(_one_line(text)))


_tag = _key


def _one_line(text: str) -> str:
    return _LINE_ENDS.sub("_", text)


def _sound_end(text: str) -> str:
    """A backslash at the end would escape what comes after it, and nothing can escape a backslash."""
    return text.rstrip("\\") + "_" * (len(text) - len(text.rstrip("\\")))


def body(lines: Iterable[str]) -> bytes:
    """Lines as one request carries them."""
    return "\n".join(lines).encode("utf-8", "replace")
