"""What a site file must make sense of, beyond the types in `settings`."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from plumbline.errors import ConfigError, FaultyFile
from plumbline.strictfile import (
    Found,
    Raw,
    StrictFile,
    broker_faults,
    folder_faults,
    missing_files,
    name_faults,
    near,
    prefixed,
    tables,
)
from plumbline.topics import NAME, is_name
from plumbline_edge.meters.dlt645.frames import as_address
from plumbline_edge.meters.profiles import file as profile
from plumbline_edge.settings import SiteSettings

_PHOTOS: Final = frozenset({"cameras", "model", "timezone"})
"""Tables that say how photos are judged; all others are the running gateway's."""
_SOURCE: Final = frozenset({"url", "device", "folder", "folder_keep_days", "username", "password_file"})
"""Keys of a camera that say how to fetch from it."""
_OF_ONE_FACADE: Final = ("quad", "floors", "bays", "weights", "values")
_TIME_OF_DAY: Final = re.compile(r"^([01]\d|2[0-3]):[0-5]\d$")

_VIDEO_DEVICE: Final = re.compile(r"^/dev/(video\d+|v4l/by-(id|path)/[\w:.+-]+)$")


def load_site(path: Path) -> SiteSettings:
    """The settings in a site file. Raises FaultyFile with every mistake, ConfigError where there is no file."""
    return _SITE_FILE.load(path)


def load_cameras(path: Path, *, day0_named: bool = False) -> SiteSettings:
    """The cameras of a site file, to judge photos with that lie here already: it needs no more than
    docs/photos.md shows, and what only a running gateway needs is not looked at.

    `day0_named`: a photo from before the works is given besides, so that a renovation needs no `works_begin`.
    """

    def completed(raw: dict[str, Any]) -> dict[str, Any]:
        if not raw.get("cameras"):
            raise ConfigError(
                f"{path}: no [[cameras]] in it", hint="docs/photos.md shows the lines it takes."
            )
        return _for_photos(raw, day0_named=day0_named)

    return _SITE_FILE.load(path, completed=completed)


def _for_photos(raw: dict[str, Any], *, day0_named: bool) -> dict[str, Any]:
    """`raw` without what belongs to the running gateway, and with something harmless where that must not lack."""
    gateways = {field.name for field in fields(SiteSettings)} - _PHOTOS
    kept = {key: value for key, value in raw.items() if key not in gateways}
    cameras = kept.get("cameras", [])
    if isinstance(cameras, list):
        kept["cameras"] = [
            _without_source(camera, day0_named=day0_named) if isinstance(camera, dict) else camera
            for camera in cameras
        ]
    return {**kept, "site": "photos", "gateway": "photos", "state_dir": "."}


def _without_source(camera: dict[str, Any], *, day0_named: bool) -> dict[str, Any]:
    kept = {key: value for key, value in camera.items() if key not in _SOURCE}
    if day0_named:
        kept.setdefault("works_begin", date(1970, 1, 1))
    return {"name": "camera", **kept, "url": "http://camera.invalid/"}


def _sense(folder: Path, raw: Raw) -> Iterator[Found]:
    buses, meters, cameras = (tables(raw.get(key)) for key in ("buses", "meters", "cameras"))
    yield from _site_faults(raw)
    yield from folder_faults(folder, raw, "state_dir")
    yield from broker_faults(raw)
    if not meters and not cameras:
        yield "meters", None, "at least one meter or camera to read"
    yield from _twin_faults(meters)
    yield from _shared_port_faults(buses)
    yield from name_faults("buses", buses)
    yield from name_faults("meters", meters)
    yield from name_faults("cameras", cameras)
    kinds = {bus["name"]: bus.get("kind") for _, bus in buses if isinstance(bus.get("name"), str)}
    for where, bus in buses:
        yield from prefixed(f"buses.{where}", _bus_faults(bus))
    for where, meter in meters:
        yield from prefixed(f"meters.{where}", _meter_faults(folder, meter))
        yield from prefixed(f"meters.{where}", _wire_faults(folder, meter, kinds))
    for where, camera in cameras:
        yield from prefixed(f"cameras.{where}", _source_faults(folder, camera))
        yield from prefixed(f"cameras.{where}", _camera_faults(folder, camera))
    yield from missing_files(folder, raw)


def _names_a_file(key: str, value: str) -> bool:
    own_profile = key == "profile" and value.endswith(".toml")
    return own_profile or key.endswith("_file") or key in ("state_dir", "folder", "calibration")


_SITE_FILE: Final = StrictFile(
    settings=SiteSettings,
    if_missing="Name a site file; firmware_configs/sites has examples.",
    sense=_sense,
    names_a_file=_names_a_file,
)


def _site_faults(raw: Raw) -> Iterator[Found]:
    for key in ("site", "gateway"):
        if isinstance(raw.get(key), str) and not is_name(raw[key]):
            yield key, raw[key], f"a name like {NAME}"
    if isinstance(zone := raw.get("timezone"), str) and not _is_timezone(zone):
        yield "timezone", zone, "a time zone like Asia/Shanghai"


def _twin_faults(meters: list[tuple[str, dict[str, Any]]]) -> Iterator[Found]:
    seen: dict[str, str] = {}
    for where, meter in meters:
        wire = (meter["bus"],) if "bus" in meter else (meter.get("host"), meter.get("port", 502))
        device = (*wire, meter.get("address", meter.get("unit", 1)))
        twin = seen.setdefault(repr(device), where)  # as it came, it may be anything
        if twin != where:
            yield (
                f"meters.{where}",
                device,
                f"another device than {twin}: both are on the same wire with the same number",
            )


def _shared_port_faults(buses: list[tuple[str, dict[str, Any]]]) -> Iterator[Found]:
    seen: dict[str, str] = {}
    for where, bus in buses:
        if not isinstance(device := bus.get("device"), str):
            continue
        other = seen.setdefault(device, where)
        if other != where:
            yield f"buses.{where}.device", device, f"another port than {other}: put their meters on one bus"


def _bus_faults(bus: Raw) -> Iterator[Found]:
    serial = bus.get("kind") == "rtu"
    wanted, unwanted = ("device", "host") if serial else ("host", "device")
    if not bus.get(wanted):
        yield (
            wanted,
            bus.get(wanted),
            "a serial port like /dev/ttyUSB0" if serial else "the converter's address",
        )
    if bus.get(unwanted) is not None:
        yield unwanted, bus[unwanted], f"nothing: a bus of kind {bus.get('kind')!r} has a {wanted}"


def _wire_faults(folder: Path, meter: Raw, kinds: Mapping[str, object]) -> Iterator[Found]:
    """What does not fit between a meter, its wire and its profile's protocol."""
    bus, host = meter.get("bus"), meter.get("host")
    if (bus is None) == (host is None):
        yield (
            "bus" if bus else "host",
            bus or host,
            "either `bus`, a name of [[buses]], or a `host` of its own",
        )
    elif isinstance(bus, str) and bus not in kinds:
        yield "bus", bus, f"the name of one of [[buses]]; {near(bus, sorted(kinds))}"
    wanted, address = meter.get("profile"), meter.get("address")
    if not isinstance(wanted, str) or (protocol := _protocol(folder, wanted)) is None:
        return
    if protocol != "dlt645":
        if address is not None:
            yield "address", address, "nothing: a Modbus meter has a `unit`"
        return
    if not (isinstance(address, str) and _is_dlt645_address(address)):
        yield "address", address, "the twelve digits on the meter's label, as a text, not all of them 9"
    if not isinstance(bus, str) or kinds.get(bus, "rtu") == "tcp":
        yield "bus", bus, 'a bus of kind "rtu" or "rtu_over_tcp": DL/T 645 is not Modbus TCP'


def _is_dlt645_address(address: str) -> bool:
    try:
        return as_address(address) == address
    except ConfigError:
        return False


def _protocol(folder: Path, wanted: str) -> str | None:
    path = folder / wanted if wanted.endswith(".toml") else profile.shipped().get(wanted)
    try:
        return profile.load_profile(path).protocol if path is not None else None
    except ConfigError:
        return None  # said elsewhere


def _meter_faults(folder: Path, meter: Raw) -> Iterator[Found]:
    wanted = meter.get("profile")
    if not isinstance(wanted, str) or wanted in profile.shipped():
        return
    if wanted.endswith(".toml"):
        try:
            profile.load_profile(folder / wanted)
        except FaultyFile as faulty:
            yield from faulty.faults
        except ConfigError as error:
            yield "profile", wanted, f"a profile that can be read ({error})"
        return
    hint = near(wanted, sorted(profile.shipped()))
    yield "profile", wanted, f"a shipped profile or a .toml file of your own; {hint}"


def _source_faults(folder: Path, camera: Raw) -> Iterator[Found]:
    """Where a camera's pictures come from: one place, and nothing that belongs to another kind of place."""
    named = [key for key in ("url", "device", "folder") if camera.get(key) is not None]
    if len(named) != 1:
        yield (
            "url",
            None,
            f"one of `url`, `device` (USB) and `folder`, not {' and '.join(named) or 'none of them'}",
        )
    url, device, dropped = (camera.get(key) for key in ("url", "device", "folder"))
    if isinstance(url, str) and not _is_camera_url(url):
        shown = re.sub(r"(//)[^/]*@", r"\1…@", url)  # a password that stands there is not said again
        yield "url", shown, "an http://, https:// or rtsp:// address without a user or password in it"
    if isinstance(device, str) and not _VIDEO_DEVICE.match(device):
        yield "device", device, "a camera like /dev/video0 or one of /dev/v4l/by-id/"
    if isinstance(dropped, str) and not (folder / dropped).is_dir():
        yield "folder", dropped, "a folder that exists"
    if camera.get("username") and not camera.get("password_file"):
        yield "password_file", None, "a file with the password, since there is a username"
    if camera.get("password_file") and not camera.get("username"):
        yield "username", None, "the user whose password stands in password_file"
    if "url" not in named and camera.get("username"):
        yield "username", camera["username"], "nothing: only a camera with a `url` asks who one is"
    if "folder" not in named and camera.get("folder_keep_days") is not None:
        yield "folder_keep_days", camera["folder_keep_days"], "nothing: it belongs to a `folder`"


def _camera_faults(folder: Path, camera: Raw) -> Iterator[Found]:
    for time in camera.get("at", ()) if isinstance(camera.get("at"), list) else ():
        if isinstance(time, str) and not _TIME_OF_DAY.match(time):
            yield "at", time, "a time of day like 10:00"
    if camera.get("track") == "reno" and camera.get("works_begin") is None:
        yield (
            "works_begin",
            None,
            "the day the works begin: a renovation is judged against a photo from before it",
        )
    if isinstance(calibration := camera.get("calibration"), str) and not (folder / calibration).is_file():
        yield "calibration", calibration, "a file that exists; `plumbline model calibrate` makes it"
    if "facades" not in camera:
        yield from (
            (key, None, "a value here") for key in ("quad", "floors", "bays") if camera.get(key) is None
        )
        yield from _facade_faults(camera)
        return
    yield from (
        (key, camera[key], "nothing: it belongs into each of [[cameras.facades]]")
        for key in _OF_ONE_FACADE
        if camera.get(key) is not None
    )
    facades = tables(camera["facades"])
    if camera["facades"] == []:
        yield "facades", camera["facades"], "at least one facade"
    yield from name_faults("facades", facades)
    for where, facade in facades:
        yield from prefixed(f"facades.{where}", _facade_faults(facade))
    yield from _share_faults([facade.get("share") for _, facade in facades])


def _share_faults(shares: list[object]) -> Iterator[Found]:
    given = [share for share in shares if isinstance(share, (int, float))]
    if given and len(given) < len(shares):
        yield "facades", given, "a share for each facade, or for none"
    elif given and not math.isclose(sum(given), 1, abs_tol=0.001):
        yield "facades", sum(given), "shares that add up to 1"


def _facade_faults(camera: Raw) -> Iterator[Found]:
    quad = camera.get("quad")
    if quad is not None and _is_numbers(quad, 4, 2) and not _is_clockwise(quad):
        yield "quad", quad, "four corners clockwise from the top left"
    values: Any = camera.get("values")
    if _is_numbers([values], 1, 8) and not (
        values[0] == 0 and values[-1] == 1 and all(a <= b for a, b in pairwise(values))
    ):
        yield "values", values, "eight shares that rise from 0 to 1"
    weights, floors, bays = (camera.get(key) for key in ("weights", "floors", "bays"))
    if weights is not None and isinstance(floors, int) and isinstance(bays, int):
        if not _is_numbers(weights, floors, bays):
            yield "weights", weights, f"{floors} rows (floors) of {bays} numbers (bays)"
        elif not math.isclose(total := sum(map(sum, weights)), 1, abs_tol=0.001):
            yield "weights", total, "shares that add up to 1"
        elif min(map(min, weights)) < 0:
            yield "weights", min(map(min, weights)), "shares, none of them negative"


def _is_timezone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _is_camera_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    known = parts.scheme in ("http", "https", "rtsp") and bool(parts.hostname) and port != 0
    return known and "@" not in parts.netloc and url.isprintable() and " " not in url


def _is_numbers(rows: object, count: int, width: int) -> bool:
    return (
        isinstance(rows, list)
        and len(rows) == count
        and all(
            isinstance(row, list) and len(row) == width and all(isinstance(x, (int, float)) for x in row)
            for row in rows
        )
    )


def _is_clockwise(quad: Any) -> bool:
    """Whether the corners turn right at every one of them, with y pointing down: convex, not a bow tie."""
    turns = zip(quad, [*quad[1:], quad[0]], [*quad[2:], *quad[:2]], strict=True)
    return all((bx - ax) * (cy - by) > (by - ay) * (cx - bx) for (ax, ay), (bx, by), (cx, cy) in turns)
