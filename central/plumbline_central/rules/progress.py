"""What photos show besides a deviation: works that stand still, that went back, that have not begun."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from statistics import median
from typing import Final

from plumbline_central.alerts.alert import Fact, Slot
from plumbline_central.alerts.condition import Condition
from plumbline_central.plan import SHANGHAI
from plumbline_central.rules.limits import Limits
from plumbline_central.rules.snapshot import Camera, Look, Snapshot

_MEDIAN_OF: Final = 3
_DONE: Final = 97.0
_DAY: Final = timedelta(days=1)


def conditions(snapshot: Snapshot, now: datetime, limits: Limits) -> Iterator[Condition]:
    """Judged as of the newest photo that could be judged: without one nothing changes."""
    sites: defaultdict[str, list[Camera]] = defaultdict(list)
    for camera in snapshot.cameras:
        sites[camera.site].append(camera)
        yield from _stalled(camera, limits)
        yield from _regress(camera)
    for site, cameras in sites.items():
        yield from _overdue_start(site, cameras, now, limits)


def _stalled(camera: Camera, limits: Limits) -> Iterator[Condition]:
    """Medians of three photos, so that the noise of one neither makes nor hides a standstill.

    Photos that are less sure of themselves than what was due in the time cannot tell.
    """
    newest, earlier = camera.valid[-_MEDIAN_OF:], camera.earlier[-_MEDIAN_OF:]
    if len(newest) < _MEDIAN_OF or len(earlier) < _MEDIAN_OF:
        return
    stands, stood = _middle(newest), _middle(earlier)
    if not limits.started_pp < stands < _DONE or stands - stood >= limits.stalled_pp:
        return
    until, since = newest[-1].at, earlier[-1].at
    wanted = max(limits.stalled_due_pp, median(look.reach for look in newest))
    due = camera.plan.planned_at(until) if camera.plan else None
    if due is None and wanted > limits.stalled_due_pp:
        return
    if camera.plan is not None and due is not None:
        risen = due - camera.plan.planned_at(until - timedelta(days=limits.stalled_days))
        if risen < wanted or stands >= due:
            return
    facts: dict[str, Fact] = {
        "days": float(round((until - since) / _DAY)),
        "moved_pp": round(stands - stood, 1),
    }
    if newest[-1].photo:
        facts["photo"] = newest[-1].photo
    yield Condition(
        slot=Slot(site=camera.site, rule="stalled", subject=camera.camera),
        severity="amber",
        since=since,
        gateway=camera.gateway,
        facts=facts,
    )


def _regress(camera: Camera) -> Iterator[Condition]:
    """The gateway says of each zone whether it has fallen and not come back; this adds by how much."""
    judged = [look for look in camera.looks if look.valid] or list(camera.valid[-1:])
    if not judged:
        return
    newest = judged[-1]
    fallen = {zone: percent for zone, (percent, regress) in newest.zones.items() if regress}
    if not fallen:
        return
    drops = []
    since = newest.at
    for zone, percent in fallen.items():
        before = _before_fall(judged, zone)
        if before is not None and percent is not None:
            drops.append(before - percent)
    for look in reversed(judged):
        if not any(look.zones.get(zone, (None, False))[1] for zone in fallen):
            break
        since = look.at
    facts: dict[str, Fact] = {"zones": float(len(fallen))}
    if drops and max(drops) > 0:
        facts["most_pp"] = round(max(drops), 1)
    if newest.photo:
        facts["photo"] = newest.photo
    yield Condition(
        slot=Slot(site=camera.site, rule="regress", subject=camera.camera),
        severity="amber",
        since=since,
        gateway=camera.gateway,
        facts=facts,
    )


def _before_fall(judged: list[Look], zone: str) -> float | None:
    """What the zone was in the newest photo that did not say so yet."""
    for look in reversed(judged):
        percent, regress = look.zones.get(zone, (None, True))
        if not regress:
            return percent
    return None


def _overdue_start(site: str, cameras: list[Camera], now: datetime, limits: Limits) -> Iterator[Condition]:
    """Every camera has looked after the works were to be visible, and none sees any."""
    plan = cameras[0].plan
    if plan is None or not all(camera.valid for camera in cameras):
        return
    newest = [camera.valid[-1] for camera in cameras]
    looked = min(look.at for look in newest)
    if looked < plan.start + timedelta(days=limits.start_grace_days):
        return
    if plan.planned_at(looked) < 2 * limits.started_pp:
        return
    if any(look.percent is None or look.percent >= limits.started_pp for look in newest):
        return
    due = plan.start.astimezone(SHANGHAI)
    yield Condition(
        slot=Slot(site=site, rule="overdue_start", subject="progress"),
        severity="amber",
        since=plan.start,
        facts={"due": f"{due:%Y-%m-%d}", "days": float((now - plan.start) // _DAY)},
    )


def _middle(looks: tuple[Look, ...]) -> float:
    return median(look.percent for look in looks if look.percent is not None)
