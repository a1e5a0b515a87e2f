"""What a test asks its site to be: checked once, with a sentence for what cannot be."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from plumbline.errors import ConfigError
from plumbline.stages import Track
from plumbline_edge.meters.profiles.file import find_profile, shipped
from plumbline_edge.meters.profiles.profile import Profile
from plumbline_sim.meter.load import ROLES, Role

PathLike = str | Path
PerMeter = PathLike | Mapping[str, PathLike] | None
"""One for all meters, or by meter name."""

START: Final = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
"""A Monday, nine in the morning in Shanghai: cranes move."""
_POLLS_A_REAL_SECOND: Final = 5.0
_TRACKS: Final = ("new", "reno")


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterWish:
    """One meter: what it is, and what it plays; exactly one of role, trace with map, tape."""

    name: str
    profile: Profile
    profile_name: str
    unit: int
    role: Role | None = None
    trace: Path | None = None
    map: Path | None = None
    tape: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteWish:
    """A whole site. `every_s` is simulated, `timeout_s` real."""

    meters: tuple[MeterWish, ...]
    cameras: Mapping[str, Track]
    speed: float
    every_s: float
    timeout_s: float
    seed: int
    start: datetime
    zone: ZoneInfo


def wish(
    meters: Mapping[str, str], *, trace: PerMeter, map: PerMeter, role: PerMeter, tape: PerMeter,  # noqa: A002 - the CSV's map, as in `plumbline sim meter --map`
    units: Mapping[str, int], cameras: Mapping[str, str], speed: float, every_s: float | None, timeout_s: float,
    seed: int, start: datetime | None, timezone: str, folder: Path,
) -> SiteWish:  # fmt: skip
    """The site of a fixture's arguments; files they name lie in `folder`, or in the current one. Raises ConfigError."""
    if not meters and not cameras:
        raise ConfigError(
            "a site without meters and cameras", hint='Give meters={"crane": "eastron_sdm630"}.'
        )
    if not speed >= 1:
        raise ConfigError(f"speed={speed}: expected at least 1", hint="600 plays an hour in six seconds.")
    for what, given in (("trace", trace), ("map", map), ("role", role), ("tape", tape), ("units", units)):
        if isinstance(given, Mapping) and (strangers := set(given) - set(meters)):
            raise ConfigError(
                f"{what} names {', '.join(sorted(strangers))}", hint=f"Meters: {', '.join(meters)}."
            )
    if wrong := [track for track in cameras.values() if track not in _TRACKS]:
        raise ConfigError(f"cameras: no works {wrong[0]!r}", hint="Known: new, reno.")
    return SiteWish(
        meters=tuple(
            _meter(
                name, profile, units.get(name, 1), folder,
                trace=_of(trace, name), map_=_of(map, name), role=_of(role, name), tape=_of(tape, name),
            )
            for name, profile in meters.items()
        ),
        cameras={name: cast("Track", track) for name, track in cameras.items()},
        speed=speed,
        every_s=every_s or max(10.0, speed / _POLLS_A_REAL_SECOND),
        timeout_s=timeout_s,
        seed=seed,
        start=start or START,
        zone=_zone(timezone),
    )  # fmt: skip


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigError(f"timezone: no {name!r}", hint="For example Asia/Shanghai.") from None


def _of(given: PerMeter, name: str) -> str | None:
    found = given.get(name) if isinstance(given, Mapping) else given
    return None if found is None else str(found)


def _meter(
    name: str,
    profile: str,
    unit: int,
    folder: Path,
    *,
    trace: str | None,
    map_: str | None,
    role: str | None,
    tape: str | None,
) -> MeterWish:
    if sum(given is not None for given in (trace, role, tape)) > 1:
        raise ConfigError(f"meter {name}: trace, role and tape exclude each other", hint="Keep one of them.")
    if (trace is None) != (map_ is None) and not (
        trace is None and role is None and tape is None and map_ is None
    ):
        raise ConfigError(
            f"meter {name}: a trace needs a map", hint="firmware_configs/traces has examples: map='steel'."
        )
    if trace is None and tape is None:
        role = role or (name if name in ROLES else "crane")
        if role not in ROLES:
            near = difflib.get_close_matches(role, ROLES, n=1)
            raise ConfigError(f"meter {name}: no role {role!r}", hint=f"Known: {', '.join(near or ROLES)}.")
    if profile.endswith(".toml"):
        profile = str(_beside(folder, profile))  # whole: the gateway reads it from a folder of its own
    return MeterWish(
        name=name, profile=find_profile(profile), profile_name=profile, unit=unit, role=cast("Role | None", role),
        trace=None if trace is None else _beside(folder, trace),
        map=None if map_ is None else find_map(map_, folder),
        tape=None if tape is None else _beside(folder, tape),
    )  # fmt: skip


def _beside(folder: Path, name: str) -> Path:
    """Where a file is that a test names: in `folder`, else below the current one."""
    beside = folder / name
    return (beside if beside.exists() else Path(name)).absolute()


def find_map(name: str, folder: Path) -> Path:
    """A trace map's file: a path, or the stem of one that came with Plumbline."""
    if name.endswith(".toml"):
        return _beside(folder, name)
    return next(iter(shipped().values())).parents[1] / "traces" / f"{name}.toml"
