"""`writer.py OUTBOX SEED MODE`: appends poll cycles to a real outbox; prints the newest seq after each commit.

MODE `full` is the product's own setting, `normal` the control that must lose what was committed.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from harness import paper

from plumbline.clock import SystemClock, to_us
from plumbline_edge.outbox import Outbox


async def main(path: Path, seed: int, mode: str) -> None:
    async with Outbox(path, gateway="gw-0") as outbox:
        if mode == "normal":
            await outbox._run(lambda: outbox._store.db.execute("PRAGMA synchronous = NORMAL"))
        stream = (outbox.epoch, "data")
        for drafts in paper.frames(seed, since_us=to_us(SystemClock().wall())):
            await outbox.append(drafts)
            print(outbox.epoch, outbox.last(stream), flush=True)


asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
