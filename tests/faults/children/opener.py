"""`opener.py OUTBOX`: says a word, then opens the outbox, which migrates it, and waits to be ended."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from plumbline_edge.outbox import Outbox


async def main() -> None:
    print("opening", flush=True)
    async with Outbox(Path(sys.argv[1]), gateway="gw-0"):
        await asyncio.Event().wait()


asyncio.run(main())
