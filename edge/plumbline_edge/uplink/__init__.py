"""Sends what the outbox keeps until central itself says that it has it."""

from plumbline_edge.uplink.budget import Budget
from plumbline_edge.uplink.ports import Link, Log, Run, Stream
from plumbline_edge.uplink.sender import Uplink
from plumbline_edge.uplink.spent_file import SpentFile

__all__ = ["Budget", "Link", "Log", "Run", "SpentFile", "Stream", "Uplink"]
