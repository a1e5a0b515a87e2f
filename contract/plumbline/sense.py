"""Whether a record can mean something: the bounds that whoever stores, computes and shows it relies on."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

from plumbline import chain
from plumbline.errors import Refused
from plumbline.messages import (
    Anchor,
    Basis,
    Body,
    Event,
    Frame,
    Gap,
    Health,
    Photo,
    Progress,
    Record,
    Summary,
)
from plumbline.topics import is_name

LATEST_US: Final = 4_102_444_800_000_000  # the year 2100
_LOWEST: Final = -(1 << 63)
_HIGHEST: Final = (1 << 63) - 1
_INT64: Final = range(_LOWEST + 1, _HIGHEST + 1)
_SEQS: Final = range(1 << 53)
_NO_BASIS: Final = Basis(config="")
_MAX_ZONES: Final = 4096
_MAX_ENTRIES: Final = 512
_MAX_TEXT: Final = 4096
_MAX_SIDE_PX: Final = 1 << 16


def check(record: Record) -> None:
    """Return if `record` makes sense. Raises Refused, naming the first thing that does not."""
    why = next(_doubts(record), None)
    if why is not None:
        raise Refused(f"record {record.seq}: {why}")


def check_all(records: Iterable[Record]) -> None:
    """`check` for each of `records`, several times faster for frames: the metrics they share are looked at once."""
    sound_metrics: set[tuple[int, ...]] = set()
    for record in records:
        body = record.body
        if not (isinstance(body, Frame) and body.metrics in sound_metrics and _sound(record, body)):
            check(record)
            if isinstance(body, Frame):
                sound_metrics.add(body.metrics)


def _doubts(record: Record) -> Iterator[str]:
    if not _dateable(record):
        yield "its time lies before 1970 or after 2100"
    if record.mono_us not in _INT64:
        yield "its time since boot is no number of ours"
    yield from _BODY_DOUBTS[type(record.body)](record.body)


def _dateable(record: Record) -> bool:
    """Whether its time is one, or its clock was never set and nobody believes it."""
    return record.at_us in _INT64 if record.clock == "unset" else 0 <= record.at_us < LATEST_US


def _sound(record: Record, frame: Frame) -> bool:
    """Whether a record with `frame`, whose metrics are sound, leaves no doubt."""
    width = len(frame.metrics)
    return (
        _dateable(record)
        and record.mono_us in _INT64
        and is_name(frame.device)
        and len(frame.values) == width
        and _storable(frame.values)
        and (not frame.flaws or all(0 <= at < width and 0 <= flaw < 1 << 16 for at, flaw in frame.flaws))
    )


def _frame_doubts(frame: Frame) -> Iterator[str]:
    yield from _names([frame.device])
    if len(frame.values) != len(frame.metrics) or len(set(frame.metrics)) != len(frame.metrics):
        yield "values and metrics do not match"
    if not _storable(frame.values):
        yield "a value beyond 64 bits"
    if frame.metrics and (min(frame.metrics) < 0 or max(frame.metrics) >= 1 << 16):
        yield "a metric code beyond 16 bits"
    if any(not (0 <= at < len(frame.values) and 0 <= flaw < 1 << 16) for at, flaw in frame.flaws):
        yield "a flaw of no value"


def _progress_doubts(progress: Progress) -> Iterator[str]:
    basis = progress.basis or _NO_BASIS
    yield from _names([progress.camera, *(facade.name for facade in progress.facades)])
    if not all(_is_zone(zone.id) for zone in progress.zones):
        yield "a device, camera or zone whose name is none"
    yield from _texts([progress.photo, progress.model, basis.config, *progress.gate])
    quads = [progress.quad, *(facade.quad for facade in progress.facades)]
    if (
        len(progress.zones) > _MAX_ZONES
        or max(len(progress.gate), len(quads), *(len(quad) for quad in quads)) > _MAX_ENTRIES
    ):
        yield "too many zones, reasons or corners"
    numbers = [
        progress.percent,
        progress.low,
        progress.high,
        progress.shift_px,
        *(x for quad in quads for corner in quad for x in corner),
    ]
    for zone in progress.zones:
        numbers += [zone.percent, zone.low, zone.high, zone.visible, zone.raw]
        if zone.stage is not None and zone.stage not in range(8):
            yield "a stage that there is none of"
    if not _finite(numbers):
        yield "a number that is none"
    grids = [progress.grid, *(facade.grid for facade in progress.facades)]
    if any(side not in range(_MAX_ZONES) for grid in grids for side in grid):
        yield "an impossible grid"
    if any(count not in _INT64 for count in (basis.calibration, basis.frames)):
        yield "a count beyond 64 bits"


def _is_zone(name: str) -> bool:
    """`f1b1`, or `east.f1b1` for a zone of the facade `east`."""
    return name.count(".") <= 1 and all(is_name(part) for part in name.split("."))


def _photo_doubts(photo: Photo) -> Iterator[str]:
    yield from _names([photo.camera])
    yield from _texts([photo.photo, photo.mask, photo.source])
    if not (0 <= photo.width_px < _MAX_SIDE_PX and 0 <= photo.height_px < _MAX_SIDE_PX):
        yield "a picture of an impossible size"


def _health_doubts(health: Health) -> Iterator[str]:
    if max(len(health.counters), len(health.gauges), len(health.devices)) > _MAX_ENTRIES:
        yield "too many entries"
    yield from _names(device.name for device in health.devices)
    yield from _texts([health.version, *health.counters, *health.gauges])
    yield from _texts(device.source for device in health.devices)
    counts = [*health.counters.values(), *(device.answers for device in health.devices)]
    counts += [count for device in health.devices for count in device.errors.values()]
    counts += [device.last_good_us or 0 for device in health.devices]
    if any(count not in _INT64 for count in counts):
        yield "a count beyond 64 bits"
    if not _finite([*health.gauges.values(), *(device.latency_ms for device in health.devices)]):
        yield "a number that is none"


def _event_doubts(event: Event) -> Iterator[str]:
    yield from _texts([event.code, event.subject, event.text])


def _summary_doubts(summary: Summary) -> Iterator[str]:
    yield from _names([summary.device])
    columns = (summary.good, summary.low, summary.mean, summary.high, summary.newest)
    if any(len(column) != len(summary.metrics) for column in columns):
        yield "columns of different lengths"
    if not all(_storable(column) for column in columns):
        yield "a value beyond 64 bits"
    if any(code not in range(1 << 16) for code in summary.metrics):
        yield "a metric code beyond 16 bits"
    if summary.frames not in range(1, 1 << 32) or not 0 <= summary.span_us < LATEST_US:
        yield "an impossible stretch of time"


def _gap_doubts(gap: Gap) -> Iterator[str]:
    yield from _texts([gap.why])
    if gap.epoch and not is_name(gap.epoch):
        yield "an epoch that is no name"
    ends = (gap.first, gap.last, *(gap.instead or (1, 1)))
    if any(end not in _SEQS for end in ends) or gap.first < 1 or (gap.last and gap.last < gap.first):
        yield "an impossible range"
    if any(len(head) not in (0, chain.SIZE) for head in (gap.prev, gap.head)):
        yield "chain heads of the wrong size"
    if any(not 0 <= at < LATEST_US for at in (gap.from_us, gap.until_us)):
        yield "a time before 1970 or after 2100"


def _anchor_doubts(anchor: Anchor) -> Iterator[str]:
    yield from _texts([anchor.before])
    if anchor.offset_us not in _INT64 or (anchor.before_us or 0) not in _INT64:
        yield "a clock offset beyond 64 bits"


_BODY_DOUBTS: Final[dict[type[Body], Callable[[Any], Iterator[str]]]] = {
    Frame: _frame_doubts,
    Progress: _progress_doubts,
    Photo: _photo_doubts,
    Health: _health_doubts,
    Event: _event_doubts,
    Summary: _summary_doubts,
    Gap: _gap_doubts,
    Anchor: _anchor_doubts,
}


def _names(names: Iterable[str]) -> Iterator[str]:
    if not all(is_name(name) for name in names):
        yield "a device, camera or zone whose name is none"


def _texts(texts: Iterable[str]) -> Iterator[str]:
    if any(len(text) > _MAX_TEXT for text in texts):
        yield "a text without end"


def _storable(values: Sequence[int | None]) -> bool:
    """Whether all of them fit into 64 bits, and their opposites too."""
    try:
        return not values or (min(values) > _LOWEST and max(values) <= _HIGHEST)  # type: ignore[type-var, operator]
    except TypeError:  # there are holes
        return _storable([value for value in values if value is not None])


def _finite(numbers: Iterable[float | None]) -> bool:
    return all(number is None or math.isfinite(number) for number in numbers)
