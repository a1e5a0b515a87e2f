"""Names the likely mistake behind a meter's values: in its registers, its wiring, or its settings."""

from __future__ import annotations

from collections.abc import Sequence

from plumbline_edge.meters.doubts import balance, clamps
from plumbline_edge.meters.doubts.balance import Balance
from plumbline_edge.meters.doubts.fit import fit, fit_values, other_layout
from plumbline_edge.meters.doubts.suspicion import Kind, Poll, Suspicion, shown
from plumbline_edge.meters.profiles.profile import Profile

__all__ = ["Kind", "Poll", "Suspicion", "fit", "fit_values", "suspicions"]

_LAYOUTS_READ = 3


def suspicions(
    profile: Profile, polls: Sequence[Poll], energy: Balance | None = None
) -> tuple[Suspicion, ...]:
    """What is probably wrong, the surest first; empty where all is well.

    `energy` is what was remembered of more polls than these; without it their own is added up. Where raw answers
    show another layout, nothing else is said: all values follow from it.
    """
    layout = other_layout(profile, [poll.blocks for poll in polls if poll.blocks][-_LAYOUTS_READ:])
    if layout is not None:
        return (layout,)
    values = [shown(profile, poll.values) for poll in polls]
    if energy is None:
        energy = balance.begin(profile)
        for poll, one in zip(polls, values, strict=True):
            power, imported = one.get("power_active_total"), one.get("energy_import_total")
            if power is not None and imported is not None:
                energy = energy.seen(poll.mono_s, power, imported, one.get("energy_export_total", 0.0))
    found = list(clamps.doubts(profile, values))
    if not any("power_active" in metric for suspicion in found for metric in suspicion.metrics):
        found += balance.doubts(energy)  # a counter is measured by the power: by a right one only
    return tuple(sorted(found, key=lambda suspicion: -suspicion.confidence))
