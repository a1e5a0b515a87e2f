"""Central's durable log: every batch verbatim, every record once, nothing ever changed.

Key of a record: (gateway, epoch, lane, seq). A row's `taken` says which of its records were new when it came; the
others are in earlier rows. A batch that contradicts the chain already stored is refused, never mixed in. Rows are
numbered 1, 2, 3 … without a hole; old ones live in archive files and are read as if they had stayed.
"""

from plumbline_central.ledger.archive import Segment
from plumbline_central.ledger.log import Ledger
from plumbline_central.ledger.rows import (
    COUNTERS,
    Account,
    Arrival,
    DeadLetter,
    Hole,
    LaneKey,
    LinkRow,
    Outcome,
    Row,
)

__all__ = [
    "COUNTERS",
    "Account",
    "Arrival",
    "DeadLetter",
    "Hole",
    "LaneKey",
    "Ledger",
    "LinkRow",
    "Outcome",
    "Row",
    "Segment",
]
