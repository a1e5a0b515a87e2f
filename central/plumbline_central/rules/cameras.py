"""Cameras that cannot see, or look elsewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from plumbline_central.alerts.alert import Fact, Rule, Slot
from plumbline_central.alerts.condition import Condition
from plumbline_central.rules.limits import Limits
from plumbline_central.rules.snapshot import Camera, Look, Snapshot

MOVED: Final = "MOVED"
_WEATHER: Final = frozenset(("DARK", "GLARE", "FOG_RAIN"))
_PASSES: Final = frozenset((MOVED, "CLOCK", "clock", "camera_name"))
"""Reasons that another rule is about."""
_MOVED_PHOTOS: Final = 2


def conditions(snapshot: Snapshot, _now: datetime, limits: Limits) -> Iterator[Condition]:
    """Judged as of the newest photo: that none comes is a silence, which is another rule's."""
    for camera in snapshot.cameras:
        yield from _blind(camera, limits)
        yield from _moved(camera, limits)


def _blind(camera: Camera, limits: Limits) -> Iterator[Condition]:
    """Enough photos in a row, long enough; fog alone must last for days."""
    run: list[Look] = []
    for look in reversed(camera.looks):
        if look.valid:
            break
        run.insert(0, look)
    blind = [look for look in run if not _PASSES.issuperset(look.gate)]
    if not blind or run[-1] is not blind[-1] or len(blind) < limits.camera_photos:
        return
    since = camera.valid[-1].at if camera.valid else blind[0].at
    told = [[code for code in look.gate if code not in _PASSES] for look in blind]
    weather = sum(_WEATHER.issuperset(codes) for codes in told)
    fair = len(blind) - weather >= limits.camera_photos
    wanted_s = limits.camera_blind_s if fair else limits.camera_weather_s
    if blind[-1].at - since < timedelta(seconds=wanted_s):
        return
    reasons = Counter(codes[0] for codes in told)
    facts: dict[str, Fact] = {
        "photos": float(len(blind)),
        "reason": max(sorted(reasons), key=lambda code: reasons[code]),
    }
    yield _condition(camera, "camera_blind", since, facts)


def _moved(camera: Camera, limits: Limits) -> Iterator[Condition]:
    """The last photos that say where the camera looks agree that it is elsewhere."""
    placed = [look for look in camera.looks if look.shift_px is not None or MOVED in look.gate]
    last = placed[-_MOVED_PHOTOS:]
    away = [MOVED in look.gate or (look.shift_px or 0.0) > limits.camera_moved_px for look in last]
    if len(last) < _MOVED_PHOTOS or not all(away):
        return
    facts: dict[str, Fact] = {"photo": last[-1].photo} if last[-1].photo else {}
    if last[-1].shift_px is not None:
        facts["shift_px"] = last[-1].shift_px
    yield _condition(camera, "camera_moved", last[0].at, facts)


def _condition(camera: Camera, rule: Rule, since: datetime, facts: dict[str, Fact]) -> Condition:
    return Condition(
        slot=Slot(site=camera.site, rule=rule, subject=camera.camera),
        severity="amber",
        since=since,
        gateway=camera.gateway,
        facts=facts,
    )
