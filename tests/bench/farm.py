"""Simulated meters for the bench: prints their ports, answers until its input ends, then prints when each was polled."""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

from plumbline.clock import SystemClock
from plumbline_edge.meters.profiles.file import load_profile
from plumbline_sim.meter.load import SiteLoad
from plumbline_sim.meter.oplog import OpLog
from plumbline_sim.meter.server import MeterServer, SimulatedMeter


async def main(profile: Path, meters: int) -> None:
    loaded = load_profile(profile)
    log = OpLog()
    servers = [
        MeterServer(
            [
                SimulatedMeter(
                    name=f"m{i}",
                    unit=1,
                    profile=loaded,
                    source=SiteLoad("crane", seed=i, since=datetime.now(UTC).date()),
                )
            ],
            clock=SystemClock(),
            oplog=log,
        )
        for i in range(meters)
    ]
    for server in servers:
        await server.__aenter__()
    print(*(server.port for server in servers), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    for server in servers:
        await server.__aexit__(None, None, None)
    times: dict[str, list[float]] = {}
    for operation in log.operations:
        if operation.poll:
            times.setdefault(operation.device, []).append(round(operation.mono_s, 6))
    print(json.dumps(times), flush=True)


if __name__ == "__main__" and len(sys.argv) == 3:
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
