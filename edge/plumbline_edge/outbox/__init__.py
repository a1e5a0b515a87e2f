"""The gateway's durable log: every record is committed here, chained, before anything else sees it."""

from plumbline_edge.outbox.log import Outbox
from plumbline_edge.outbox.rows import LANES, Damaged, Draft, LaneState, Limits, RolledBack, Run, Stream

__all__ = ["LANES", "Damaged", "Draft", "LaneState", "Limits", "Outbox", "RolledBack", "Run", "Stream"]
