"""Reads a site file strictly and reports every mistake at once; the one file of the gateway that imports pydantic."""

from __future__ import annotations

import difflib
import ipaddress
import math
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, TypeAlias, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from annotated_types import Ge, Gt, Le
from pydantic import TypeAdapter, ValidationError

from plumbline.errors import ConfigError, Fault, FaultyFile
from plumbline.topics import NAME, is_name
from plumbline_edge.meters import profile
from plumbline_edge.settings import SiteSettings

_TIME_OF_DAY: Final = re.compile(r"^([01]\d|2[0-3]):[0-5]\d$")
_SITE: Final = TypeAdapter(SiteSettings)
_Found: TypeAlias = tuple[str, object, str]
"""(key, value, expectation)"""


def load_site(path: Path) -> SiteSettings:
    """The settings in a site file; relative file names in it are taken from its own folder.

    Raises FaultyFile with every mistake: file, key, value, expectation. Raises ConfigError where there is no file.
    """
    raw = _read(path)
    faults = [*_shape_faults(path, raw), *_sense_faults(path, raw)]
    if faults:
        raise FaultyFile(faults)
    return _SITE.validate_python(_with_absolute_files(raw, path.parent.absolute()))


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"{path}: {error.strerror}", hint="Name a site file; firmware_configs/sites has examples."
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not TOML: {error}", hint="Mend the line it names.") from None


def _shape_faults(path: Path, raw: Mapping[str, Any]) -> Iterator[Fault]:
    """What pydantic finds wrong with keys, types and bounds."""
    try:
        _SITE.validate_python(raw)
    except ValidationError as bad:
        for problem in bad.errors(include_url=False):
            where = [part for part in problem["loc"] if part not in ("tuple", "str")]
            value = None if problem["type"] == "missing" else problem["input"]
            yield Fault(
                file=str(path), key=_spoken(raw, where), value=value, expected=_expected(problem, where)
            )


def _expected(problem: Mapping[str, Any], where: list[int | str]) -> str:
    match problem["type"]:
        case "missing":
            return "a value here"
        case "unexpected_keyword_argument" | "extra_forbidden":
            known = [field.name for field in fields(_type_at(where[:-1]))]
            near = difflib.get_close_matches(str(where[-1]), known, n=1)
            return f"no such key; did you mean {near[0]!r}?" if near else f"one of {', '.join(known)}"
    bounds = _bounds(where)
    message = str(problem["msg"])
    return bounds or message.removeprefix("Input should be ").removeprefix("a valid ")


def _type_at(where: Iterable[int | str]) -> Any:
    """The settings class that holds the key at `where`."""
    here: Any = SiteSettings
    for part in where:
        if isinstance(part, int):
            continue
        hint = get_type_hints(here)[part]
        here = next((arg for arg in (hint, *get_args(hint)) if is_dataclass(arg)), hint)
    return here


def _bounds(where: list[int | str]) -> str | None:
    """`1-247`, where both ends of a number are limited."""
    names = [part for part in where if isinstance(part, str)]
    holder = _type_at(names[:-1])
    if not is_dataclass(holder) or not names:
        return None
    hint = get_type_hints(holder, include_extras=True).get(names[-1])
    while get_origin(hint) is tuple:
        hint = get_args(hint)[0]
    marks = getattr(hint, "__metadata__", ())
    low = next((m.ge for m in marks if isinstance(m, Ge)), None)
    above = next((m.gt for m in marks if isinstance(m, Gt)), None)
    high = next((m.le for m in marks if isinstance(m, Le)), None)
    if high is None or (low is None and above is None):
        return None
    return f"{low}-{high}" if low is not None else f"more than {above}, at most {high}"


def _spoken(raw: Mapping[str, Any], where: Iterable[int | str]) -> str:
    """`meters.crane.unit` instead of `meters.2.unit`, where that table has a name."""
    here: Any = raw
    parts: list[str] = []
    for part in where:
        try:
            here = here[part]
        except (KeyError, IndexError, TypeError):
            here = None
        name = here.get("name") if isinstance(part, int) and isinstance(here, dict) else None
        parts.append(name if isinstance(name, str) else str(part))
    return ".".join(parts) or "file"


def _sense_faults(path: Path, raw: Mapping[str, Any]) -> Iterator[Fault]:
    """What single keys cannot show: names, files, shapes that must agree. Tolerates any shape."""
    meters, cameras = (_tables(raw.get(key)) for key in ("meters", "cameras"))
    checks = [
        _site_faults(path.parent, raw),
        *(_name_faults(kind, tables) for kind, tables in (("meters", meters), ("cameras", cameras))),
        *(_prefixed(f"meters.{where}", _meter_faults(path.parent, meter)) for where, meter in meters),
        *(_prefixed(f"cameras.{where}", _camera_faults(camera)) for where, camera in cameras),
        (
            (key, name, "a file that exists")
            for key, name in _files(raw)
            if not (path.parent / name).is_file()
        ),
    ]
    for check in checks:
        for key, value, expected in check:
            yield Fault(file=str(path), key=key, value=value, expected=expected)


def _prefixed(where: str, found: Iterable[_Found]) -> Iterator[_Found]:
    return ((f"{where}.{key}", value, expected) for key, value, expected in found)


def _site_faults(folder: Path, raw: Mapping[str, Any]) -> Iterator[_Found]:
    for key in ("site", "gateway"):
        if isinstance(raw.get(key), str) and not is_name(raw[key]):
            yield key, raw[key], f"a name like {NAME}"
    if isinstance(zone := raw.get("timezone"), str) and not _is_timezone(zone):
        yield "timezone", zone, "a time zone like Asia/Shanghai"
    if isinstance(name := raw.get("state_dir"), str):
        parent = (folder / name).absolute().parent
        if not parent.is_dir():
            yield "state_dir", name, f"a folder whose parent exists; create {parent} first"
    broker = raw.get("broker")
    host = broker.get("host") if isinstance(broker, dict) else None
    if isinstance(host, str) and not is_loopback(host) and not raw["broker"].get("ca_file"):
        yield "broker.ca_file", None, f"a CA file, since {host} is not this machine"


def _meter_faults(folder: Path, meter: Mapping[str, Any]) -> Iterator[_Found]:
    wanted = meter.get("profile")
    if not isinstance(wanted, str) or wanted in profile.shipped():
        return
    if wanted.endswith(".toml"):
        try:
            profile.load_profile(folder / wanted)
        except ConfigError as error:
            yield "profile", wanted, f"a profile that can be read ({error})"
        return
    known = sorted(profile.shipped())
    near = difflib.get_close_matches(wanted, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"one of {', '.join(known)}"
    yield "profile", wanted, f"a shipped profile or a .toml file of your own; {hint}"


def _name_faults(kind: str, tables: list[tuple[str, dict[str, Any]]]) -> Iterator[_Found]:
    seen: set[str] = set()
    for where, table in tables:
        name = table.get("name")
        if not isinstance(name, str):
            continue
        if not is_name(name):
            yield f"{kind}.{where}.name", name, f"a name like {NAME}"
        if name in seen:
            yield f"{kind}.{where}.name", name, "a name used only once"
        seen.add(name)


def _camera_faults(camera: Mapping[str, Any]) -> Iterator[_Found]:
    if isinstance(url := camera.get("url"), str) and not _is_snapshot_url(url):
        yield "url", url, "an http:// or https:// address without a password in it"
    for time in camera.get("at", ()) if isinstance(camera.get("at"), list) else ():
        if isinstance(time, str) and not _TIME_OF_DAY.match(time):
            yield "at", time, "a time of day like 10:00"
    quad = camera.get("quad")
    if _is_numbers(quad, 4, 2) and not _is_clockwise(quad):
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


def _tables(value: object) -> list[tuple[str, dict[str, Any]]]:
    """The tables of an array, each with what to call it: its name, else its place."""
    if not isinstance(value, list):
        return []
    tables = ((i, table) for i, table in enumerate(value) if isinstance(table, dict))
    return [(str(table.get("name", i)), table) for i, table in tables]


def _files(raw: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Every key that names a file which must be there already."""
    for key, value in raw.items():
        if key.endswith("_file") and isinstance(value, str):
            yield key, value
        elif isinstance(value, dict):
            yield from ((f"{key}.{inner}", name) for inner, name in _files(value))
        else:
            for where, table in _tables(value):
                yield from ((f"{key}.{where}.{inner}", name) for inner, name in _files(table))


def _with_absolute_files(raw: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    def resolved(key: str, value: object) -> object:
        if isinstance(value, str) and _names_a_file(key, value):
            return str(folder / value)
        if isinstance(value, dict):
            return {inner: resolved(inner, v) for inner, v in value.items()}
        if isinstance(value, list):
            return [resolved(key, v) for v in value]
        return value

    return {key: resolved(key, value) for key, value in raw.items()}


def _names_a_file(key: str, value: str) -> bool:
    own_profile = key == "profile" and value.endswith(".toml")
    return own_profile or key.endswith("_file") or key in ("state_dir", "folder")


def is_loopback(host: str) -> bool:
    """Whether traffic to `host` stays on this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_timezone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _is_snapshot_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.password is None


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
