"""What a site file may say: plain frozen values, the same for the file's checker and for the running gateway.

Constraints stand in the annotations; `plumbline_edge.config` reads a file against them with pydantic, the running
gateway gets them back from JSON with msgspec and never loads pydantic (it would cost a third of its memory).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Gt, Le, Len, MinLen

from plumbline.broker import BrokerSettings, Port
from plumbline.stages import Track

Name = Annotated[str, "name"]
"""A lower-case name, see plumbline.topics.NAME; checked by plumbline_edge.config."""
Share = Annotated[float, Ge(-0.5), Le(1.5)]
"""A place in a picture as a share of its width or height; a facade may reach a little past the edge."""

_STRICT: dict[str, Any] = {"extra": "forbid"}


@dataclass(frozen=True, slots=True, kw_only=True)
class BusSettings:
    """A wire that several meters share: a serial port (`device`), or a TCP port (`host`)."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT
    name: Name
    kind: Literal["tcp", "rtu", "rtu_over_tcp"]
    host: str | None = None
    port: Port = 502
    device: str | None = None
    baud: Annotated[int, Ge(300), Le(1_000_000)] = 9600
    parity: Literal["N", "E", "O"] = "N"
    stop_bits: Annotated[int, Ge(1), Le(2)] = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterSettings:
    """One meter: on one of the site's buses, or alone behind a Modbus TCP port of its own (`host`)."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT
    name: Name
    profile: str
    bus: str | None = None
    host: str | None = None
    port: Port = 502
    unit: Annotated[int, Ge(0), Le(247)] = 1
    address: str | None = None
    """Twelve digits, as on the label of a DL/T 645 meter; these have no `unit`."""
    every_s: Annotated[float, Gt(0), Le(86_400)] = 10.0
    timeout_s: Annotated[float, Gt(0), Le(30)] = 1.0
    """The longest wait for one answer; where a meter answers faster, it is waited for less long."""


Quad = Annotated[tuple[tuple[Share, Share], ...], Len(4, 4)]
"""Facade corners in shares of the picture, clockwise from top left."""
Count = Annotated[int, Ge(1), Le(40)]
"""Floors or bays of a facade."""
Values = Annotated[tuple[float, ...], Len(8, 8)]
"""Cumulative value of the stages 0..7."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FacadeSettings:
    """One of several facades in a camera's picture; its zones are named `east.f1b1` after it."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT
    name: Name
    quad: Quad
    floors: Count
    bays: Count
    weights: tuple[tuple[float, ...], ...] | None = None
    """Share of this facade's works per zone, floor by floor from the ground; equal where absent."""
    values: Values | None = None
    """plumbline.stages.DEFAULT_VALUES where absent."""
    share: Annotated[float, Gt(0), Le(1)] | None = None
    """Share of the camera's works that this facade is; in proportion to its zones where absent."""

    @property
    def prefix(self) -> str:
        """What stands before the zones' names."""
        return f"{self.name}." if self.name else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraSettings:
    """One fixed camera and the facade it looks at, or several of them as tables of their own."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT
    name: Name
    url: str | None = None
    """Where it answers: http(s):// with one picture, rtsp:// with a stream. One of `url`, `device`, `folder`."""
    device: str | None = None
    """A USB camera, like /dev/video0."""
    folder: str | None = None
    """Where another system drops photos; the newest that was not judged yet is taken, none is deleted."""
    folder_keep_days: Annotated[float, Gt(0), Le(3650)] | None = None
    """Photos in `folder` that are older are deleted; never where absent."""
    burst_frames: Annotated[int, Ge(1), Le(9)] = 3
    """Pictures taken each time: what moves in them is not on the facade."""
    burst_every_s: Annotated[float, Ge(0), Le(600)] = 5.0
    track: Track
    quad: Quad | None = None
    floors: Count | None = None
    bays: Count | None = None
    facades: tuple[FacadeSettings, ...] = ()
    """In place of quad, floors, bays, weights and values where the picture shows more than one facade."""
    at: Annotated[tuple[str, ...], MinLen(1)] = ("10:00", "14:00")
    """Local times of day when a photo is taken."""
    works_begin: date | None = None
    """The local day the works begin: the last usable photo before it shows what was there, which a renovation cannot
    be judged without. Where absent, one of the first photos is taken for that, if it can be."""
    weights: tuple[tuple[float, ...], ...] | None = None
    """Share of the visible works per zone, floor by floor from the ground; equal where absent."""
    values: Values | None = None
    """plumbline.stages.DEFAULT_VALUES where absent."""
    crew_rate: Annotated[float, Gt(0), Le(100)] | None = None
    """The fastest that the plan lets a zone rise, in percentage points a day: three times that is believed."""
    calibration: str | None = None
    """A file made by `plumbline model calibrate` from photos that a person corrected."""
    username: str | None = None
    password_file: str | None = None
    hfov_deg: Annotated[float, Gt(5), Le(150)] = 70.0
    distance_m: Annotated[float, Gt(1), Le(500)] = 30.0
    max_megapixels: Annotated[float, Gt(0), Le(64)] = 24.0
    timeout_s: Annotated[float, Gt(0), Le(120)] = 10.0

    def all_facades(self) -> tuple[FacadeSettings, ...]:
        """The facades to judge: those of the tables, else the camera's own one, whose name is empty."""
        if self.facades or self.quad is None or self.floors is None or self.bays is None:
            return self.facades
        return (
            FacadeSettings(
                name="",
                quad=self.quad,
                floors=self.floors,
                bays=self.bays,
                weights=self.weights,
                values=self.values,
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSettings:
    """The model that judges photos; the one that came with the package where no folder is named."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT
    folder: str | None = None
    threads: Annotated[int, Ge(1), Le(8)] = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxSettings:
    """How much is kept on the card, and for how long."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT
    max_mb: Annotated[float, Ge(8), Le(1e6)] = 512.0
    """Bound of file, write-ahead log and ballast together, in megabytes (1e6 bytes)."""
    keep_acknowledged_s: Annotated[float, Ge(0)] = 7 * 86_400.0
    """How long what central has stays here, for a centre that lost its own."""
    max_age_s: Annotated[float, Ge(86_400)] = 400 * 86_400.0
    """After that even what central never got goes, declared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UplinkSettings:
    """What may go out over a link that is paid by the megabyte."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT
    daily_mb: Annotated[float, Gt(0), Le(1_000_000)] | None = None
    """Megabytes (1e6 bytes) of payload a local day; at it photos and backlog wait for the next day, a fifth beyond it
    readings too. No bound where absent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteSettings:
    """A whole site file."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT
    site: Name
    gateway: Name
    state_dir: str
    broker: BrokerSettings = field(default_factory=BrokerSettings)
    timezone: str = "Asia/Shanghai"
    health_every_s: Annotated[float, Ge(1), Le(86_400)] = 60.0
    buses: tuple[BusSettings, ...] = ()
    meters: tuple[MeterSettings, ...] = ()
    cameras: tuple[CameraSettings, ...] = ()
    model: ModelSettings = field(default_factory=ModelSettings)
    outbox: OutboxSettings = field(default_factory=OutboxSettings)
    uplink: UplinkSettings = field(default_factory=UplinkSettings)
