"""Records as a gateway at the default rate makes them, without meters: for what must be full quickly."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Final

from harness.meters import PROFILE
from plumbline.messages import Frame, Photo
from plumbline_edge.meters.profiles.file import load_profile
from plumbline_edge.outbox import Draft

METERS: Final = 4
EVERY_S: Final = 10
_COUNTER: Final = 10_000
"""Steps of a kWh"""


def frames(
    seed: int, *, since_us: int, meters: int = METERS, every_us: int = EVERY_S * 1_000_000, first: int = 1
) -> Iterator[list[Draft]]:
    """One poll cycle after another, for ever: thirty values a meter, the energy counter one kWh up each time."""
    rng = random.Random(seed)
    metrics = [register.metric for register in load_profile(PROFILE).registers]
    codes = tuple(metric.code for metric in metrics)
    counters = [i for i, metric in enumerate(metrics) if metric.name.startswith("energy_")]
    values = [[rng.randrange(1_000, 100_000) for _ in codes] for _ in range(meters)]
    cycle = first
    while True:
        at_us = since_us + (cycle - first) * every_us
        drafts = []
        for meter in range(meters):
            now = values[meter] = [value + rng.randrange(-20, 21) for value in values[meter]]
            for i in counters:
                now[i] = cycle * _COUNTER
            drafts.append(
                Draft(
                    lane="data",
                    at_us=at_us + meter,
                    boot="b" * 32,
                    mono_us=(cycle - first) * every_us,
                    clock="synced",
                    body=Frame(device=f"paper-m{meter}", metrics=codes, values=tuple(now)),
                )
            )
        yield drafts
        cycle += 1


def photo(rng: random.Random, at_us: int, size_bytes: int) -> Draft:
    """A picture that does not compress, as a JPEG."""
    return Draft(
        lane="photo",
        at_us=at_us,
        boot="b" * 32,
        mono_us=0,
        clock="synced",
        body=Photo(
            camera="east", photo=f"p{at_us}", jpeg=rng.randbytes(size_bytes), width_px=640, height_px=480
        ),
    )
