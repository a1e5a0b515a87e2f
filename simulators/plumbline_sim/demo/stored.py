"""What central has stored, read from its own files, beside what the simulators say they said."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from plumbline.messages import Body, Frame
from plumbline.metrics import BY_CODE, BY_NAME
from plumbline_central.ledger import Ledger
from plumbline_central.stores.sqlite import SqliteTelemetryStore
from plumbline_sim.demo.tally import Tally, compare
from plumbline_sim.meter.oplog import Operation

_ALWAYS: Final = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))


def compare_polls(answered: list[Operation], stored: list[Body]) -> Tally:
    """Poll by poll: what a meter said in the answer that holds its probe, against the same values of a frame."""
    polls = [operation for operation in answered if operation.poll]
    probed = {operation.device: [metric for metric, _ in operation.values] for operation in polls}
    frames = [body for body in stored if isinstance(body, Frame)]
    return compare(
        ((operation.device, tuple(steps for _, steps in operation.values)) for operation in polls),
        (
            (frame.device, tuple(values.get(metric) for metric in probed.get(frame.device, ())))
            for frame in frames
            for values in [dict(zip(_names(frame), frame.values, strict=True))]
        ),
    )


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


def stored_readings(data: Path, site: str) -> Iterator[tuple[str, str, int]]:
    """Every value in the time-series store: (device, metric, steps of its resolution)."""
    with contextlib.closing(SqliteTelemetryStore.open(data / "series.db")) as store:
        for newest in store.latest(site):
            metric = BY_NAME[newest.metric]
            for _, value in store.series(site, newest.device, newest.metric, *_ALWAYS):
                yield newest.device, newest.metric, metric.to_wire(value)
