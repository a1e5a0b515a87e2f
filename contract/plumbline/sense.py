"""Whether a record can mean something: the bounds that whoever stores, computes and shows it relies on."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Final

from plumbline import chain
from plumbline.errors import Refused
from plumbline.messages import Anchor, Event, Frame, Gap, Health, Photo, Progress, Record, Summary
from plumbline.topics import is_name

LATEST_US: Final = 4_102_444_800_000_000  # the year 2100
_INT64: Final = range(-(1 << 63) + 1, 1 << 63)
_SEQS: Final = range(1 << 53)
_MAX_ZONES: Final = 4096
_MAX_ENTRIES: Final = 512
_MAX_TEXT: Final = 4096
_MAX_SIDE_PX: Final = 1 << 16


def check(record: Record) -> None:
    """Return if `record` makes sense. Raises Refused, naming the first thing that does not."""
    why = next(_doubts(record), None)
    if why is not None:
        raise Refused(f"record {record.seq}: {why}")


def _doubts(record: Record) -> Iterator[str]:
    if not 0 <= record.at_us < LATEST_US:
        yield "its time lies before 1970 or after 2100"
    if record.mono_us not in _INT64:
        yield "its time since boot is no number of ours"
    body = record.body
    match body:
        case Frame():
            yield from _frame_doubts(body)
        case Progress():
            yield from _progress_doubts(body)
        case Photo():
            yield from _names([body.camera])
            yield from _texts([body.photo, body.mask, body.source])
            if not (0 <= body.width_px < _MAX_SIDE_PX and 0 <= body.height_px < _MAX_SIDE_PX):
                yield "a picture of an impossible size"
        case Health():
            yield from _health_doubts(body)
        case Event():
            yield from _texts([body.code, body.subject, body.text])
        case Summary():
            yield from _summary_doubts(body)
        case Gap():
            yield from _gap_doubts(body)
        case Anchor():
            yield from _texts([body.before])
            if body.offset_us not in _INT64 or (body.before_us or 0) not in _INT64:
                yield "a clock offset beyond 64 bits"


def _frame_doubts(frame: Frame) -> Iterator[str]:
    yield from _names([frame.device])
    if len(frame.values) != len(frame.metrics) or len(set(frame.metrics)) != len(frame.metrics):
        yield "values and metrics do not match"
    if any(value is not None and value not in _INT64 for value in frame.values):
        yield "a value beyond 64 bits"
    if any(code not in range(1 << 16) for code in frame.metrics):
        yield "a metric code beyond 16 bits"
    if any(not (0 <= at < len(frame.values) and 0 <= flaw < 1 << 16) for at, flaw in frame.flaws):
        yield "a flaw of no value"


def _progress_doubts(progress: Progress) -> Iterator[str]:
    yield from _names([progress.camera, *(zone.id for zone in progress.zones)])
    yield from _texts([progress.photo, progress.model, *progress.gate])
    if (
        len(progress.zones) > _MAX_ZONES
        or len(progress.gate) > _MAX_ENTRIES
        or len(progress.quad) > _MAX_ENTRIES
    ):
        yield "too many zones, reasons or corners"
    numbers = [
        progress.percent,
        progress.low,
        progress.high,
        *(x for corner in progress.quad for x in corner),
    ]
    for zone in progress.zones:
        numbers += [zone.percent, zone.low, zone.high, zone.visible]
        if zone.stage is not None and zone.stage not in range(8):
            yield "a stage that there is none of"
    if not _finite(numbers):
        yield "a number that is none"
    if any(side not in range(_MAX_ZONES) for side in progress.grid):
        yield "an impossible grid"


def _health_doubts(health: Health) -> Iterator[str]:
    if max(len(health.counters), len(health.gauges), len(health.devices)) > _MAX_ENTRIES:
        yield "too many entries"
    yield from _names(device.name for device in health.devices)
    yield from _texts([health.version, *health.counters, *health.gauges])
    counts = [*health.counters.values(), *(device.answers for device in health.devices)]
    counts += [count for device in health.devices for count in device.errors.values()]
    if any(count not in _INT64 for count in counts):
        yield "a count beyond 64 bits"
    if not _finite([*health.gauges.values(), *(device.latency_ms for device in health.devices)]):
        yield "a number that is none"


def _summary_doubts(summary: Summary) -> Iterator[str]:
    yield from _names([summary.device])
    columns = (summary.good, summary.low, summary.mean, summary.high, summary.newest)
    if any(len(column) != len(summary.metrics) for column in columns):
        yield "columns of different lengths"
    if any(value is not None and value not in _INT64 for column in columns for value in column):
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


def _names(names: Iterable[str]) -> Iterator[str]:
    if not all(is_name(name) for name in names):
        yield "a device, camera or zone whose name is none"


def _texts(texts: Iterable[str]) -> Iterator[str]:
    if any(len(text) > _MAX_TEXT for text in texts):
        yield "a text without end"


def _finite(numbers: Iterable[float | None]) -> bool:
    return all(number is None or math.isfinite(number) for number in numbers)
