"""The demo's stage: a seeded project with a planned slip, its meters and its camera, in one simulated time."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from plumbline.clock import ScaledClock
from plumbline.stages import Track
from plumbline_edge.meters.profiles.file import find_profile
from plumbline_sim.camera import CameraServer, source_of
from plumbline_sim.meter.load import Role, SiteLoad
from plumbline_sim.meter.oplog import OpLog
from plumbline_sim.meter.server import MeterServer, SimulatedMeter
from plumbline_sim.scene.project import Project, Slip

ZONE: Final = ZoneInfo("Asia/Shanghai")
DAY_S: Final = 86_400
METERS: Final[dict[Role, str]] = {"main": "eastron_sdm630", "crane": "abb_b23", "cabins": "chint_dtsu666"}
"""The demo's meters by role, with the profile each speaks."""
CAMERA: Final = "east"
SEEDS: Final[dict[Track, int]] = {"new": 974, "reno": 3975}
"""The project that is shown where nobody asks for another; its photos come with the package (`demo.packs`)."""
PHOTO_HOURS: Final = (10, 14)
"""When the camera takes its photos, local time."""
_SLIP_SHARE: Final = (0.25, 0.72)
_SLIP_PP: Final = 14.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Everything simulated, running. `begin` is midnight, local time, before the works' first day."""

    project: Project
    begin: datetime
    clock: ScaledClock
    meters: dict[Role, MeterServer]
    camera: CameraServer
    oplog: OpLog

    @property
    def end(self) -> datetime:
        return self.begin + timedelta(days=self.project.days)

    def day(self, at: datetime) -> float:
        """The project's day at a simulated time; negative before it begins."""
        return (at - self.begin).total_seconds() / DAY_S


def sample_project(seed: int, track: Track, days: int) -> Project:
    """The project of a seed, with a slip that the plan does not know and that extra crews make good."""
    slip = Slip(from_day=_SLIP_SHARE[0] * days, to_day=_SLIP_SHARE[1] * days, lag_pp=_SLIP_PP)
    return Project.sample(seed, track=track, days=days, slips=(slip,))


def first_midnight(clock: ScaledClock, lead_s: float) -> datetime:
    """The first local midnight at least `lead_s` simulated seconds from now."""
    earliest = (clock.wall() + timedelta(seconds=lead_s)).astimezone(ZONE)
    midnight = earliest.replace(hour=0, minute=0, second=0, microsecond=0)
    return (midnight + timedelta(days=math.ceil((earliest - midnight) / timedelta(days=1)))).astimezone(UTC)


@asynccontextmanager
async def raised(project: Project, clock: ScaledClock, begin: datetime) -> AsyncIterator[Stage]:
    """A stage whose meters and camera answer while the block runs."""
    oplog = OpLog()
    first_day = clock.wall().astimezone(ZONE).date()
    async with AsyncExitStack() as running:
        meters = {
            role: await running.enter_async_context(
                MeterServer(
                    [
                        SimulatedMeter(
                            name=role,
                            unit=1,
                            profile=find_profile(profile),
                            source=SiteLoad(role, seed=project.seed, since=first_day),
                        )
                    ],
                    clock=clock,
                    oplog=oplog,
                )
            )
            for role, profile in METERS.items()
        }
        camera = await running.enter_async_context(CameraServer(source_of(project, begin=begin), clock=clock))
        yield Stage(project=project, begin=begin, clock=clock, meters=meters, camera=camera, oplog=oplog)
