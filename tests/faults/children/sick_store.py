"""`sick_store.py CENTRAL.toml CONTROL`: the whole central service, whose time-series store does as the file CONTROL says.

`down`: each write fails. `failing`: every second one does. `slow`: each takes two seconds. Anything else: it is well.
There is no adapter for InfluxDB yet, so the store that comes with central is wrapped here, in the test's own child.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from plumbline.clock import SystemClock
from plumbline.errors import Unreachable
from plumbline_central import app
from plumbline_central.config import load_central
from plumbline_central.stores.port import FramePoint
from plumbline_central.stores.sqlite import SqliteTelemetryStore

_write = SqliteTelemetryStore.write
_calls = itertools.count()
CONTROL = Path(sys.argv[2])


def write(self: SqliteTelemetryStore, points: Sequence[FramePoint]) -> None:
    how = CONTROL.read_text().strip()
    if how == "slow":
        time.sleep(2)
    if how == "down" or (how == "failing" and next(_calls) % 2):
        raise Unreachable(f"the store is {how}")
    _write(self, points)


SqliteTelemetryStore.write = write  # type: ignore[method-assign]
asyncio.run(app.run(load_central(Path(sys.argv[1])), SystemClock()))
