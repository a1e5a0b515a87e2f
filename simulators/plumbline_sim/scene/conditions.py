"""The light, the weather and the camera's own state at one shot."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from plumbline.stages import QUALITY_CLASSES

Weather = Literal["clear", "cloudy", "overcast", "rain", "fog", "snow"]
Season = Literal["spring", "summer", "autumn", "winter"]
Fault = Literal["dark", "blur", "fog_rain", "obstructed", "lens_dirt", "not_a_site"]

SEASONS: Final[tuple[Season, ...]] = ("spring", "summer", "autumn", "winter")
WEATHERS: Final[tuple[Weather, ...]] = ("clear", "cloudy", "overcast", "rain", "fog", "snow")
_FAULTS: Final[tuple[Fault, ...]] = ("dark", "blur", "fog_rain", "obstructed", "lens_dirt", "not_a_site")


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """One shot's circumstances; `seed` moves clouds, people, machines and noise, never the building."""

    hour: float = 11.0
    weather: Weather = "clear"
    season: Season = "summer"
    seed: int = 0
    jitter_px: tuple[float, float] = (0.0, 0.0)
    """How far the camera has swayed, in pixels of a 1280 wide image."""
    fault: Fault | None = None
    jpeg_quality: int = 85
    grey: bool = False
    """The camera has switched to its infrared mode."""

    @classmethod
    def workday(cls, seed: int, day: int, *, hour: float = 11.0, season: Season = "summer") -> Conditions:
        """Ordinary weather for a camera's daily picture: mostly clear or cloudy, some rain and mist, never a fault."""
        rng = np.random.default_rng([seed, day, round(hour * 60), 77])
        weather = WEATHERS[int(rng.choice(len(WEATHERS), p=(0.42, 0.32, 0.18, 0.05, 0.03, 0.0)))]
        jitter = (float(rng.normal(0, 0.8)), float(rng.normal(0, 0.8)))
        return cls(hour=hour, weather=weather, season=season, seed=int(rng.integers(2**31)), jitter_px=jitter)

    @classmethod
    def sample(cls, rng: np.random.Generator, *, fault_share: float = 0.0) -> Conditions:
        """Anything a year can bring; `fault_share` of the shots are spoiled."""
        season = SEASONS[int(rng.integers(4))]
        odds = (0.36, 0.27, 0.2, 0.07, 0.05, 0.05 if season == "winter" else 0.0)
        weather = WEATHERS[int(rng.choice(6, p=np.array(odds) / sum(odds)))]
        faulty = rng.random() < fault_share
        fault = _FAULTS[int(rng.integers(len(_FAULTS)))] if faulty else None
        hour = float(rng.uniform(7.5, 17.0) if rng.random() < 0.9 else rng.uniform(6.2, 19.0))
        grey = rng.random() < 0.02
        if fault == "dark" and rng.random() < 0.6:  # a real night, not a shut iris
            hour, grey = float(rng.uniform(20.5, 23.9)), rng.random() < 0.4
        return cls(
            hour=hour, grey=bool(grey),
            weather=weather, season=season, seed=int(rng.integers(2**31)),
            jitter_px=(float(rng.normal(0, 2.0)), float(rng.normal(0, 2.0))), fault=fault,
            jpeg_quality=int(rng.integers(45, 96)),
        )  # fmt: skip

    @property
    def daylight(self) -> float:
        """0 at night, 1 in full day."""
        half_day = {"winter": 4.6, "spring": 6.6, "summer": 8.0, "autumn": 6.0}[self.season]
        return float(np.clip((half_day + 0.8 - abs(self.hour - 12.5)) / 1.6, 0, 1))

    @property
    def sun(self) -> tuple[float, float]:
        """Azimuth against south in degrees (mornings negative) and elevation in degrees."""
        top = {"winter": 16.0, "spring": 40.0, "summer": 58.0, "autumn": 32.0}[self.season]
        return (self.hour - 12.5) * 16.0, max(2.0, top * math.cos((self.hour - 12.5) / 8.5 * math.pi / 2))

    @property
    def direct(self) -> float:
        """How much of the light casts shadows, 0..1."""
        return {"clear": 1.0, "cloudy": 0.55}.get(self.weather, 0.0) * self.daylight

    @property
    def quality(self) -> tuple[float, ...]:
        """What is wrong with the shot, one number per `QUALITY_CLASSES`, 0 or 1."""
        dark = self.fault == "dark" or self.daylight < 0.12
        wanted = {self.fault, "dark" if dark else None}
        return tuple(float(name in wanted) for name in QUALITY_CLASSES)
