"""What lights a scene: sun, sky, air, snow, lamps, as the numbers the shaders take; linear light, 1 is white paper in full sun."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from plumbline_sim.scene.conditions import Conditions

Rgb = tuple[float, float, float]

FOGGED: Final = (0.02, 0.36)
"""Share of the facade's own light that comes through fog in which nobody should judge it."""
_FULL_SUN: Final = 1.0
_NO_LAMPS: Final = ((0.0, 0.0, 0.0, 0.0),) * 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Light:
    """One moment's light. `towards_sun` is a unit vector in world axes; lamps are x, y, z and reach in metres."""

    towards_sun: Rgb
    sun_rgb: Rgb
    zenith_rgb: Rgb
    ambient_rgb: Rgb
    bounce_rgb: Rgb
    fog_rgb: Rgb
    cloud_rgb: Rgb
    fog_per_m: float
    cloud: float
    cloud_seed: float
    snow: float
    wet: float
    night: float
    lamp_rgb: Rgb = (1.0, 0.85, 0.6)
    lamps: tuple[tuple[float, float, float, float], ...] = _NO_LAMPS


def light_of(
    conditions: Conditions,
    facing_deg: float,
    lamps: tuple[tuple[float, float, float, float], ...] = (),
    *,
    away_m: float = 60.0,
) -> Light:
    """The light of these conditions on a facade that faces `facing_deg` from south, west positive.

    `away_m` is how far the facade is from the camera: fog is as thick as it looks.
    """
    rng = np.random.default_rng([conditions.seed, 11])
    azimuth, elevation = (math.radians(v) for v in conditions.sun)
    turned = azimuth - math.radians(facing_deg)
    towards = (
        -math.sin(turned) * math.cos(elevation),
        math.sin(elevation),
        math.cos(turned) * math.cos(elevation),
    )
    day = conditions.daylight
    direct = conditions.direct
    low = 1 - min(1.0, math.degrees(elevation) / 35)
    sun = (
        np.array((1.0, 0.95 - 0.16 * low, 0.87 - 0.38 * low)) * direct * _FULL_SUN * (0.55 + 0.45 * (1 - low))
    )
    clear_sky, grey = np.array((0.20, 0.34, 0.62)), np.array((0.62, 0.64, 0.67))
    closed = {"clear": 0.1, "cloudy": 0.5, "overcast": 1.0, "rain": 1.0, "fog": 1.0, "snow": 1.0}[
        conditions.weather
    ]
    dull = float(rng.uniform(0.55, 1.0)) if closed == 1.0 else 1.0
    zenith = (clear_sky * (1 - closed) + grey * closed) * dull
    haze = (np.array((0.62, 0.72, 0.85)) * (1 - closed) + np.array((0.74, 0.75, 0.77)) * closed) * dull
    ambient = (np.array((0.24, 0.29, 0.37)) * (1 - closed) + np.array((0.52, 0.53, 0.55)) * closed) * dull
    dusk = np.array((0.5, 0.55, 0.85)) * 0.05 * float(rng.uniform(0.3, 1.5))
    fade = day**1.5
    zenith, haze, ambient = (c * fade + dusk * (1 - day) for c in (zenith, haze, ambient))
    through = {"fog": (0.5, 0.85), "rain": (0.75, 0.97), "snow": (0.7, 0.95)}.get(
        conditions.weather, (0.93, 0.995)
    )
    clear_share = float(rng.uniform(*(FOGGED if conditions.fault == "fog_rain" else through)))
    winter = conditions.season == "winter"
    snowy = conditions.weather == "snow" or (winter and rng.random() < 0.35)
    lit = tuple(lamps)[:4] if day < 0.6 else ()
    return Light(
        towards_sun=_three(towards), sun_rgb=_three(sun * day), zenith_rgb=_three(zenith), ambient_rgb=_three(ambient),
        bounce_rgb=_three(ambient * np.array((0.5, 0.46, 0.4)) + sun * day * 0.10 * max(0.0, towards[1])), fog_rgb=_three(haze),
        cloud_rgb=_three((np.array((1.0, 1.0, 1.02)) * (1 - 0.35 * closed)) * dull * fade + dusk * (1 - day)),
        fog_per_m=-math.log(clear_share) / away_m, cloud=float(np.clip(closed + rng.normal(0, 0.12), 0, 1)), cloud_seed=float(rng.uniform(0, 90)),
        snow=float(rng.uniform(0.35, 1.0)) if snowy else 0.0,
        wet=float(rng.uniform(0.5, 1.0)) if conditions.weather == "rain" else float(rng.random() < 0.12) * 0.4,
        night=1 - day, lamps=(*lit, *_NO_LAMPS)[:4],
    )  # fmt: skip


def _three(values: object) -> Rgb:
    red, green, blue = np.asarray(values, float).tolist()
    return red, green, blue
