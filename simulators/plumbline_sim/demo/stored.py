"""What central has stored, read from its own files, beside what the simulators say they said."""

from __future__ import annotations

import contextlib
import sqlite3
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from plumbline import ranges
from plumbline.clock import SystemClock
from plumbline.messages import Body, Frame, Lane
from plumbline.metrics import BY_CODE, BY_NAME
from plumbline.ranges import Ranges
from plumbline_central.config import load_central
from plumbline_central.ledger import Ledger
from plumbline_central.parts import Parts
from plumbline_central.stores.choice import store_of
from plumbline_edge.outbox.view import lane_states
from plumbline_sim.demo.tally import Tally, compare
from plumbline_sim.meter.oplog import Operation

_ALWAYS: Final = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))


Due = dict[tuple[str, Lane], Ranges]
"""Sequence numbers by epoch and lane."""


def due_at_central(outbox: Path) -> Due:
    """What a gateway has written until now and central has not acknowledged, as far as the file says."""
    with contextlib.closing(sqlite3.connect(f"file:{outbox}?mode=ro", uri=True)) as db:
        return {
            (state.epoch, state.lane): tuple(ranges.missing(state.settled, (1, state.last)))
            for state in lane_states(db)
            if state.last
        }


def lacks(data: Path, gateway: str, due: Due) -> bool:
    """Whether central's ledger is without any of it."""
    ledger = Ledger.open(data / "ledger.db")
    try:
        return any(
            tuple(ranges.missing(ledger.coverage(gateway, epoch, lane), span))
            for (epoch, lane), spans in due.items()
            for span in spans
        )
    finally:
        ledger.close()


def compare_polls(answered: Sequence[Operation], stored: Iterable[Body]) -> Tally:
    """Poll by poll: what a meter said in the answer that holds its probe, against the same values of a frame."""
    return compare(map(_said, _polls(answered)), _kept(answered, stored))


def until_stopped(answered: Sequence[Operation], stored: Iterable[Body]) -> list[Operation]:
    """Without each meter's very last poll where that was not kept: the gateway was stopped in the middle of it.

    It is no record before it is on the gateway's card, and to stop costs at most the poll in progress; any other that is not
    there is lost.
    """
    left = Counter(map(_said, _polls(answered)))
    left.subtract(_kept(answered, stored))
    last = {operation.device: n for n, operation in enumerate(answered) if operation.poll}
    cut = {device: n for device, n in last.items() if left[_said(answered[n])] > 0}
    return [one for n, one in enumerate(answered) if n < cut.get(one.device, len(answered))]


def _polls(answered: Iterable[Operation]) -> list[Operation]:
    return [operation for operation in answered if operation.poll]


def _said(poll: Operation) -> Hashable:
    return poll.device, tuple(steps for _, steps in poll.values)


def _kept(answered: Iterable[Operation], stored: Iterable[Body]) -> Iterator[Hashable]:
    """What frames say of the metrics that the answers with the probes held."""
    probed = {poll.device: [metric for metric, _ in poll.values] for poll in _polls(answered)}
    for frame in stored:
        if isinstance(frame, Frame):
            values = dict(zip(_names(frame), frame.values, strict=True))
            yield frame.device, tuple(values.get(metric) for metric in probed.get(frame.device, ()))


def _names(frame: Frame) -> list[str]:
    return [BY_CODE[code].name for code in frame.metrics]


def stored_bodies(data: Path) -> list[Body]:
    """Every record in central's ledger, from the file itself."""
    ledger = Ledger.open(data / "ledger.db")
    try:
        bodies: list[Body] = []
        at = 0
        while rows := ledger.read(at, 200):
            bodies += [record.body for row in rows for record in row.records]
            at = rows[-1].id
        return bodies
    finally:
        ledger.close()


def stored_readings(central: Path, site: str) -> Iterator[tuple[str, str, int]]:
    """Every value in the time-series store of a central's settings: (device, metric, steps of its resolution)."""
    settings = load_central(central)
    parts = Parts.open(Path(settings.data_dir), store=store_of(settings.store, SystemClock()))
    with contextlib.closing(parts):
        for newest in parts.telemetry.latest(site):
            metric = BY_NAME[newest.metric]
            for _, value in parts.telemetry.series(site, newest.device, newest.metric, *_ALWAYS):
                yield newest.device, newest.metric, metric.to_wire(value)
