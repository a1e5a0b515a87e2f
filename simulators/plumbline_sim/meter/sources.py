"""Where a simulated meter's values come from, as people name it: a recording with its map, or a role on a site."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from plumbline.errors import ConfigError
from plumbline_edge.meters.profiles.profile import Profile
from plumbline_sim.meter.encode import says_absence
from plumbline_sim.meter.load import Role, SiteLoad
from plumbline_sim.meter.trace import Trace, load_map, load_trace


def recording_for(profile: Profile, trace: Path, map_file: Path) -> Trace:
    """A CSV that a meter of this family can play.

    Raises ConfigError where it cannot be read, and where the family could only invent what it lacks.
    """
    recording = load_trace(trace, load_map(map_file))
    mute = [
        r.metric.name
        for r in profile.registers
        if r.metric.name not in recording.metrics and not says_absence(r)
    ]
    if mute:
        raise ConfigError(
            f"a {profile.name} has no way to say that it lacks {', '.join(mute)}",
            hint="Give them in the map's [metrics], a constant if need be, or play a float meter.",
        )
    return recording


def load_of(role: Role, seed: int, now: datetime) -> SiteLoad:
    """What a meter in that place of a site sees; put in a day ago, since the site's zone may be a day behind."""
    return SiteLoad(role, seed=seed, since=(now - timedelta(days=1)).date())
