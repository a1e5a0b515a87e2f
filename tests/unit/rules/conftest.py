from datetime import UTC, datetime, timedelta

from plumbline_central import rules
from plumbline_central.plan import PlanCurve
from plumbline_central.rules.limits import Limits
from plumbline_central.rules.snapshot import Camera, Look, Snapshot

NOW = datetime(2026, 6, 1, 4, tzinfo=UTC)
SITE = "a12"
LIMITS = Limits()


def day(number):
    """So many days from now."""
    return NOW + timedelta(days=number)


def found(snapshot, now=NOW, limits=LIMITS):
    """What the rules say of it: rule -> condition."""
    return {one.slot.rule: one for one in rules.conditions(snapshot, now, limits)}


def look(number, percent, *, gate=(), shift=None, zones=None, ref=None):
    return Look(
        ref=ref or f"gw/e/data/{number}",
        at=day(number),
        percent=percent,
        gate=gate,
        photo=f"p{number}",
        shift_px=shift,
        zones=zones or {},
    )


def camera(*looks, earlier=(), valid=None, plan=None, name="north"):
    """As the reader gathers it."""
    judged = tuple(one for one in looks if one.valid)
    return Camera(
        site=SITE,
        camera=name,
        gateway="gw",
        looks=looks[-6:],
        valid=(judged if valid is None else valid)[-3:],
        earlier=earlier,
        plan=plan,
    )


def plan(*points):
    return PlanCurve(points=tuple((day(number), float(percent)) for number, percent in points))


def seen(*cameras):
    return found(Snapshot(cameras=cameras))
