"""How finely readings are kept at which age, and where at the server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from plumbline_central.settings import StoreSettings
from plumbline_central.stores.influx.dialect import Place
from plumbline_central.stores.influx.lines import METER

DAY_US: Final = 86_400_000_000
GRACE_DAYS: Final = 30
"""How much longer the server keeps what was made coarser: a gateway may come back with a month of readings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """Readings of one fineness. `step_s` None: as they were polled. `until_days` None: to the end of what is kept."""

    measurement: str
    place: str
    keep_days: int
    """After so many the server forgets them; 0: never."""
    step_s: int | None = None
    until_days: int | None = None
    """So old they are when the next tier has them too."""


def base_place(settings: StoreSettings) -> str:
    """The retention policy or bucket of everything that is kept to the end."""
    return settings.bucket if settings.kind == "influx2" else settings.retention_policy


def tiers_of(settings: StoreSettings) -> tuple[Tier, ...]:
    """From the finest to the coarsest. A tier has a measurement of its own: 1.x deletes from all retention policies."""
    base, steps = base_place(settings), settings.downsample
    names = [METER, *(f"{METER}_{step.step_s}s" for step in steps)]
    found = []
    for i, name in enumerate(names):
        until = steps[i].after_days if i < len(steps) else None
        found.append(
            Tier(
                measurement=name,
                place=base if until is None or not base else f"{base}_{name}",
                keep_days=settings.retention_days if until is None else until + GRACE_DAYS,
                step_s=steps[i - 1].step_s if i else None,
                until_days=until,
            )
        )
    return tuple(found)


def places_of(settings: StoreSettings) -> tuple[Place, ...]:
    """What must be there before anything is written, the default first."""
    base = Place(name=base_place(settings), keep_days=settings.retention_days, default=True)
    finer = [
        Place(name=tier.place, keep_days=tier.keep_days)
        for tier in tiers_of(settings)
        if tier.place != base.name
    ]
    return (base, *finer)
