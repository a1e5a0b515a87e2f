"""`stepping.py SETTINGS_FD CONTROL`: the gateway with a clock that is wrong by what the file CONTROL says: `seconds trust`."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from plumbline.clock import SystemClock, Trust
from plumbline_edge import app
from plumbline_edge.settings import SiteSettings

CONTROL = Path(sys.argv[2])


class SteppingClock(SystemClock):
    """The machine's clock, set by hand; what has passed since boot never steps."""

    def wall(self) -> datetime:
        return super().wall() + timedelta(seconds=float(CONTROL.read_text().split()[0]))

    def trust(self) -> Trust:
        return CONTROL.read_text().split()[1]  # type: ignore[return-value]


logging.basicConfig(level=logging.INFO)
with os.fdopen(int(sys.argv[1]), "rb") as file:
    settings = msgspec.json.decode(file.read(), type=SiteSettings)
asyncio.run(app.run(settings, SteppingClock()))
