"""What goes into the ledger and what comes out of it: its values, and how a stored row is read back."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from plumbline import codec, ranges
from plumbline.errors import Refused
from plumbline.messages import Lane, Record
from plumbline.ranges import Ranges
from plumbline_central.continuity import Link
from plumbline_central.project import LedgerRow

log = logging.getLogger(__name__)

COUNTERS: Final = (
    "batches_received",
    "batches_stored",
    "batches_duplicate",
    "batches_refused",
    "records_received",
    "records_stored",
    "records_duplicate",
    "records_refused",
)
"""received = stored + duplicate + refused, for both; records count only in batches that could be opened."""

LaneKey = tuple[str, str, Lane]
"""(gateway, epoch, lane)"""

LinkRow = tuple[int, int, str, str, str, str, int, int, bytes, bytes, bytes]
"""(id, received_us, site, gateway, epoch, lane, first, last, prev, head, payload)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A batch that `plumbline_central.ingest.judge` let through, with its bytes as they came."""

    received_us: int
    payload: bytes
    batch: codec.Batch

    @property
    def lane(self) -> LaneKey:
        return (self.batch.gateway, self.batch.epoch, self.batch.lane)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A payload that is no batch of ours, and why."""

    received_us: int
    topic: str
    payload: bytes
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one arrival. `taken`: the records that were new; `why`: only where it was not stored.

    `deferred`: it cannot be compared with what is archived, because that file is away; the gateway is told nothing
    and sends it again.
    """

    status: Literal["stored", "duplicate", "refused", "deferred"]
    row_id: int | None = None
    taken: Ranges = ()
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hole:
    """Records `first`..`last` of a lane that central never got, though later ones came."""

    site: str
    gateway: str
    epoch: str
    lane: Lane
    first: int
    last: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One stored batch as it lies there, for the verifier."""

    id: int
    link: Link
    taken: Ranges
    payload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The ledger's own figures, all of one moment."""

    counters: Mapping[str, int]
    covered: int
    """How many records its coverage names; as many as were stored, or something was changed."""
    last_id: int
    after: Mapping[int, int]
    """For each row id that was asked for: how many records the rows past it hold."""

    @property
    def stored(self) -> int:
        return self.counters["records_stored"]


def taken_text(taken: Ranges) -> str:
    return json.dumps(taken)


def taken_from(text: str | None, whole: tuple[int, int]) -> Ranges:
    """The ranges in a row's `taken` column; NULL stands for all of it."""
    if text is None:
        return (whole,)
    return tuple((int(first), int(last)) for first, last in json.loads(text))


READ: Final = "id, received_us, site, gateway, epoch, lane, first, last, CAST(payload AS BLOB), taken"
"""The columns that `to_ledger_row` takes."""
LINKED: Final = "id, first, last, prev, head, CAST(payload AS BLOB), taken"
"""The columns that `to_row` takes."""


def to_ledger_row(columns: Sequence[Any]) -> LedgerRow:
    """A row for the projections. One that rotted on disk costs its own records only; `verify` names it."""
    id_, received_us, site, gateway, epoch, lane, first, last, payload, taken = columns
    new = taken_from(taken, (first, last))
    passed_over = 0
    try:
        records = codec.open_batch(payload).records
    except Refused as why:
        log.error("ledger row %d is damaged (%s); its records are passed over", id_, why)  # noqa: TRY400
        records, passed_over = (), ranges.size(new)
    return LedgerRow(
        id=id_,
        received_us=received_us,
        site=site,
        gateway=gateway,
        epoch=epoch,
        lane=lane,
        records=records if taken is None else only(records, new),
        passed_over=passed_over,
    )


def to_row(columns: Sequence[Any]) -> Row:
    id_, first, last, prev, head, payload, taken = columns
    return Row(
        id=id_, link=Link(first, last, prev, head), taken=taken_from(taken, (first, last)), payload=payload
    )


def only(records: Sequence[Record], taken: Ranges) -> tuple[Record, ...]:
    return tuple(record for record in records if any(a <= record.seq <= b for a, b in taken))
