"""When the outbox will be full, if central stays away from now on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_ENOUGH_S: Final = 600.0
"""A rate over less than this says more about the start than about the site."""
_DAY_S: Final = 86_400.0


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
