"""When the outbox will be full, if central stays away from now on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

_ENOUGH_S: Final = 600.0
"""A rate over less than this says more about the start than about the site."""
_DAY_S: Final = 86_400.0


_FRAME_BYTES: Final = 150
_VALUE_BYTES: Final = 5
_HEALTH_BYTES: Final = 800
_PHOTO_BYTES: Final = 60_000
"""What records take in the file, as tests/bench/outbox.py finds it (11 MB a day for 4 meters x 30 values x 10 s)."""


def expected_bytes_per_day(
    *, meters: Iterable[tuple[float, int]], health_every_s: float, photos: int
) -> float:
    """For meters (period in seconds, values a poll), and `photos` a day."""
    frames = sum((_FRAME_BYTES + _VALUE_BYTES * values) * _DAY_S / every_s for every_s, values in meters)
    return frames + _HEALTH_BYTES * _DAY_S / health_every_s + _PHOTO_BYTES * photos


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """`holds_days`: how long an empty outbox lasts at this rate. `full_in_days`: how long what is left of it lasts."""

    holds_days: float
    full_in_days: float


def foresee(
    *, used_bytes: int, room_bytes: int, kept: int, waiting: int, added_bytes: int, over_s: float
) -> Forecast | None:
    """From `added_bytes` over the last `over_s` seconds; None while that is too little to tell.

    Of the `kept` records those not `waiting` for central make room without loss, so only the share that waits is
    counted as taken.
    """
    if over_s < _ENOUGH_S or added_bytes <= 0:
        return None
    per_day = added_bytes / over_s * _DAY_S
    taken = used_bytes * waiting / kept if kept else 0.0
    return Forecast(holds_days=room_bytes / per_day, full_in_days=max(room_bytes - taken, 0.0) / per_day)
