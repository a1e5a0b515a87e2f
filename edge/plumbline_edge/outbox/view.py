"""How an outbox stands, read from its tables on any connection, also a read-only one."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace

from plumbline import ranges
from plumbline_edge.outbox.rows import LaneState
from plumbline_edge.outbox.store import read_lanes


def lane_states(db: sqlite3.Connection) -> Iterator[LaneState]:
    """Every lane, newest epoch first and the most urgent first."""
    lanes, acknowledged = read_lanes(db)
    for (epoch, lane), end in lanes.items():
        state = LaneState(
            epoch=epoch,
            lane=lane,
            last=end.last,
            acknowledged=acknowledged[epoch, lane],
            parked_ranges=end.parked,
            cut=end.cut,
            oldest_unacknowledged_us=None,
        )
        yield _with_oldest(db, end.id, state)


def _with_oldest(db: sqlite3.Connection, lane: int, state: LaneState) -> LaneState:
    for first, last in ranges.missing(state.settled, (1, max(state.last, 1))):
        row = db.execute(
            "SELECT at_us FROM record WHERE lane = ? AND seq BETWEEN ? AND ? ORDER BY seq LIMIT 1",
            (lane, first, last),
        ).fetchone()
        if row is not None:
            return replace(state, oldest_unacknowledged_us=row[0])
    return state
