"""`meters.py HOST SEED OPLOG=NAME,NAME…`: serves meters until its input ends, one port each, one operation log a group.

Prints {"name": port} as one JSON line when all of them listen.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from pathlib import Path

from harness.meters import meter

from plumbline.clock import clock_from_environment
from plumbline_sim.meter.oplog import OpLog
from plumbline_sim.meter.server import MeterServer


async def main(host: str, seed: int, groups: list[str]) -> None:
    clock = clock_from_environment()
    async with contextlib.AsyncExitStack() as stack:
        ports = {}
        for group in groups:
            path, names = group.split("=")
            oplog = stack.enter_context(OpLog(Path(path), keep=False))
            for name in names.split(","):
                seed += 1
                server = MeterServer([meter(name, seed)], clock=clock, oplog=oplog, host=host)
                await stack.enter_async_context(server)
                ports[name] = server.port
        print(json.dumps(ports), flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3:]))
