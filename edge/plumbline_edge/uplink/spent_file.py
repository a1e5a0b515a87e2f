"""Remembers in the state folder what was sent today: a restart does not begin the day anew."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

import msgspec

from plumbline_edge.uplink.budget import Spent

log = logging.getLogger(__name__)

WRITE_EVERY_S: Final = 60.0


class SpentFile:
    """A tiny JSON file; losing its last minute in a power cut costs a minute's count, so nothing is synced."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Spent | None:
        """None where there is none that can be read."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Spent)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as why:
            log.warning("%s is unreadable (%s); today's data budget is counted from 0", self._path, why)
            return None

    def write(self, spent: Spent) -> None:
        """A card that does not take it is the outbox's to report."""
        fresh = self._path.with_suffix(".new")
        try:
            fresh.write_bytes(msgspec.json.encode(spent))
            fresh.replace(self._path)
        except OSError as why:
            log.debug("%s: %s", self._path, why)
