"""The frozen values that travel between gateway and centre; docs/wire.md tells their bytes.

A new field gets a default and a new golden file; a renamed one is a new version. Fields at their default are
left out of the bytes, so that yesterday's record keeps yesterday's hash. For the same reason a struct has at most
15 entries, its kind among them: with more msgspec writes another header, however many are left out.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

import msgspec

from plumbline.clock import Trust

Lane = Literal["status", "data", "photo"]
"""Most urgent first: what happened and how the gateway does; what it measured; pictures."""


class _Body(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag=str.lower, gc=False
):
    """What one record says; `kind` is the class name in lower case.

    Frozen values cannot form cycles: kept out of the collector's sight, central opens batches in half the time.
    """


class Frame(_Body, frozen=True, kw_only=True):
    """One poll of one device. `values[i]` counts steps of `metrics[i]`'s resolution; None: there is no value.

    `flaws` holds (position, plumbline.metrics.Flaw) for each value that is not simply good; a missing value
    always has one.
    """

    device: str
    metrics: tuple[int, ...]
    values: tuple[int | None, ...]
    flaws: tuple[tuple[int, int], ...] = ()


class ZoneProgress(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One zone of one photo. percent 0..100 or None where nothing could be seen; `visible` is a share 0..1.

    `id` is `f1b1`, or `east.f1b1` where the camera looks at several facades.
    """

    id: str
    percent: float | None
    low: float | None
    high: float | None
    visible: float
    stage: int | None = None
    raw: float | None = None
    """What this photo alone shows of it, before the days are brought into line; None where it shows nothing."""
    regress: bool = False
    """It has fallen below what it was, and has not come back to it."""


class Facade(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One of several facades in a picture: its corners in shares of it, clockwise from top left; floors and bays."""

    name: str
    quad: tuple[tuple[float, float], ...]
    grid: tuple[int, int]


class Basis(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a percent rests on besides the model and the picture."""

    config: str
    """Names the settings that zones and percents follow from; the same name is the same settings."""
    calibration: int = 0
    """Number of the calibration file that was applied; 0: none."""
    frames: int = 1
    """Pictures of one burst that this was judged from."""


class Progress(_Body, frozen=True, kw_only=True):
    """What a photo says of the visible works: percent 0..100 with its 90 % interval, or None and the reasons."""

    camera: str
    photo: str
    percent: float | None
    low: float | None
    high: float | None
    gate: tuple[str, ...] = ()
    zones: tuple[ZoneProgress, ...] = ()
    model: str = ""
    quad: tuple[tuple[float, float], ...] = ()
    """Facade corners in shares of the photo's width and height, clockwise from top left."""
    grid: tuple[int, int] = (0, 0)
    """Floors and bays that the facade is divided into."""
    facades: tuple[Facade, ...] = ()
    """In place of `quad` and `grid` where the camera looks at several facades; then zones are named after them."""
    shift_px: float | None = None
    """How far the facade lay from where it was on day 0, in pixels of the judged picture; already taken out."""
    basis: Basis | None = None


class Photo(_Body, frozen=True, kw_only=True):
    """The masked preview of one capture; `jpeg` is empty where no masked picture could be made."""

    camera: str
    photo: str
    jpeg: bytes = b""
    width_px: int = 0
    height_px: int = 0
    mask: str = ""
    """Names the way people and vehicles were made unrecognisable, with the model that found them."""
    source: str = ""
    """SHA-256 of the camera's own picture, of which nothing else is kept; empty where none came."""


class DeviceHealth(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How one meter or camera does: its status, and what went wrong since the process began, by kind."""

    name: str
    status: Literal["ok", "degraded", "silent", "unknown"]
    answers: int = 0
    errors: dict[str, int] = {}
    latency_ms: float | None = None
    source: str = ""
    """Where a camera's pictures come from: http, rtsp, usb or folder; empty for a meter."""
    last_good_us: int | None = None
    """When a camera's last photo that could be judged was taken, since the process began."""


class Health(_Body, frozen=True, kw_only=True):
    """The gateway's own state. `counters` only grow within one boot; `gauges` carry their unit in the name."""

    version: str
    counters: dict[str, int] = {}
    gauges: dict[str, float] = {}
    devices: tuple[DeviceHealth, ...] = ()


class EventCode(StrEnum):
    """What can happen on a gateway that is worth a durable line."""

    STARTED = "started"
    STOPPED = "stopped"
    METER_LOST = "meter_lost"
    METER_BACK = "meter_back"
    CAMERA_LOST = "camera_lost"
    CAMERA_BACK = "camera_back"
    CLOCK_CHANGED = "clock_changed"
    OUTBOX_DAMAGED = "outbox_damaged"
    METER_REPLACED = "meter_replaced"
    """Another meter, or the same one with its counters set back: energy goes on from a new level."""
    METER_SUSPECT = "meter_suspect"
    """What the values say is probably wrong with wiring or settings; the text names it."""
    ZONE_REGRESS = "zone_regress"
    """Zones of a camera stayed below what they were: rework, demolition, a moved camera, a cover; the text names them."""


class Event(_Body, frozen=True, kw_only=True):
    """Something that happened at the gateway; `subject` is the device, empty for the gateway itself."""

    code: str
    subject: str = ""
    text: str = ""


class Summary(_Body, frozen=True, kw_only=True):
    """What stands for many frames of one device that had to make room: one stretch of time, long offline.

    Per metric, in steps of its resolution and over its good values only: how many there were, the lowest, the mean
    (rounded to a step), the highest and the last; None where there was no good one. The record's own time is that of
    the newest frame, `span_us` reaches back to the oldest.
    """

    device: str
    metrics: tuple[int, ...]
    frames: int
    span_us: int
    good: tuple[int, ...]
    low: tuple[int | None, ...]
    mean: tuple[int | None, ...]
    high: tuple[int | None, ...]
    newest: tuple[int | None, ...]


class GapReason(StrEnum):
    """Why records left a gateway before central had them."""

    SIZE = "size"
    """The outbox had reached its bound; the oldest went."""
    THINNED = "thinned"
    """The same, but summaries stand for them."""
    AGE = "age"
    DAMAGED = "damaged"
    """The file was damaged and they could not be read back."""


class Gap(_Body, frozen=True, kw_only=True):
    """Records `first`..`last` of a lane are gone for good: the gateway says so itself, in its signed chain.

    `prev` is that lane's head before `first`, `head` the one after `last`: the chain goes on across the gap. After a
    damaged file either may be unknown and empty, and `last` 0: nobody knows how many came after `first`.
    """

    lane: Lane
    first: int
    last: int
    why: str
    prev: bytes = b""
    head: bytes = b""
    from_us: int = 0
    """Wall time of the oldest and the newest record that went; 0: unknown."""
    until_us: int = 0
    epoch: str = ""
    """Whose lane; empty: the epoch that this record itself is in."""
    instead: tuple[int, int] | None = None
    """The summaries that stand for them, first..last in the same epoch's data lane."""


class Anchor(_Body, frozen=True, kw_only=True):
    """How wall time and time since boot stand to each other from here on: written when that changes.

    With `offset_us` = wall − mono of a trusted clock, every record of the same boot can be placed by its `mono_us`.
    The record's own `clock` says how far this one can be trusted.
    """

    offset_us: int
    before_us: int | None = None
    """What `offset_us` was until now; None: the first since the gateway started."""
    before: str = ""
    """How far the clock could be trusted until now."""


Body = Frame | Progress | Photo | Health | Event | Summary | Gap | Anchor


class Record(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One durable line of one lane: when it was true, by which clock, and what it says."""

    seq: int
    at_us: int
    """Wall time in microseconds since 1970 UTC, when the meter was read or the photo taken."""
    boot: str
    mono_us: int
    clock: Trust
    body: Body


class Refusal(msgspec.Struct, frozen=True, array_like=True):
    """Central will never take seq `first`..`last`; `why` is for the person who reads the gateway's log."""

    first: int
    last: int
    why: str


class Ack(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Central's word that records are durably kept: all up to `through`, and those in the ranges of `also`."""

    epoch: str
    lane: Lane
    through: int
    also: tuple[tuple[int, int], ...] = ()
    refused: tuple[Refusal, ...] = ()


class GatewayState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The retained birth of a gateway, and as `online=False` its last will. JSON, so that a person can read it."""

    online: bool
    site: str
    gateway: str
    version: str = ""
    epoch: str = ""
    since_us: int = 0
